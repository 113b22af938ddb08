package process

import "testing"

var (
	short       = Policy{MinDuration: 100}
	shortFailed = Policy{MinDuration: 100, KeepShortErrors: true}
)

func TestMinDuration(t *testing.T) {
	tellAll(t, []placing{
		{name: "shorter ones are left out, and counted above", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.exit("b")
			s.run("a", "c")
			s.fail("c")
			s.wait(100)
			s.exit("a")
		}, want: []string{"a in a, 2 left out"}, stats: Stats{Filtered: 2}},
		{name: "by one nanosecond", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.run("init", "b")
			s.wait(95)
			s.exit("a") // 99 after its exec
			s.run("init", "c")
			s.wait(99)
			s.exit("c")
		}, want: []string{"c in c"}, stats: Stats{Filtered: 1}},
		{name: "longer descendants hang on the nearest that is kept", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.run("c", "d")
			s.exit("c", "b")
			s.wait(100)
			s.exit("d", "a")
		}, want: []string{"d in a under a", "a in a, 2 left out"}, stats: Stats{Filtered: 2}},
		{name: "a chain, left out from below", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.run("c", "d")
			s.exit("d", "c", "b")
			s.wait(100)
			s.exit("a")
		}, want: []string{"a in a, 3 left out"}, stats: Stats{Filtered: 3}},
		{name: "a chain, left out from above", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.run("c", "d")
			s.exit("b", "c", "d")
			s.wait(100)
			s.exit("a")
		}, want: []string{"a in a, 3 left out"}, stats: Stats{Filtered: 3}},
		{name: "under one that has ended, nobody counts", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.wait(100)
			s.run("a", "b")
			s.exit("a", "b")
		}, want: []string{"a in a"}, stats: Stats{Filtered: 1}},
		{name: "under one that was lost, the next counts for it", policy: short, tell: func(s *story) {
			s.run("init", "a")
			s.forkAs("a", "b", 77)
			s.exec("b")
			s.run("b", "c")
			s.exit("c")
			s.lose(func() { s.exit("b") })
			s.forkAs("a", "d", 77)
			s.wait(100)
			s.exit("a", "d")
		}, want: []string{"a in a, 2 left out"}, stats: Stats{Filtered: 2, Estimated: 1}},

		{name: "a failed one waits for what it hangs on: that is kept when it is old enough", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.fail("b")
			s.waits(1)
			s.wait(100)
			s.fork("init", "x") // tells the time
			s.waits(0)
			s.exit("x", "a")
		}, want: []string{"b in a under a", "a in a"}},
		{name: "as Advance tells", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.fail("b")
			s.advance(s.proc("a").execs[0].at + 99)
			s.waits(1)
			s.advance(s.proc("a").execs[0].at + 100)
			s.waits(0)
			s.exit("a") // promised is promised
		}, want: []string{"b in a under a", "a in a"}},
		{name: "that is left out", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.fail("c")
			s.exit("b")
			s.waits(1) // for a now
			s.exit("a")
			s.waits(0)
		}, want: []string{"c in a"}, stats: Stats{Filtered: 2}},
		{name: "that failed as well", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.fail("c", "b", "a")
		}, want: []string{"c in a under b", "b in a under a", "a in a"}},
		{name: "that ends before it", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.wait(100)
			s.run("a", "b")
			s.run("b", "c")
			s.exit("b")
			s.fail("c")
			s.waits(0)
			s.exit("a")
		}, want: []string{"c in a under a", "a in a, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "that is old enough: it does not wait", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.fork("a", "b")
			s.wait(90)
			s.exec("b")
			s.wait(10)
			s.fail("b")
			s.waits(0)
			s.exit("a")
		}, want: []string{"b in a under a", "a in a"}},
		{name: "Close: nothing hangs on what lives", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.run("c", "d")
			s.fail("d", "c")
			s.waits(1)
			s.got = append(s.got, s.table.Close()...)
			s.waits(0)
		}, want: []string{"d in a under c", "c in a"}},
		{name: "Close: under one that is old enough", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.wait(100)
			s.run("a", "b")
			s.run("b", "c")
			s.fail("c")
			s.waits(1)
			s.got = append(s.got, s.table.Close()...)
			s.waits(0)
		}, want: []string{"c in a under a"}},
		{name: "vanished, with one that waits", policy: shortFailed, tell: func(s *story) {
			s.run("init", "a")
			s.forkAs("a", "b", 77)
			s.exec("b")
			s.run("b", "c")
			s.fail("c")
			s.lose(func() { s.exit("b") })
			s.forkAs("a", "d", 77)
			s.waits(1) // for a
			s.exit("d")
			s.fail("a")
			s.waits(0)
		}, want: []string{"c in a under a", "a in a, 1 left out"}, stats: Stats{Filtered: 1, Estimated: 1}},
	})
}

