package process

import (
	"fmt"
	"testing"
)

func TestCaps(t *testing.T) {
	tellAll(t, []placing{
		{name: "a deep tree", policy: Policy{MaxSpans: 2}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.run("c", "d")
			s.run("d", "e")
			s.exit("e", "d", "c", "b", "a")
		}, want: []string{"e in e linked to c:d, cap", "d in c under c", "c in c linked to a:b, cap", "b in a under a", "a in a"}},
		{name: "the continuing trace is shared", policy: Policy{MaxSpans: 3}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("a", "c")
			s.run("a", "d")
			s.run("b", "e")
			s.run("d", "f")
			s.run("f", "g")
			s.exit("g", "f", "e", "d", "c", "b", "a")
		}, want: []string{
			"g in g linked to d:f, cap", "f in d under d", "e in d linked to a:b, cap", "d in d linked to a:a, cap",
			"c in a under a", "b in a under a", "a in a",
		}},
		{name: "ended spans count", policy: Policy{MaxSpans: 2}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.exit("b")
			s.run("a", "c")
			s.exit("c", "a")
		}, want: []string{"b in a under a", "c in c linked to a:a, cap", "a in a"}},
		{name: "of a group: linked to the ancestor as ever", policy: Policy{Job: true, MaxSpans: 2}, tell: func(s *story) {
			s.shell("init", "sh")
			s.command("sh", "a")
			s.command("sh", "a", "b")
			s.command("sh", "a", "c")
			s.run("a", "child")
			s.run("c", "grandchild")
			s.exit("grandchild", "child", "c", "b", "a", "sh")
		}, want: []string{
			"grandchild in grandchild linked to c:c, cap", "child in c linked to a:a, cap",
			"c in c linked to sh:sh, job", "b in a linked to sh:sh, job", "a in a linked to sh:sh, job", "sh in sh",
		}},
		{name: "of a joined trace: linked to the remote span", policy: Policy{Extract: testExtract, MaxSpans: 2}, tell: func(s *story) {
			s.run("init", "agent")
			s.runWith("agent", "a", "r-s-1")
			s.runWith("agent", "b", "r-s-1")
			s.runWith("agent", "c", "r-z-1")
			s.run("c", "d")
			s.run("a", "e")
			s.exit("e", "d", "c", "b", "a", "agent")
		}, want: []string{
			"e in e linked to r:a, cap", "d in c under c", "c in c linked to r:z, cap",
			"b in r under remote s linked to agent:agent, traceparent",
			"a in r under remote s linked to agent:agent, traceparent", "agent in agent",
		}},
		{name: "of a trace that was begun by its own name", policy: Policy{Extract: testExtract, MaxSpans: 1}, tell: func(s *story) {
			s.fork("init", "cmd")
			own := ownTraceparent(s.proc("cmd"))
			s.setenv("cmd", "TRACEPARENT="+own)
			s.exec("cmd")
			s.exit("cmd")
			s.runWith("init", "later", own)
			s.exit("later")
		}, want: []string{"cmd in cmd", "later in later linked to cmd:cmd, cap"}},
		{name: "max_age", policy: Policy{MaxAge: 100}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.wait(100)
			s.run("a", "c")
			s.run("b", "d")
			s.run("c", "e")
			s.wait(100)
			s.run("c", "f")
			s.run("a", "g")
			s.exit("g", "f", "e", "d", "c", "b", "a")
		}, want: []string{
			"g in f linked to a:a, cap", "f in f linked to c:c, cap", "e in c under c", "d in c linked to a:b, cap",
			"c in c linked to a:a, cap", "b in a under a", "a in a",
		}},
		{name: "what is left out makes room", policy: Policy{MaxSpans: 2, MinDuration: 100}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "short")
			s.exit("short")
			s.run("a", "b")
			s.run("a", "c")
			s.wait(100)
			s.exit("c", "b", "a")
		}, want: []string{"c in c linked to a:a, cap", "b in a under a", "a in a, 1 left out"}, stats: Stats{Filtered: 1}},
	})
}

// Many children of one parent fill one trace after the other.
func TestCapOfAWideTree(t *testing.T) {
	s := newStoryUnder(t, roomy, Policy{MaxSpans: 10})
	s.run("init", "parent")
	for i := range 25 {
		s.run("parent", fmt.Sprint(i))
	}
	for i := range 25 {
		s.exit(fmt.Sprint(i))
	}
	s.exit("parent")
	spans := map[string]int{}
	for i, l := range s.got {
		trace := s.traceName(l.Context.Trace)
		spans[trace]++
		if first := trace == "parent"; first != l.Link.IsZero() || (l.Boundary == BoundaryCap) == first {
			t.Errorf("%d: %+v", i, l)
		}
	}
	if n := s.table.Stats().Continued; n != 2 {
		t.Errorf("%d traces continue others, want 2", n)
	}
	if len(spans) != 3 || spans["parent"] != 10 || spans["9"] != 10 || spans["19"] != 6 {
		t.Errorf("spans by trace: %v", spans)
	}
}

// A trace that is joined by one process after the other, each alone, gets no
// more than its share, however many they are.
func TestCapOfATraceThatIsJoinedForever(t *testing.T) {
	const most, joins = maxIdle + 500, 3*maxIdle + 7
	policy := Policy{Extract: testExtract, MaxSpans: most}
	s := newStoryUnder(t, roomy, policy)
	for i := range joins {
		s.runWith("init", "step", "r-s-1")
		if i%100 == 0 {
			s.runWith("init", "other", fmt.Sprintf("x%d-s-1", i))
			s.exit("other")
		}
		s.exit("step")
	}
	spans := map[string]int{}
	for _, l := range s.got {
		spans[string(l.Context.Trace[:2])]++
	}
	if spans["r\x00"] != most {
		t.Errorf("%d spans in the joined trace, want %d", spans["r\x00"], most)
	}
}

// A full trace is remembered as long as it is asked for, and no longer than so
// many others are.
func TestJoinedTracesAreForgotten(t *testing.T) {
	s := newStoryUnder(t, roomy, Policy{Extract: testExtract, MaxSpans: 1})
	s.unchecked = true
	join := func(trace string) *Lifetime {
		s.runWith("init", "step", trace+"-s-1")
		s.exit("step")
		return s.got[len(s.got)-1]
	}
	join("full")
	for i := range 3 * maxIdle {
		join(fmt.Sprint("other", i))
		if i%(maxIdle/2) == 0 && join("full").Boundary != BoundaryCap {
			t.Fatalf("the full trace is forgotten after %d others, and was asked for", i)
		}
	}
	if n := len(s.table.traces); n != maxIdle {
		t.Errorf("%d traces are remembered, want %d", n, maxIdle)
	}
	for i := range maxIdle {
		join(fmt.Sprint("another", i))
	}
	check(t, s.table)
	if join("full").Boundary == BoundaryCap {
		t.Error("the full trace is not forgotten after so many others")
	}
}
