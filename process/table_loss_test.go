package process

import (
	"slices"
	"strings"
	"testing"
)

// What a table makes of a history with holes: records lost on the way, pids
// used again, processes older than the agent.
func TestTableWithHoles(t *testing.T) {
	for _, tc := range []struct {
		name      string
		tell      func(s *story)
		want      []string
		estimated uint64
	}{
		{"lost fork: the parent at the exec", func(s *story) {
			s.run("init", "a")
			s.lose(func() { s.fork("a", "b") })
			s.exec("b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a"}, 0},
		{"lost fork of a subshell: its parent is not known", func(s *story) {
			s.run("init", "a")
			s.lose(func() { s.fork("a", "sub") })
			s.run("sub", "b")
			s.exit("b", "sub", "a")
		}, []string{"b under - in b", "a under - in a"}, 0},
		{"lost exec", func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.lose(func() { s.exec("b") })
			s.exit("b", "a")
		}, []string{"b under a in a, start estimated", "a under - in a"}, 0},
		{"lost exec: its children are its parent's", func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.lose(func() { s.exec("b") })
			s.run("b", "c")
			s.exit("c", "b", "a")
		}, []string{"c under a in a", "b under a in a, start estimated", "a under - in a"}, 0},
		{"lost first exec of two", func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.lose(func() { s.exec("b") })
			s.exec("b")
			s.exit("b", "a")
		}, []string{"b under a in a, start estimated, 1 re-execs", "a under - in a"}, 0},
		{"nothing lost of a sibling", func(s *story) {
			s.run("init", "a")
			s.forkSibling("a", "b")
			s.exec("b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a"}, 0},
		{"lost first exec of a sibling", func(s *story) {
			s.run("init", "a")
			s.forkSibling("a", "b")
			s.lose(func() { s.exec("b") })
			s.exec("b")
			s.exit("b", "a")
		}, []string{"b under a in a, start estimated, 1 re-execs", "a under - in a"}, 0},
		{"lost fork and exec", func(s *story) {
			s.run("init", "a")
			s.lose(func() { s.run("a", "b") })
			s.exit("b", "a")
		}, []string{"b under a in a, start estimated", "a under - in a"}, 0},
		{"lost fork and first exec", func(s *story) {
			s.run("init", "a")
			s.lose(func() { s.run("a", "b") })
			s.exec("b")
			s.exit("b", "a")
		}, []string{"b under a in a, start estimated, 1 re-execs", "a under - in a"}, 0},
		{"lost everything but the exit of a fork without exec", func(s *story) {
			s.lose(func() { s.fork("init", "a") })
			s.exit("a")
		}, []string{}, 0},
		{"lost exit: nothing", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.lose(func() { s.exit("b") })
			s.exit("a")
		}, []string{"a under - in a"}, 0},

		{"pid used again", func(s *story) {
			s.run("init", "a")
			s.forkAs("a", "b", 7)
			s.exec("b")
			s.exit("b")
			s.forkAs("init", "c", 7)
			s.exec("c")
			s.exit("c", "a")
		}, []string{"b under a in a", "c under - in c", "a under - in a"}, 0},
		{"pid used again after a lost exit", func(s *story) {
			s.run("init", "a")
			s.forkAs("a", "b", 7)
			s.exec("b")
			s.lose(func() { s.exit("b") })
			s.forkAs("init", "c", 7)
			s.exec("c")
			s.exit("c", "a")
		}, []string{"b under a in a, end estimated", "c under - in c", "a under - in a"}, 1},
		{"pid used again after a lost exit, by a process whose fork was lost", func(s *story) {
			s.forkAs("init", "b", 7)
			s.exec("b")
			s.lose(func() { s.exit("b"); s.forkAs("init", "c", 7) })
			s.exec("c")
			s.exit("c")
		}, []string{"b under - in b, end estimated", "c under - in c"}, 1},
		{"pid used again after a lost exit, by a process of which only the exit is heard", func(s *story) {
			s.forkAs("init", "b", 7)
			s.exec("b")
			s.lose(func() { s.exit("b"); s.forkAs("init", "c", 7); s.exec("c") })
			s.exit("c") // b stands until a fork or exec takes its place
			s.forkAs("init", "d", 7)
			s.exit("d")
		}, []string{"c under - in c, start estimated", "b under - in b, end estimated"}, 1},
		{"a parent's pid used again is no parent", func(s *story) {
			s.forkAs("init", "old", 7)
			s.exec("old")
			s.lose(func() {
				s.exit("old")
				s.forkAs("init", "new", 7)
				s.exec("new")
				s.fork("new", "child")
			})
			s.exec("child") // its parent has the pid of old
			s.exit("child", "new")
			s.forkAs("init", "later", 7)
		}, []string{"child under - in child", "new under - in new, start estimated", "old under - in old, end estimated"}, 1},
		{"found to be gone after a lost exit", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.lose(func() { s.exit("b") })
			s.sweep("init", "a")
			s.exit("a")
		}, []string{"b under a in a, end estimated", "a under - in a"}, 1},
		{"found to be gone, and never executed a program", func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.lose(func() { s.exit("b") })
			s.sweep("init", "a")
			s.exit("a")
		}, []string{"a under - in a"}, 0},
		{"found to be gone, and its exit comes after all", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.lose(func() { s.exit("b") })
			exit := s.last
			s.sweep("init", "a")
			s.hear(exit)
			s.exit("a")
		}, []string{"b under a in a, end estimated", "a under - in a"}, 1},
		{"found to be alive after all that told of it was lost", func(s *story) {
			s.run("init", "a")
			s.lose(func() { s.run("a", "b") })
			s.sweep("init", "a", "b")
			s.run("b", "c")
			s.exit("c", "b", "a")
		}, []string{"c under b in a", "b under a in a, start estimated", "a under - in a"}, 0},

		{"adopted", func(s *story) {
			s.lose(func() { s.run("init", "a") })
			s.adopt("a")
			s.exit("a")
		}, []string{"a under - in a, start estimated"}, 0},
		{"adopted without exec", func(s *story) {
			s.lose(func() { s.fork("init", "a") })
			s.adopt("a")
			s.exit("a")
		}, []string{}, 0},
		{"the adopted are parents", func(s *story) {
			s.lose(func() { s.run("init", "a"); s.run("a", "b"); s.fork("b", "sub") })
			s.adopt("init", "a", "b", "sub")
			s.run("a", "c")
			s.run("sub", "d")
			s.run("d", "e")
			s.exit("e", "d", "c", "sub", "b", "a")
		}, []string{
			"e under d in a", "d under b in a", "c under a in a",
			"b under a in a, start estimated", "a under - in a, start estimated",
		}, 0},
		{"adopted, then its first exec", func(s *story) {
			s.lose(func() { s.fork("init", "a") })
			s.adopt("a")
			s.exec("a")
			s.run("a", "b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a"}, 0},
		{"adopted, then a later exec", func(s *story) {
			s.lose(func() { s.run("init", "a") })
			s.adopt("a")
			s.exec("a")
			s.run("a", "b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a, start estimated, 1 re-execs"}, 0},
		{"adopted, and its first exec still in the ring", func(s *story) {
			s.lose(func() { s.run("init", "a") })
			exec := s.last
			s.adopt("a")
			s.hear(exec)
			s.run("a", "b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a"}, 0},
		{"adopted, and all of it still in the ring", func(s *story) {
			var ring []Event
			s.lose(func() {
				s.run("init", "top")
				s.fork("top", "a")
				ring = append(ring, s.last)
				s.exec("a")
				ring = append(ring, s.last)
			})
			s.adopt("init", "top", "a")
			for _, ev := range ring {
				s.hear(ev)
			}
			s.exit("a", "top")
		}, []string{"a under top in top", "top under - in top, start estimated"}, 0},
		{"adopted under a parent that is in the ring: the fork event is right", func(s *story) {
			var ring []Event
			keep := func() { ring = append(ring, s.last) }
			s.lose(func() {
				s.fork("init", "a")
				keep()
				s.exec("a")
				keep()
				s.fork("a", "b")
				keep()
				s.exec("b")
				keep()
			})
			s.adopt("init", "b", "a")
			for _, ev := range ring {
				s.hear(ev)
			}
			s.exit("a", "b")
		}, []string{"a under - in a", "b under a in a"}, 0},
		{"adopted, and the last of its pid's predecessor still in the ring", func(s *story) {
			var ring []Event
			keep := func() { ring = append(ring, s.last) }
			s.lose(func() {
				s.forkAs("init", "old", 7)
				keep()
				s.exec("old")
				keep()
				s.exit("old")
				keep()
				s.forkAs("init", "new", 7)
				keep()
				s.exec("new")
				keep()
			})
			s.adopt("init", "new")
			for _, ev := range ring {
				s.hear(ev)
			}
			s.exit("new")
		}, []string{"old under - in old", "new under - in new"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, roomy)
			tc.tell(s)
			if got := s.lines(); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
			if got := s.table.Stats().Estimated; got != tc.estimated {
				t.Errorf("%d ends are estimated, want %d", got, tc.estimated)
			}
		})
	}
}

