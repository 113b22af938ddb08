package process

import (
	"reflect"
	"strconv"
	"testing"
)

func TestTableCarriesEverything(t *testing.T) {
	s := newStory(t, roomy)
	s.run("init", "a")
	s.fork("a", "b")
	s.hear(s.k.exec(s.proc("b"), Image{
		Filename: "./run", Executable: "/usr/bin/python3", WorkingDirectory: "/srv",
		Args: "python3\x00./run\x00--fast", ArgsCount: 3, ArgsCut: true, PathCut: true,
	}))
	s.exit("a") // b now has another parent
	s.hear(s.k.exit(s.proc("b"), 9|0x80))

	want := &Lifetime{
		ID: s.proc("b").id, Parent: s.proc("a").id, Root: s.proc("a").id,
		Context:    SpanContext{testIDs.TraceID(s.proc("a").id), testIDs.SpanID(s.proc("b").id)},
		ParentSpan: testIDs.SpanID(s.proc("a").id),
		ParentPID:  s.proc("a").id.PID,
		Start:      s.proc("b").execs[0].at, End: s.proc("b").end, Comm: "run",
		Image: Image{
			Filename: "./run", Executable: "/usr/bin/python3", WorkingDirectory: "/srv",
			Args: "python3\x00./run\x00--fast", ArgsCount: 3, ArgsCut: true, PathCut: true,
		},
		Status: 9 | 0x80,
	}
	if got := facts(s.got[1]); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
	}
}

func TestTableReexec(t *testing.T) {
	s := newStory(t, roomy)
	s.run("init", "parent")
	s.fork("parent", "a")
	s.execFile("a", "/bin/sh")
	first := s.last
	s.execFile("a", "/bin/env")
	second := s.last
	s.exit("parent")
	s.execFile("a", "/bin/make")
	third := s.last
	s.exit("a")

	if len(s.got) != 2 {
		t.Fatalf("%d lifetimes, want those of parent and a", len(s.got))
	}
	got := s.got[1]
	want := []Reexec{
		{At: second.At, From: "/bin/sh", To: second.Image},
		{At: third.At, From: "/bin/env", To: third.Image},
	}
	if !reflect.DeepEqual(got.Reexecs, want) {
		t.Errorf("re-execs\n\t%+v\nwant\n\t%+v", got.Reexecs, want)
	}
	if got.Start != first.At {
		t.Errorf("start %d, want that of the first exec, %d", got.Start, first.At)
	}
	if got.Image != third.Image {
		t.Errorf("image %+v, want the last, %+v", got.Image, third.Image)
	}
	if got.ParentPID != 1 {
		t.Errorf("parent pid %d, want that of the parent at the last exec, 1", got.ParentPID)
	}
}

func TestTableDropsReexecs(t *testing.T) {
	for _, tc := range []struct{ execs, kept, dropped int }{
		{1, 0, 0},
		{2, 1, 0},
		{129, 128, 0},
		{130, 128, 1},
		{1000, 128, 871},
	} {
		t.Run(strconv.Itoa(tc.execs), func(t *testing.T) {
			s := newStory(t, roomy)
			s.fork("init", "a")
			for i := range tc.execs {
				s.execFile("a", "/bin/"+strconv.Itoa(i))
			}
			s.exit("a")
			got := s.got[0]
			if len(got.Reexecs) != tc.kept || got.ReexecsDropped != tc.dropped {
				t.Errorf("%d kept, %d dropped; want %d and %d", len(got.Reexecs), got.ReexecsDropped, tc.kept, tc.dropped)
			}
			if want := strconv.Itoa(tc.execs - 1); got.Name() != want {
				t.Errorf("name %q, want that of the last exec, %q", got.Name(), want)
			}
			for i, r := range got.Reexecs {
				if r.From != "/bin/"+strconv.Itoa(i) || r.To.Executable != "/bin/"+strconv.Itoa(i+1) {
					t.Fatalf("re-exec %d is from %s to %s", i, r.From, r.To.Executable)
				}
			}
		})
	}
}

// Who killed a process is told by what it ran when it sent the signal, where that
// is known.
func TestTableKnowsTheKiller(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill func(s *story) // and what goes on until the end
		want string
	}{
		{"nobody", func(*story) {}, ""},
		{"another", func(s *story) { s.strike("killer") }, "/bin/killer"},
		{"itself", func(s *story) { s.strike("a") }, "/bin/a"},
		{"one that has ended", func(s *story) { s.strike("killer"); s.exit("killer") }, "/bin/killer"},
		{"one that ended, and its pid is used again", func(s *story) {
			s.strike("killer")
			s.exit("killer")
			s.forkAs("init", "again", s.proc("killer").id.PID)
			s.exec("again")
		}, "/bin/killer"},
		{"one that ended before another of its place", func(s *story) {
			s.strike("killer")
			s.exit("killer")
			s.forkAs("init", "later", s.proc("killer").id.PID+uint32(len(s.table.ended)))
			s.exec("later")
			s.exit("later")
		}, ""},
		{"one whose exit was lost", func(s *story) {
			s.strike("killer")
			s.lose(func() { s.exit("killer") })
			s.forkAs("init", "again", s.proc("killer").id.PID)
		}, "/bin/killer"},
		{"one that runs something else by now", func(s *story) { s.strike("killer"); s.execFile("killer", "/bin/other") }, "/bin/killer"},
		{"one that ran two others since", func(s *story) {
			s.strike("killer")
			s.execFile("killer", "/bin/other")
			s.execFile("killer", "/bin/third")
		}, ""},
		{"a fork that became another program, and ended", func(s *story) {
			s.fork("killer", "subshell")
			s.strike("subshell")
			s.exec("subshell")
			s.exit("subshell")
		}, "/bin/killer"},
		{"one of which another exec was lost since", func(s *story) {
			s.strike("killer")
			s.lose(func() { s.execFile("killer", "/bin/other") })
			s.execFile("killer", "/bin/third")
		}, ""},
		{"one that had run something else", func(s *story) { s.execFile("killer", "/bin/other"); s.strike("killer") }, "/bin/other"},
		{"a fork that runs what its parent does", func(s *story) {
			s.fork("killer", "subshell")
			s.strike("subshell")
			s.exit("subshell")
		}, "/bin/killer"},
		{"one whose exec was lost", func(s *story) {
			s.fork("init", "deaf")
			s.lose(func() { s.exec("deaf") })
			s.strike("deaf")
		}, ""},
		{"the fork of one whose exec was lost", func(s *story) {
			s.lose(func() { s.execFile("killer", "/bin/other") })
			s.fork("killer", "subshell")
			s.strike("subshell")
		}, ""},
		{"one that was there before", func(s *story) {
			s.lose(func() { s.fork("killer", "older") })
			s.adopt("older")
			s.strike("older")
		}, "/bin/killer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, roomy)
			s.run("init", "killer")
			s.run("init", "a")
			tc.kill(s)
			s.table = replaced(t, s.table)
			s.hear(s.k.exit(s.proc("a"), 9))
			want := s.proc("a").struck
			want.Executable = tc.want
			if got := s.got[len(s.got)-1].Killer; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
