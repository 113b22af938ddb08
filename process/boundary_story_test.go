package process

import (
	"testing"
	"time"
)

var everyBoundary = Policy{Session: true, Cgroup: true, Job: true}

func TestBoundaries(t *testing.T) {
	tellAll(t, []placing{
		{name: "none: one tree is one trace", tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "a")
			s.setsid("a")
			s.cgroup("a", 7, 7)
			s.exec("a")
			s.wait(1 << 62)
			s.run("a", "b")
			s.exit("b", "a", "sh")
		}, want: []string{"b in sh under a", "a in sh under sh", "sh in sh"}},

		{name: "session: fork, setsid, exec, as cron does", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "job")
			s.setsid("job")
			s.exec("job")
			s.run("job", "child")
			s.exit("child", "job", "cron")
		}, want: []string{"child in job under job", "job in job linked to cron:cron, session", "cron in cron"}},
		{name: "session: of an intermediate, its children share the trace", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "middle")
			s.setsid("middle")
			s.run("middle", "a")
			s.exit("a")
			s.run("middle", "b")
			s.exit("b", "middle", "cron")
		}, want: []string{"a in a linked to cron:cron, session", "b in a linked to cron:cron, session", "cron in cron"}},
		{name: "session: of an intermediate that ends, as a daemon does", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "top")
			s.fork("top", "middle")
			s.setsid("middle")
			s.fork("middle", "daemon")
			s.exit("middle")
			s.exec("daemon")
			s.run("daemon", "child")
			s.exit("child", "daemon", "top")
		}, want: []string{"child in daemon under daemon", "daemon in daemon linked to top:top, session", "top in top"}},
		{name: "session: two intermediates have one each", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "x")
			s.setsid("x")
			s.fork("cron", "y")
			s.setsid("y")
			s.run("x", "a")
			s.run("y", "b")
			s.exit("a", "b", "x", "y", "cron")
		}, want: []string{"a in a linked to cron:cron, session", "b in b linked to cron:cron, session", "cron in cron"}},
		{name: "session: setsid after the exec is none for later children", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "top")
			s.run("top", "a")
			s.run("a", "early")
			s.setsid("a")
			s.cgroup("a", 9, 9)
			s.run("a", "late")
			s.exit("early", "late", "a", "top")
		}, want: []string{"early in top under a", "late in top under a", "a in top under top", "top in top"}},
		{name: "session: of setsid in place, and an exec whose fork was lost", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "a")
			s.setsid("a")
			s.run("a", "b")
			s.lose(func() { s.fork("a", "c") })
			s.exec("c")
			s.exit("b", "c", "a")
		}, want: []string{"b in a under a", "c in a under a", "a in a"}},
		{name: "session: switched off", policy: Policy{Cgroup: true, Job: true}, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "job")
			s.setsid("job")
			s.exec("job")
			s.exit("job", "cron")
		}, want: []string{"job in cron under cron", "cron in cron"}},
		{name: "session: the pid of a leader that ended, used again", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "cron")
			s.forkAs("cron", "x", 77)
			s.setsid("x")
			s.run("x", "a")
			s.exit("a", "x")
			s.forkAs("cron", "y", 77)
			s.setsid("y")
			s.run("y", "b")
			s.exit("b", "y", "cron")
		}, want: []string{"a in a linked to cron:cron, session", "b in b linked to cron:cron, session", "cron in cron"}},

		{name: "cgroup: v2", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "shim")
			s.fork("shim", "a")
			s.cgroup("a", 7, 0)
			s.exec("a")
			s.run("shim", "b")
			s.exit("a", "b", "shim")
		}, want: []string{"a in a linked to shim:shim, cgroup", "b in shim under shim", "shim in shim"}},
		{name: "cgroup: v1 only", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "shim")
			s.fork("shim", "a")
			s.cgroup("a", 0, 7)
			s.exec("a")
			s.exit("a", "shim")
		}, want: []string{"a in a linked to shim:shim, cgroup", "shim in shim"}},
		{name: "cgroup: two that are in it at once share a trace, a later one does not", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "shim")
			for _, name := range []string{"a", "b"} {
				s.fork("shim", name)
				s.cgroup(name, 7, 7)
				s.exec(name)
			}
			s.exit("a", "b")
			s.fork("shim", "c")
			s.cgroup("c", 7, 7)
			s.exec("c")
			s.exit("c", "shim")
		}, want: []string{
			"a in a linked to shim:shim, cgroup", "b in a linked to shim:shim, cgroup",
			"c in c linked to shim:shim, cgroup", "shim in shim",
		}},
		{name: "cgroup: with a session, that counts", policy: everyBoundary, tell: func(s *story) {
			s.run("init", "top")
			s.fork("top", "a")
			s.cgroup("a", 7, 7)
			s.setsid("a")
			s.exec("a")
			s.exit("a", "top")
		}, want: []string{"a in a linked to top:top, session", "top in top"}},
		{name: "cgroup: switched off", policy: Policy{Session: true, Job: true}, tell: func(s *story) {
			s.run("init", "top")
			s.fork("top", "a")
			s.cgroup("a", 7, 7)
			s.exec("a")
			s.exit("a", "top")
		}, want: []string{"a in top under top", "top in top"}},

		{name: "long_lived: a parent that lives", policy: Policy{LongLived: true, LongLivedAfter: 100}, tell: func(s *story) {
			s.run("init", "server")
			s.run("server", "early")
			s.wait(100)
			s.run("server", "a")
			s.run("a", "child")
			s.run("server", "b")
			s.exit("early", "child", "a", "b", "server")
		}, want: []string{
			"early in server under server", "child in a under a", "a in a linked to server:server, long_lived",
			"b in b linked to server:server, long_lived", "server in server",
		}},
		{name: "long_lived: a parent that has ended", policy: Policy{LongLived: true, LongLivedAfter: 100}, tell: func(s *story) {
			s.run("init", "server")
			s.fork("server", "a")
			s.wait(100)
			s.exit("server")
			s.exec("a")
			s.exit("a")
		}, want: []string{"server in server", "a in server under server"}},
		{name: "long_lived: not yet, by a nanosecond", policy: Policy{LongLived: true, LongLivedAfter: 100 * time.Nanosecond}, tell: func(s *story) {
			s.run("init", "server")
			s.fork("server", "a")
			s.k.now = s.proc("server").execs[0].at + 98
			s.exec("a")
			s.fork("server", "b")
			s.k.now = s.proc("server").execs[0].at + 99
			s.exec("b")
			s.exit("a", "b", "server")
		}, want: []string{"a in server under server", "b in b linked to server:server, long_lived", "server in server"}},
		{name: "long_lived: with a session, that counts", policy: Policy{Session: true, LongLived: true, LongLivedAfter: 100}, tell: func(s *story) {
			s.run("init", "cron")
			s.wait(100)
			s.fork("cron", "a")
			s.setsid("a")
			s.exec("a")
			s.exit("a", "cron")
		}, want: []string{"a in a linked to cron:cron, session", "cron in cron"}},

		{name: "pid 1 is nobody's up", policy: everyBoundary, tell: func(s *story) {
			s.adopt("init")
			s.run("init", "a")
			s.fork("init", "worker")
			s.run("worker", "b")
			s.exit("a", "b", "worker")
		}, want: []string{"a in a", "b in b"}},
	})
}

