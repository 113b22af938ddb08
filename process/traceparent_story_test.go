package process

import (
	"encoding/hex"
	"testing"
)

var joining = Policy{Session: true, Cgroup: true, Job: true, Extract: testExtract}

func TestTraceparent(t *testing.T) {
	tellAll(t, []placing{
		{name: "of a process that nobody started", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.run("a", "b")
			s.exit("b", "a")
		}, want: []string{"b in r under a", "a in r under remote s"}},
		{name: "not looked for", policy: everyBoundary, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.exit("a")
		}, want: []string{"a in a"}},
		{name: "a new one, with a link to the ancestor", policy: joining, tell: func(s *story) {
			s.run("init", "agent")
			s.runWith("agent", "a", "r-s-1")
			s.run("a", "b")
			s.exit("b", "a", "agent")
		}, want: []string{"b in r under a", "a in r under remote s linked to agent:agent, traceparent", "agent in agent"}},
		{name: "the same for two: they share the trace", policy: joining, tell: func(s *story) {
			s.run("init", "agent")
			s.runWith("agent", "a", "r-s-1")
			s.exit("a")
			s.runWith("agent", "b", "r-z-1")
			s.exit("b", "agent")
		}, want: []string{
			"a in r under remote s linked to agent:agent, traceparent",
			"b in r under remote z linked to agent:agent, traceparent", "agent in agent",
		}},
		{name: "another span of the same trace: no link", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.runWith("a", "b", "r-z-1")
			s.exit("b", "a")
		}, want: []string{"b in r under remote z", "a in r under remote s"}},
		{name: "it counts before every other boundary", policy: joining, tell: func(s *story) {
			s.shell("init", "sh")
			s.fork("sh", "a")
			s.setsid("a")
			s.cgroup("a", 7, 7)
			s.setenv("a", "TRACEPARENT=r-s-1", "TRACESTATE=k=v")
			s.exec("a")
			s.run("a", "b")
			s.exit("b", "a", "sh")
		}, want: []string{"b in r under a, state k=v", "a in r under remote s linked to sh:sh, traceparent, state k=v", "sh in sh"}},
		{name: "unchanged: other boundaries count", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "b")
			s.setsid("b")
			s.exec("b")
			s.exit("b", "a")
		}, want: []string{"b in b linked to r:a, session", "a in r under remote s"}},
		{name: "through a subshell", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "subshell")
			s.run("subshell", "b")
			s.exit("b", "subshell", "a")
		}, want: []string{"b in r under a", "a in r under remote s"}},
		{name: "taken away, and given back", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "b")
			s.setenv("b")
			s.exec("b")
			s.runWith("b", "c", "r-s-1")
			s.exit("c", "b", "a")
		}, want: []string{"c in r under remote s", "b in r under a", "a in r under remote s"}},
		{name: "not readable: by process", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "b")
			s.hear(s.k.exec(s.proc("b"), Image{Filename: "/bin/b", EnvironmentCut: true}))
			s.exit("b", "a")
		}, want: []string{"b in r under a", "a in r under remote s"}},
		{name: "not valid: counted once where it is new, and ignored", policy: joining, tell: func(s *story) {
			s.run("init", "a")
			s.runWith("a", "b", "nonsense")
			s.run("b", "c")
			s.exec("b")
			s.exit("c", "b", "a")
		}, want: []string{"c in a under b", "b in a under a", "a in a"}, stats: Stats{BadTraceparent: 1}},
		{name: "not valid, of a later exec: counted once", policy: joining, tell: func(s *story) {
			s.run("init", "a")
			s.setenv("a", "TRACEPARENT=nonsense")
			s.exec("a")
			s.exec("a")
			s.run("a", "b")
			s.exit("b", "a")
		}, want: []string{"b in a under a", "a in a"}, stats: Stats{BadTraceparent: 1}},
		{name: "told otherwise than by the environment", policy: joining, tell: func(s *story) {
			s.lose(func() { s.fork("init", "cmd") })
			living := s.k.snapshot(s.proc("cmd"))
			living.Remote, _ = testExtract("r-s-1", "")
			s.table.Adopt([]Living{living})
			s.setenv("cmd", "TRACEPARENT="+ownTraceparent(s.proc("cmd")))
			s.exec("cmd")
			s.run("cmd", "child")
			s.exit("child", "cmd")
		}, want: []string{"child in r under cmd", "cmd in r under remote s"}},
		{name: "told otherwise, and the fork still in the ring", policy: joining, tell: func(s *story) {
			s.lose(func() { s.fork("init", "cmd") })
			fork := s.last
			living := s.k.snapshot(s.proc("cmd"))
			living.Remote, _ = testExtract("r-s-1", "")
			s.table.Adopt([]Living{living})
			s.hear(fork)
			s.exec("cmd")
			s.exit("cmd")
		}, want: []string{"cmd in r under remote s"}},
	})
}