func TestMinDurationAcrossTraces(t *testing.T) {
	policy := Policy{Session: true, Job: true, Extract: testExtract, MinDuration: 100, KeepShortErrors: true}
	capped := policy
	capped.MaxSpans = 2
	tellAll(t, []placing{
		{name: "the root of a session: what it had hangs outside, with a link", policy: policy, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "sh")
			s.setsid("sh")
			s.exec("sh")
			s.run("sh", "a")
			s.run("sh", "b")
			s.exit("sh")
			s.wait(100)
			s.exit("a", "b", "cron")
		}, want: []string{
			"a in sh linked to cron:cron, session", "b in sh linked to cron:cron, session", "cron in cron, 1 left out",
		}, stats: Stats{Filtered: 1}},
		{name: "the root of a joined trace: what it had hangs on the remote span", policy: policy, tell: func(s *story) {
			s.run("init", "agent")
			s.runWith("agent", "sh", "r-s-1")
			s.run("sh", "a")
			s.exit("sh")
			s.wait(100)
			s.exit("a", "agent")
		}, want: []string{"a in r under remote s linked to agent:agent, traceparent", "agent in agent, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "the root of a trace, and one that joined it by name: linked to what is above", policy: policy, tell: func(s *story) {
			s.run("init", "agent")
			s.runWith("agent", "sh", "r-s-1")
			s.runWith("sh", "a", "r-z-1")
			s.exit("sh")
			s.wait(100)
			s.exit("a", "agent")
		}, want: []string{"a in r under remote z linked to agent:agent, traceparent", "agent in agent, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "a session below one that is left out", policy: policy, tell: func(s *story) {
			s.run("init", "cron")
			s.run("cron", "sh")
			s.fork("sh", "a")
			s.setsid("a")
			s.exec("a")
			s.exit("sh")
			s.wait(100)
			s.exit("a", "cron")
		}, want: []string{"a in a linked to cron:cron, session", "cron in cron, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "a session below nothing that is kept", policy: policy, tell: func(s *story) {
			s.run("init", "sh")
			s.fork("sh", "a")
			s.setsid("a")
			s.exec("a")
			s.exit("sh")
			s.wait(100)
			s.exit("a")
		}, want: []string{"a in a, session"}, stats: Stats{Filtered: 1}},
		{name: "a full trace below one that is left out", policy: capped, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "sh")
			s.run("sh", "b")
			s.exit("sh")
			s.wait(100)
			s.exit("b", "a")
		}, want: []string{"b in b linked to a:a, cap", "a in a, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "a full joined trace below one that is left out: linked to its remote span", policy: capped, tell: func(s *story) {
			s.runWith("init", "x", "r-y-1")
			s.runWith("init", "sh", "r-s-1")
			s.run("sh", "a")
			s.exit("sh")
			s.wait(100)
			s.exit("a", "x")
		}, want: []string{"a in a linked to r:s, cap", "x in r under remote y"}, stats: Stats{Filtered: 1}},
		{name: "a link waits as a parent does", policy: policy, tell: func(s *story) {
			s.run("init", "cron")
			s.fork("cron", "a")
			s.setsid("a")
			s.exec("a")
			s.fail("a")
			s.waits(1)
			s.exit("cron")
		}, want: []string{"a in a, session"}, stats: Stats{Filtered: 1}},
	})
}

// The verbs of these stories.

func (s *story) advance(now Time) {
	s.t.Helper()
	s.k.now = max(s.k.now, now)
	s.got = append(s.got, s.table.Advance(now)...)
	check(s.t, s.table)
}

func (s *story) waits(want int) {
	s.t.Helper()
	if got := s.table.Stats().Deferred; got != want {
		s.t.Errorf("%d lifetimes wait, want %d", got, want)
	}
}
