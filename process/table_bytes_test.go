package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// bytesOf is what the table holds of a process that has executed a file with a
// name of one letter: its path as filename, executable and argument. twice is what it
// holds after a second exec: once more in the re-exec, with what it ran before.
const (
	bytesOf = len("/bin/a") + len("/bin/a") + len("/bin/a\x00")
	twice   = 2*bytesOf + len("/bin/a")
)

// Beyond the limit of bytes, users with the most give up first: re-execs, arguments,
// paths; of each kind the oldest. Nobody is evicted.
func TestTableBytes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		bytes int
		tell  func(s *story)
		keep  []string
		shed  uint64
	}{
		{"as many as the limit", 3 * bytesOf, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.run("init", "c")
			s.fork("init", "d")
		}, []string{"a: paths, args", "b: paths, args", "c: paths, args", "d:"}, 0},
		{"the arguments of the oldest go first", 3*bytesOf - 1, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.run("init", "c")
		}, []string{"a: paths", "b: paths, args", "c: paths, args"}, 1},
		{"then their paths", 2*bytesOf - 10, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.run("init", "c")
		}, []string{"a:", "b: paths", "c: paths"}, 4},
		{"re-execs before arguments", 2*bytesOf + twice - 1, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.run("init", "c")
			s.exec("b")
		}, []string{"a: paths, args", "b: paths, args", "c: paths, args"}, 1},
		{"what ends makes room", 2 * bytesOf, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.exit("b")
			s.run("init", "c")
		}, []string{"a: paths, args", "c: paths, args"}, 0},
		{"of the fattest user", 4 * bytesOf, func(s *story) {
			for i, name := range []string{"a", "b", "c", "d", "e"} {
				s.fork("init", name)
				s.become(name, uint32(i%2))
				s.exec(name)
			}
		}, []string{"a:", "b: paths, args", "c: paths", "d: paths, args", "e: paths"}, 4},
		{"by the real user at the last exec", 3 * bytesOf, func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.become("b", 1)
			s.exec("b")
			s.run("b", "c")
		}, []string{"a: paths, args", "b: paths, args", "c: paths, args"}, 1},
		{"of a user namespace's users together", 4 * bytesOf, func(s *story) {
			for i, name := range []string{"a", "b", "c", "d", "e"} {
				s.fork("init", name)
				s.become(name, []uint32{100, 165000, 166000, 100, 167000}[i])
				s.exec(name)
			}
		}, []string{"a: paths, args", "b:", "c: paths", "d: paths, args", "e: paths"}, 4},
		{"one larger than the limit", 10, func(s *story) {
			s.fork("init", "b")
			s.run("init", "a")
			s.exec("a")
		}, []string{"b:", "a:"}, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, Limits{Processes: 100, Bytes: tc.bytes})
			tc.tell(s)
			var keep []string
			for e := s.table.order.newer; e != &s.table.order; e = e.newer {
				var details []string
				if e.image.Filename != "" {
					details = append(details, " paths")
				}
				if e.image.Args != "" {
					details = append(details, " args")
				}
				if len(e.reexecs) > 0 {
					details = append(details, " re-execs")
				}
				if cut := e.image.ArgsCut; e.span != nil && cut != (e.image.Args == "") {
					t.Errorf("of %s the arguments are cut: %t", s.name(e.id), cut)
				}
				keep = append(keep, s.name(e.id)+":"+strings.Join(details, ","))
			}
			if !slices.Equal(keep, tc.keep) {
				t.Errorf("kept %q, want %q", keep, tc.keep)
			}
			if got := s.table.Stats(); got.Shed != tc.shed || got.Evicted != 0 {
				t.Errorf("%d gave up details, want %d; %d evicted", got.Shed, tc.shed, got.Evicted)
			}
		})
	}
}

// A user whose many processes execute again and again, with long arguments, costs other
// users nothing.
func TestFatUserCostsOthersNothing(t *testing.T) {
	s := newStory(t, Limits{Processes: 10_000, Bytes: 1 << 20})
	s.unchecked = true
	s.run("init", "bystander")
	s.exec("bystander")
	long := "/bin/" + strings.Repeat("x", 4096)
	for i := range 500 {
		name := fmt.Sprint("foe ", i)
		s.fork("init", name)
		s.become(name, 666)
		for range 5 {
			s.execFile(name, long)
		}
	}
	check(t, s.table)
	if stats := s.table.Stats(); stats.Evicted > 0 || stats.Shed == 0 {
		t.Errorf("%d evicted, %d gave up details; want none, and some", stats.Evicted, stats.Shed)
	}
	s.exit("bystander")
	if l := s.got[0]; l.Image.Args != "/bin/bystander\x00" || l.Image.ArgsCut || len(l.Reexecs) != 1 {
		t.Errorf("a process of another user has lost details: %+v", l)
	}
}

// A user with very many processes costs other users nothing.
func TestCrowdedUserCostsOthersNothing(t *testing.T) {
	s := newStory(t, Limits{Processes: 100, Bytes: 1 << 20})
	for _, name := range []string{"b", "c"} {
		s.run("init", name)
	}
	for i := range 1000 {
		name := fmt.Sprint("foe ", i)
		s.fork("init", name)
		s.become(name, 666)
		s.execFile(name, "/bin/foe")
	}
	if got := s.table.Stats().Evicted; got != 902 {
		t.Errorf("%d evicted, want 902", got)
	}
	for _, name := range []string{"b", "c", "foe 999"} {
		if !s.table.Has(s.proc(name).id) {
			t.Errorf("%s was evicted", name)
		}
	}
}

// One process that execs for ever with long arguments keeps some of the execs.
func TestReexecsAreBoundedInBytes(t *testing.T) {
	s := newStory(t, Limits{Processes: 10, Bytes: 4 * maxReexecBytes})
	s.run("init", "hog")
	for range maxReexecs {
		s.execFile("hog", "/bin/"+strings.Repeat("x", 4096))
	}
	if stats := s.table.Stats(); stats.Evicted+stats.Shed > 0 {
		t.Errorf("%d processes were evicted, %d gave up details", stats.Evicted, stats.Shed)
	}
	s.exit("hog")
	hog := s.got[0]
	if got := len(hog.Reexecs) + hog.ReexecsDropped; got != maxReexecs || hog.ReexecsDropped == 0 {
		t.Errorf("%d re-execs, %d of them dropped; want %d, some dropped", got, hog.ReexecsDropped, maxReexecs)
	}
}
