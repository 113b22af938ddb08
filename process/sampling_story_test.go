package process

import "testing"

// onlyRemote samples no trace that begins here, and of others those that say so.
func onlyRemote(id TraceID, remote Remote) bool { return remote.Sampled }

func TestSampling(t *testing.T) {
	tellAll(t, []placing{
		{name: "holds for the whole tree", policy: Policy{Sample: onlyRemote}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.exit("b")
			s.fail("a")
		}, want: []string{}, stats: Stats{SampledOut: 2}},
		{name: "is decided once, and holds for what continues it", policy: Policy{Sample: once(), MaxSpans: 1}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.exit("c", "b", "a")
		}, want: []string{"c in c linked to b:b, cap", "b in b linked to a:a, cap", "a in a"}},
		{name: "a trace that is not, and continues", policy: Policy{Sample: onlyRemote, MaxSpans: 1}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.exit("c", "b", "a")
		}, want: []string{}, stats: Stats{SampledOut: 3}},
		{name: "each new trace has its own", policy: Policy{Sample: onlyRemote, Extract: testExtract, Session: true}, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.fork("a", "b")
			s.setsid("b")
			s.exec("b")
			s.runWith("b", "c", "r-z-1")
			s.runWith("a", "d", "q-z-0")
			s.exit("d", "c", "b", "a")
		}, want: []string{
			"c in r under remote z, traceparent", // b has no span to link to
			"a in r under remote s",
		}, stats: Stats{SampledOut: 2}},
		{name: "failed ones, each for itself", policy: Policy{Sample: onlyRemote, KeepErrors: true}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.run("b", "c")
			s.fail("c")
			s.exit("b")
			s.fail("a")
		}, want: []string{"c in c, sampling", "a in a, sampling"}, stats: Stats{SampledOut: 1}},
		{name: "failed ones of traces that are", policy: Policy{KeepErrors: true}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.fail("b", "a")
		}, want: []string{"b in a under a", "a in a"}},
		{name: "of a joined trace, by each remote parent", policy: Policy{Sample: onlyRemote, Extract: testExtract}, tell: func(s *story) {
			s.runWith("init", "a", "r-s-0")
			s.runWith("init", "b", "r-z-1")
			s.run("a", "c")
			s.run("b", "d")
			s.exit("d", "c", "b", "a")
		}, want: []string{"d in r under b", "b in r under remote z"}, stats: Stats{SampledOut: 2}},
		{name: "of a joined trace, after its last process", policy: Policy{Sample: onlyRemote, Extract: testExtract}, tell: func(s *story) {
			s.runWith("init", "a", "r-s-0")
			s.exit("a")
			s.runWith("init", "b", "r-s-1")
			s.exit("b")
		}, want: []string{"b in r under remote s"}, stats: Stats{SampledOut: 1}},
		{name: "inside the ancestor's trace, by the ancestor", policy: Policy{Sample: onlyRemote, Extract: testExtract}, tell: func(s *story) {
			s.runWith("init", "a", "r-s-1")
			s.runWith("a", "b", "r-z-0")
			s.exit("b", "a")
		}, want: []string{"b in r under remote z", "a in r under remote s"}},
		{name: "short ones are left out first", policy: Policy{Sample: onlyRemote, KeepErrors: true, MinDuration: 100}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.fail("b")
			s.wait(100)
			s.fail("a")
		}, want: []string{"a in a, sampling, 1 left out"}, stats: Stats{Filtered: 1}},
		{name: "short failed ones", policy: Policy{Sample: onlyRemote, KeepErrors: true, MinDuration: 100, KeepShortErrors: true}, tell: func(s *story) {
			s.run("init", "a")
			s.run("a", "b")
			s.fail("b")
			s.exit("a")
		}, want: []string{"b in b, sampling"}, stats: Stats{Filtered: 1}},
	})
}

// once samples the first trace that it is asked for.
func once() func(TraceID, Remote) bool {
	asked := false
	return func(TraceID, Remote) bool {
		first := !asked
		asked = true
		return first
	}
}
