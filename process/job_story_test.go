package process

import "testing"

func TestJobs(t *testing.T) {
	tellAll(t, []placing{
		{name: "each command line is a trace", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.run("a", "child")
			s.exit("child", "a")
			s.command("sh", "b")
			s.exit("b", "sh")
		}, want: []string{"child in a under a", "a in a linked to sh:sh, job", "b in b linked to sh:sh, job", "sh in sh"}},
		{name: "a pipeline is one trace", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.command("sh", "a", "b")
			s.command("sh", "a", "c")
			s.exit("a", "b", "c", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "b in a linked to sh:sh, job", "c in a linked to sh:sh, job", "sh in sh"}},
		{name: "a pipeline whose leader ends before the last execs", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.command("sh", "a", "b")
			s.fork("sh", "c")
			s.job("a", "c")
			s.exit("a", "b")
			s.exec("c")
			s.exit("c", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "b in a linked to sh:sh, job", "c in a linked to sh:sh, job", "sh in sh"}},
		{name: "a pipeline whose first two exec at once, told in the other order than that of their times", policy: Policy{Job: true, LongLived: true, LongLivedAfter: 100}, tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "a")
			s.job("a")
			s.fork("sh", "b")
			s.job("a", "b")
			second := s.k.exec(s.proc("b"), Image{Filename: "/bin/b"})
			first := s.k.exec(s.proc("a"), Image{Filename: "/bin/a"})
			s.hear(first)
			s.hear(second)
			s.exit("a", "b", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "b in a linked to sh:sh, job", "sh in sh"}},
		{name: "a pipeline whose leader never execs", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "builtin")
			s.job("builtin")
			s.command("sh", "builtin", "b")
			s.exit("builtin")
			s.command("sh", "builtin", "c")
			s.exit("b", "c", "sh")
		}, want: []string{"b in b linked to sh:sh, job", "c in b linked to sh:sh, job", "sh in sh"}},
		{name: "a pipeline whose first is left out", policy: Policy{Job: true, MinDuration: 100}, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.exit("a")
			s.command("sh", "a", "b")
			s.command("sh", "a", "c")
			s.wait(100)
			s.exit("b", "c", "sh")
		}, want: []string{"b in b linked to sh:sh, job", "c in b linked to sh:sh, job", "sh in sh, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "a subshell in the background", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "subshell")
			s.job("subshell")
			s.run("subshell", "a")
			s.exit("a")
			s.run("sh", "substitution")
			s.run("subshell", "b")
			s.exit("b", "subshell", "substitution", "sh")
		}, want: []string{
			"a in a linked to sh:sh, job", "b in a linked to sh:sh, job",
			"substitution in sh under sh", "sh in sh",
		}},
		{name: "the group's id used again by a later job of the same shell", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.forkAs("sh", "a", 77)
			s.job("a")
			s.exec("a")
			s.exit("a")
			s.forkAs("sh", "b", 77)
			s.job("b")
			s.exec("b")
			s.command("sh", "b", "c")
			s.exit("b", "c", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "b in b linked to sh:sh, job", "c in b linked to sh:sh, job", "sh in sh"}},
		{name: "without a terminal there are none", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "make")
			s.command("make", "a")
			s.command("make", "b")
			s.exit("a", "b", "make")
		}, want: []string{"a in make under make", "b in make under make", "make in make"}},
		{name: "a nested interactive shell", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "outer")
			s.command("outer", "inner")
			s.command("inner", "a")
			s.command("inner", "a", "b")
			s.run("inner", "prompt")
			s.exit("a", "b", "prompt", "inner", "outer")
		}, want: []string{
			"a in a linked to inner:inner, job", "b in a linked to inner:inner, job", "prompt in inner under inner",
			"inner in inner linked to outer:outer, job", "outer in outer",
		}},
		{name: "switched off", policy: Policy{Session: true, Cgroup: true}, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.exit("a", "sh")
		}, want: []string{"a in sh under sh", "sh in sh"}},
		{name: "a program that makes a group of its own later", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.run("sh", "a")
			s.job("a")
			s.run("a", "b")
			s.exit("b", "a", "sh")
		}, want: []string{"b in sh under a", "a in sh under sh", "sh in sh"}},
		{name: "a lost exec of a subshell's child", policy: everyBoundary, tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "subshell")
			s.job("subshell")
			s.fork("subshell", "a")
			s.lose(func() { s.exec("a") })
			s.exit("a", "subshell", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "sh in sh"}},
	})
}