// With no exec seen there is no parent at the exec to tell of.
func TestParentPIDWithoutExec(t *testing.T) {
	s := newStory(t, roomy)
	s.run("init", "a")
	s.fork("a", "b")
	s.lose(func() { s.exec("b"); s.run("a", "c") })
	s.exit("a", "b", "c")
	got := map[string]uint32{}
	for _, l := range s.got {
		got[s.name(l.ID)] = l.ParentPID
	}
	if want := s.proc("a").id.PID; got["b"] != want {
		t.Errorf("parent pid of b is %d, want the parent at its fork, %d", got["b"], want)
	}
	if got["c"] != 1 {
		t.Errorf("parent pid of c is %d, want the parent at its exit, 1", got["c"])
	}
}

func TestEndIsNotBeforeStart(t *testing.T) {
	table := NewTable(roomy, Policy{}, testIDs)
	id := ID{10, 100}
	table.Apply(&Event{Kind: Fork, At: 101, ID: id})
	table.Apply(&Event{Kind: Exec, At: 105, ID: id, FirstExec: true})
	if l := table.Apply(&Event{Kind: Exit, At: 103, ID: id, Execed: true})[0]; l.Start != 105 || l.End != 105 {
		t.Errorf("from %d to %d, want 105 to 105", l.Start, l.End)
	}
}

func TestTableOfNothing(t *testing.T) {
	table := NewTable(roomy, Policy{}, testIDs)
	if l := table.Apply(&Event{Kind: 99, ID: ID{10, 100}, Execed: true}); len(l) > 0 {
		t.Errorf("an event of no kind gave %+v", l)
	}
	if got := table.Stats(); got != (Stats{}) {
		t.Errorf("stats %+v of a table that saw nothing", got)
	}
}
