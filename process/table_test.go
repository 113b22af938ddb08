package process

import (
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	for _, tc := range []struct {
		name string
		tell func(s *story)
		want []string
	}{
		{"fork, exec, exit", func(s *story) {
			s.run("init", "a")
			s.exit("a")
		}, []string{"a under - in a"}},
		{"fork without exec has no lifetime", func(s *story) {
			s.fork("init", "a")
			s.exit("a")
		}, []string{}},
		{"a child of a process that has a span", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.exit("b", "a")
		}, []string{"b under a in a", "a under - in a"}},
		{"siblings", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("a", "c")
			s.exit("c", "b", "a")
		}, []string{"c under a in a", "b under a in a", "a under - in a"}},
		{"a subshell is not a parent", func(s *story) {
			s.run("init", "shell")
			s.fork("shell", "subshell")
			s.run("subshell", "command")
			s.exit("command", "subshell", "shell")
		}, []string{"command under shell in shell", "shell under - in shell"}},
		{"a subshell of a subshell", func(s *story) {
			s.run("init", "top")
			s.run("top", "shell")
			s.fork("shell", "sub")
			s.fork("sub", "subsub")
			s.run("subsub", "command")
			s.exit("command", "subsub", "sub", "shell", "top")
		}, []string{"command under shell in top", "shell under top in top", "top under - in top"}},
		{"a subshell of nobody's begins no trace, its children do", func(s *story) {
			s.fork("init", "worker")
			s.run("worker", "a")
			s.run("worker", "b")
			s.exit("a", "b", "worker")
		}, []string{"a under - in a", "b under - in b"}},
		{"a parent that execs after the fork is none", func(s *story) {
			s.run("init", "shell")
			s.fork("shell", "sub")
			s.run("sub", "early")
			s.exec("sub")
			s.run("sub", "late")
			s.exit("early", "late", "sub", "shell")
		}, []string{
			"early under shell in shell", "late under sub in shell",
			"sub under shell in shell", "shell under - in shell",
		}},
		{"the exec between fork and exec of the child does not matter", func(s *story) {
			s.run("init", "shell")
			s.fork("shell", "sub")
			s.fork("sub", "command")
			s.exec("sub")
			s.exec("command")
			s.exit("command", "sub", "shell")
		}, []string{"command under shell in shell", "sub under shell in shell", "shell under - in shell"}},
		{"a re-exec of the parent changes no parent", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.exec("a")
			s.run("a", "c")
			s.exit("b", "c", "a")
		}, []string{"b under a in a", "c under a in a", "a under - in a, 1 re-execs"}},
		{"a double fork keeps its lineage", func(s *story) {
			s.run("init", "launcher")
			s.fork("launcher", "middle")
			s.fork("middle", "daemon")
			s.exit("middle")
			s.exec("daemon") // reparented: its parent pid is init's, its parent the launcher
			s.exit("launcher", "daemon")
		}, []string{"launcher under - in launcher", "daemon under launcher in launcher"}},
		{"the parent exits before the child execs", func(s *story) {
			s.run("init", "top")
			s.run("top", "a")
			s.fork("a", "b")
			s.exit("a", "top")
			s.exec("b")
			s.exit("b")
		}, []string{"a under top in top", "top under - in top", "b under a in top"}},
		{"the parent exits before the child's child is forked", func(s *story) {
			s.run("init", "a")
			s.fork("a", "sub")
			s.exit("a")
			s.run("sub", "b")
			s.exit("b", "sub")
		}, []string{"a under - in a", "b under a in a"}},
		{"a sibling by CLONE_PARENT is a child of its caller", func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.forkSibling("b", "c")
			s.exec("c") // the kernel's exec ids do not show this exec as the first
			if s.last.FirstExec {
				s.t.Error("the model shows the exec as the first; the case tests nothing")
			}
			s.exit("c", "b", "a")
		}, []string{"c under b in a", "b under a in a", "a under - in a"}},
		{"a second exit is no second lifetime", func(s *story) {
			s.run("init", "a")
			s.exit("a")
			s.hear(s.last)
		}, []string{"a under - in a"}},
		{"a second exit of an unknown process is no second lifetime", func(s *story) {
			s.lose(func() { s.run("init", "a") })
			s.exit("a")
			s.hear(s.last)
		}, []string{"a under - in a, start estimated"}},
		{"a second exit after the pid was used again", func(s *story) {
			s.run("init", "a")
			s.exit("a")
			again := s.last
			s.forkAs("init", "b", s.proc("a").id.PID)
			s.hear(again)
			s.exec("b")
			s.exit("b")
		}, []string{"a under - in a", "b under - in b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory(t, roomy)
			tc.tell(s)
			if got := s.lines(); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
			if stats := s.table.Stats(); stats.Ended != uint64(len(tc.want)) || stats.Living != 0 || stats.Evicted != 0 || stats.Estimated != 0 {
				t.Errorf("stats %+v, want %d ended and nothing else", stats, len(tc.want))
			}
		})
	}
}