func TestTraceparentNamesTheProcessItself(t *testing.T) {
	own := func(s *story, name string) {
		s.t.Helper()
		s.setenv(name, "TRACEPARENT="+ownTraceparent(s.proc(name)))
	}
	tellAll(t, []placing{
		{name: "of a process that nobody started", policy: joining, tell: func(s *story) {
			s.fork("init", "cmd")
			own(s, "cmd")
			s.exec("cmd")
			s.run("cmd", "child")
			s.exit("child", "cmd")
		}, want: []string{"child in cmd under cmd", "cmd in cmd"}},
		{name: "below a span", policy: joining, tell: func(s *story) {
			s.run("init", "procspan")
			s.fork("procspan", "cmd")
			own(s, "cmd")
			s.exec("cmd")
			s.run("cmd", "child")
			s.exit("child", "cmd", "procspan")
		}, want: []string{"child in cmd under cmd", "cmd in cmd linked to procspan:procspan, traceparent", "procspan in procspan"}},
		{name: "in the trace of its ancestor: by process", policy: joining, tell: func(s *story) {
			s.runWith("init", "procspan", "r-s-1")
			s.fork("procspan", "cmd")
			s.setenv("cmd", "TRACEPARENT=r-"+spanHex(s.proc("cmd"))+"-1")
			s.exec("cmd")
			s.run("cmd", "child")
			s.exit("child", "cmd", "procspan")
		}, want: []string{"child in r under cmd", "cmd in r under procspan", "procspan in r under remote s"}},
		{name: "at a later exec: nothing new to its children", policy: joining, tell: func(s *story) {
			s.run("init", "a")
			own(s, "a")
			s.exec("a")
			s.run("a", "b")
			s.exit("b", "a")
		}, want: []string{"b in a under a", "a in a"}},
		{name: "as well as a child that joins later, from outside", policy: joining, tell: func(s *story) {
			s.fork("init", "cmd")
			own(s, "cmd")
			s.exec("cmd")
			s.runWith("init", "other", ownTraceparent(s.proc("cmd")))
			s.exit("other", "cmd")
		}, want: []string{"other in cmd under remote cmd", "cmd in cmd"}},
	})
}

func TestReexecWithTraceparent(t *testing.T) {
	env := func(s *story, name, traceparent string) {
		s.t.Helper()
		s.setenv(name, "TRACEPARENT="+traceparent)
		s.exec(name)
	}
	tellAll(t, []placing{
		{name: "env TRACEPARENT=… make", policy: joining, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "make")
			env(s, "make", "r-s-1")
			s.run("make", "cc")
			s.exit("cc", "make", "sh")
		}, want: []string{"cc in r under make", "make in r under remote s linked to sh:sh, traceparent", "sh in sh"}},
		{name: "of a process that nobody started", policy: joining, tell: func(s *story) {
			s.run("init", "make")
			env(s, "make", "r-s-1")
			s.exit("make")
		}, want: []string{"make in r under remote s"}},
		{name: "twice", policy: joining, tell: func(s *story) {
			s.runWith("init", "make", "q-s-1")
			env(s, "make", "r-s-1")
			s.run("make", "cc")
			s.exit("cc", "make")
		}, want: []string{"cc in r under make", "make in r under remote s"}},
		{name: "with others on it, it stays, and they join", policy: joining, tell: func(s *story) {
			s.run("init", "make")
			s.run("make", "early")
			env(s, "make", "r-s-1")
			s.run("make", "late")
			s.exit("early", "late", "make")
		}, want: []string{"early in make under make", "late in r under remote s linked to make:make, traceparent", "make in make"}},
		{name: "a child that executed nothing yet comes along", policy: joining, tell: func(s *story) {
			s.run("init", "make")
			s.fork("make", "child")
			env(s, "make", "r-s-1")
			s.exec("child")
			s.exit("child", "make")
		}, want: []string{"child in r under make", "make in r under remote s"}},
		{name: "as the ancestor has it", policy: joining, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "b")
			s.setenv("b")
			s.exec("b")
			env(s, "b", "r-s-1")
			s.exit("b", "a")
		}, want: []string{"b in r under a", "a in r under remote s"}},
		{name: "the first of a pipeline goes, the others keep the trace", policy: joining, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "make")
			s.command("sh", "make", "tee")
			env(s, "make", "r-s-1")
			s.command("sh", "make", "grep")
			s.exit("make", "tee", "grep", "sh")
		}, want: []string{
			"make in r under remote s linked to sh:sh, traceparent",
			"tee in make linked to sh:sh, job", "grep in make linked to sh:sh, job", "sh in sh",
		}},
		{
			name:   "into a full trace: it stays, and its children go on where that does",
			policy: Policy{Job: true, Extract: testExtract, MaxSpans: 1},
			tell: func(s *story) {
				s.runWith("init", "full", "r-s-1")
				s.shell("init", "sh")
				s.command("sh", "make")
				env(s, "make", "r-z-1")
				s.run("make", "cc")
				s.exit("cc", "make", "full", "sh")
			}, want: []string{
				"cc in cc linked to r:z, cap", "make in make linked to sh:sh, job",
				"full in r under remote s", "sh in sh",
			},
		},
	})
}

func spanHex(p *proc) string { id := testIDs.SpanID(p.id); return hex.EncodeToString(id[:]) }