func TestBoundariesBetweenTheAdopted(t *testing.T) {
	tellAll(t, []placing{
		{name: "placed by the parents of now", policy: everyBoundary, tell: func(s *story) {
			s.lose(func() {
				s.run("init", "cron")
				s.fork("cron", "job")
				s.setsid("job")
				s.exec("job")
				s.run("job", "child")
				s.run("cron", "middle")
				s.run("middle", "orphan")
				s.exit("middle")
			})
			s.adopt("init", "child", "orphan", "job", "cron")
			s.exit("child", "job", "orphan", "cron")
		}, want: []string{"child in job under job", "job in job linked to cron:cron, session", "orphan in orphan", "cron in cron"}},
		{name: "a pipeline", policy: everyBoundary, tell: func(s *story) {
			s.lose(func() {
				s.shell("init", "sh")
				s.command("sh", "a")
				s.command("sh", "a", "b")
				s.exit("a")
			})
			s.adopt("b", "sh", "init")
			s.command("sh", "a", "c")
			s.command("sh", "d")
			s.exit("b", "c", "d", "sh")
		}, want: []string{"b in b linked to sh:sh, job", "c in b linked to sh:sh, job", "d in d linked to sh:sh, job", "sh in sh"}},
		{name: "a subshell that has executed nothing", policy: everyBoundary, tell: func(s *story) {
			s.lose(func() {
				s.shell("init", "sh")
				s.fork("sh", "subshell")
				s.job("subshell")
				s.run("subshell", "a")
			})
			s.adopt("init", "sh", "subshell", "a")
			s.run("subshell", "b")
			s.exit("a", "b", "subshell", "sh")
		}, want: []string{"a in a linked to sh:sh, job", "b in a linked to sh:sh, job", "sh in sh"}},
	})
}
