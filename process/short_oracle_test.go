package process

import (
	"fmt"
	"testing"
	"time"
)

// kept says by the rules whether p, which has ended, has a span; only short
// ones have none.
func (p *proc) kept(policy *Policy) bool {
	if p.end.Sub(p.execs[0].at) >= policy.MinDuration {
		return true
	}
	return policy.KeepShortErrors && p.status.ExitCode() != 0
}

// Without boundaries, a span is under the nearest ancestor that is kept, and
// each that is left out counts on the nearest that is not left out when it ends.
func TestShortProcessesAgreeWithTheRules(t *testing.T) {
	ended, left := 0, 0
	for seed := range uint64(200) {
		h := wholeHistory(seed)
		policy := Policy{MinDuration: time.Duration(seed % 60), KeepShortErrors: seed&1 == 0}
		h.policy = policy
		out := h.place(t, true)
		want := map[ID]string{}
		below := map[*proc]int{}
		for _, p := range h.k.dead {
			if len(p.execs) == 0 {
				continue
			}
			up := p.wantParent(&h.seen)
			if p.kept(&policy) {
				for up != nil && !up.kept(&policy) {
					up = up.wantParent(&h.seen)
				}
				want[p.id] = fmt.Sprintf("under %v, root %v, %d left out", up.ident(), p.wantRoot(&h.seen).id, below[p])
				continue
			}
			left++
			for up != nil && !up.livesAt(p.end) && !up.kept(&policy) {
				up = up.wantParent(&h.seen)
			}
			if up != nil {
				below[up] += below[p] + 1
			}
		}
		got := map[ID]string{}
		for _, l := range out.ended {
			got[l.ID] = fmt.Sprintf("under %v, root %v, %d left out", l.Parent, l.Root, l.Filtered)
			span := SpanID{}
			if !l.Parent.IsZero() {
				span = testIDs.SpanID(l.Parent)
			}
			if l.ParentSpan != span || l.Context.Trace != testIDs.TraceID(l.Root) || l.Boundary != "" || !l.Link.IsZero() {
				t.Errorf("%+v", l)
			}
		}
		for _, p := range h.k.dead {
			if got[p.id] != want[p.id] {
				t.Errorf("%v is %q, want %q", p.id, got[p.id], want[p.id])
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, policy %+v", seed, policy)
		}
		ended += len(out.ended)
	}
	if ended < 500 || left < 500 {
		t.Errorf("%d lifetimes, %d left out: these test little", ended, left)
	}
}

// A process that hands over to a child and ends, for ever: whatever becomes of
// the spans, the living do not hold on to more and more of them, or of their
// traces.
func TestChainsAreBounded(t *testing.T) {
	never := func(TraceID, Remote) bool { return false }
	for _, tc := range []struct {
		name   string
		policy Policy
	}{
		{"kept", Policy{}},
		{"left out", Policy{MinDuration: 1 << 40}},
		{"left out, failed ones wait", Policy{MinDuration: 200, KeepShortErrors: true}},
		{"not sampled", Policy{Sample: never}},
		{"not sampled, failed ones kept", Policy{Sample: never, KeepErrors: true}},
		{"a session each", Policy{Session: true}},
		{"a session each, left out", Policy{Session: true, MinDuration: 1 << 40}},
		{"a trace each by its cap", Policy{MaxSpans: 1}},
		{"a trace each by its age", Policy{MaxAge: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStoryUnder(t, roomy, tc.policy)
			s.run("init", "top")
			s.run("top", "bystander") // it holds on to what it started in
			s.run("bystander", "0")
			const generations = 1000
			for i := range generations {
				older, newer := fmt.Sprint(i%2), fmt.Sprint((i+1)%2)
				s.fork(older, "middle")
				s.setsid("middle")
				s.fork("middle", newer)
				s.exit("middle")
				s.exec(newer)
				if i%3 == 0 {
					s.fail(older)
				} else {
					s.exit(older)
				}
			}
			if n := s.reachable(); n > 50 {
				t.Errorf("the living hold on to %d spans and traces", n)
			}
			s.exit(fmt.Sprint(generations%2), "bystander", "top")
			s.got = append(s.got, s.table.Close()...)
			if len(s.table.traces) > 0 || s.table.deferred > 0 {
				t.Errorf("after the end %d traces are kept, %d lifetimes wait", len(s.table.traces), s.table.deferred)
			}
		})
	}
}

// reachable counts the spans and traces that the living hold on to.
func (s *story) reachable() int {
	seen := map[any]bool{}
	var seeTrace func(tr *trace)
	seeTrace = func(tr *trace) {
		if tr == nil || seen[tr] {
			return
		}
		seen[tr] = true
		if tr.more != nil {
			seeTrace(tr.more.newest)
		}
	}
	var seeSpan func(sp *span)
	seeSpan = func(sp *span) {
		if sp == nil || seen[sp] {
			return
		}
		seen[sp] = true
		seeTrace(sp.trace)
		for _, m := range sp.groups {
			seeTrace(m.trace)
		}
		for _, w := range sp.deferred {
			seeSpan(w.span)
		}
		seeSpan(sp.up)
	}
	for _, e := range s.table.living {
		seeSpan(e.span)
		seeSpan(e.lineage.up)
	}
	for _, tr := range s.table.traces {
		seeTrace(tr)
	}
	for _, sp := range s.table.undecided {
		seeSpan(sp)
	}
	return len(seen)
}
