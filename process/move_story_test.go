package process

import "testing"

// Processes that move by themselves, and those that are long-lived without
// having a long-lived span.
func TestMoves(t *testing.T) {
	all := Policy{Session: true, Cgroup: true, Job: true, LongLived: true, LongLivedAfter: 100}
	tellAll(t, []placing{
		{name: "setsid, cgexec: into a session or cgroup, then another program", policy: all, tell: func(s *story) {
			s.run("init", "script")
			s.run("script", "a")
			s.setsid("a")
			s.exec("a")
			s.run("a", "child")
			s.run("script", "b")
			s.cgroup("b", 7, 7)
			s.exec("b")
			s.exit("child", "a", "b", "script")
		}, want: []string{
			"child in a under a", "a in a linked to script:script, session", "b in b linked to script:script, cgroup", "script in script",
		}},
		{name: "not when others hang on it already", policy: all, tell: func(s *story) {
			s.run("init", "script")
			s.run("script", "a")
			s.run("a", "child")
			s.setsid("a")
			s.exec("a")
			s.exit("child", "a", "script")
		}, want: []string{"child in script under a", "a in script under script", "script in script"}},
		{name: "not when nothing was executed since", policy: all, tell: func(s *story) {
			s.run("init", "script")
			s.run("script", "a")
			s.setsid("a")
			s.run("a", "child")
			s.exit("child", "a", "script")
		}, want: []string{"child in script under a", "a in script under script", "script in script"}},
		{name: "what an interactive shell runs in its own group is no part of its trace", policy: all, tell: func(s *story) {
			s.shell("init", "sh")
			s.run("sh", "early") // nobody can know yet
			s.command("sh", "a")
			s.run("sh", "prompt")
			s.run("prompt", "git")
			s.exit("early", "a", "git", "prompt", "sh")
		}, want: []string{
			"early in sh under sh", "a in a linked to sh:sh, job",
			"git in prompt under prompt", "prompt in prompt linked to sh:sh, long_lived", "sh in sh",
		}},
		{name: "a daemon without a program of its own", policy: all, tell: func(s *story) {
			s.run("init", "script")
			s.fork("script", "daemon")
			s.setsid("daemon")
			s.exit("script")
			s.run("daemon", "a")
			s.run("daemon", "b")
			s.wait(100)
			s.run("daemon", "c")
			s.run("daemon", "d")
			s.exit("a", "b", "c", "d", "daemon")
		}, want: []string{
			"script in script",
			"a in a linked to script:script, session", "b in a linked to script:script, session",
			"c in c linked to script:script, session", "d in d linked to script:script, session",
		}},
	})
}
