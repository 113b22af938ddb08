package process

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// outcome is what came of a rich history.
type outcome struct {
	h     *history
	table *Table
	// ended are the lifetimes, in the order in which they came.
	ended []*Lifetime
	byID  map[ID]*Lifetime
	// whole: nothing was lost, late, or evicted.
	whole bool
	// sampled: of each trace that was decided, whether any span in it is exported.
	sampled map[TraceID]bool
	// users is how many users there are.
	users  map[uint32]bool
	procs  map[ID]*proc
	bySpan map[SpanID]*proc
}

// place gives a rich history to a table under its policy. Where all is set, all
// processes end.
func (h *history) place(t *testing.T, all bool) *outcome {
	t.Helper()
	o := &outcome{h: h, byID: map[ID]*Lifetime{}, sampled: map[TraceID]bool{}, users: map[uint32]bool{}, procs: map[ID]*proc{}, bySpan: map[SpanID]*proc{}}
	policy := h.policy
	if sample := policy.Sample; sample != nil {
		policy.Sample = func(id TraceID, remote Remote) bool {
			is := sample(id, remote)
			o.sampled[id] = o.sampled[id] || is
			return is
		}
	}
	if all {
		for _, p := range h.k.byAge()[1:] {
			h.ring = append(h.ring, h.k.exit(p, 0))
		}
	}
	for _, p := range append(h.k.byAge(), h.k.dead...) {
		o.procs[p.id], o.bySpan[testIDs.SpanID(p.id)] = p, p
		for _, e := range p.execs {
			o.users[e.user] = true
		}
	}
	o.table = NewTable(h.limits, policy, testIDs)
	o.table.Adopt(slices.Clone(h.living))
	check(t, o.table)
	take := func(ended []*Lifetime) {
		for _, l := range ended {
			if o.byID[l.ID] != nil {
				t.Fatalf("%v has a second lifetime", l.ID)
			}
			o.byID[l.ID] = l
			o.ended = append(o.ended, l)
		}
	}
	for i := range h.ring {
		take(o.table.Apply(&h.ring[i]))
		if check(t, o.table); !h.lossy && o.table.stats.Evicted == 0 {
			checkCaps(t, o.table)
		}
		if i%7 == 0 {
			take(o.table.Advance(h.ring[i].At))
		}
		if i%5 == 4 {
			o.table = replaced(t, o.table)
			check(t, o.table)
		}
	}
	stats := o.table.Stats()
	o.whole = !h.lossy && stats.Evicted == 0
	o.counts(t, stats)
	check(t, o.table)
	if take(o.table.Close()); o.table.Stats().Deferred != 0 || len(o.table.undecided) != 0 {
		t.Errorf("after the end %d wait for %d", o.table.Stats().Deferred, len(o.table.undecided))
	}
	return o
}

// counts checks that all that ended is accounted for.
func (o *outcome) counts(t *testing.T, stats Stats) {
	t.Helper()
	if int(stats.Ended) != len(o.ended) {
		t.Errorf("stats tell of %d lifetimes, it were %d", stats.Ended, len(o.ended))
	}
	n := 0
	for _, p := range o.h.k.dead {
		if len(p.execs) > 0 && p.end > o.h.seen.attached {
			n++
		}
	}
	if got := int(stats.Ended+stats.Filtered+stats.Dropped+stats.SampledOut) + stats.Deferred; o.whole && got != n && o.h.policy.Forks == ForksOff {
		t.Errorf("%d programs ended, %d are accounted for: %+v", n, got, stats)
	}
}

// sound checks what holds of all lifetimes together.
func (o *outcome) sound(t *testing.T) {
	t.Helper()
	spans, roots := map[TraceID]int{}, map[TraceID]ID{}
	for _, l := range o.ended {
		p := o.procs[l.ID]
		if p == nil || p.end == 0 || (len(p.execs) == 0) != l.Forked && !o.h.lossy || l.Context.Span != testIDs.SpanID(l.ID) {
			t.Fatalf("lifetime of %v, which is %+v: %+v", l.ID, p, l)
		}
		o.related(t, p, l)
		if o.whole {
			o.seen(t, l)
		}
		failed := l.Status.ExitCode() != 0
		if l.Boundary == BoundarySampling {
			if !o.h.policy.KeepErrors && o.h.policy.Rules == nil || !failed || l.ParentSpan != (SpanID{}) || l.Context.Trace != testIDs.TraceID(l.ID) {
				t.Errorf("kept although it is not sampled: %+v", l)
			}
			continue
		}
		spans[l.Context.Trace]++
		if root, ok := roots[l.Context.Trace]; ok && root != l.Root && o.whole && len(o.users) == 1 {
			t.Errorf("the trace has another root, %v: %+v", root, l)
		}
		roots[l.Context.Trace] = l.Root
		if sampled, decided := o.sampled[l.Context.Trace]; decided && !sampled && o.whole && o.h.policy.Rules == nil {
			t.Errorf("handed out in a trace that is not sampled: %+v", l)
		}
		start := l.Start
		if o.h.policy.Forks == ForksAll { // one that was old enough before it executed a program
			start = l.ID.Start
		}
		if least := o.h.policy.MinDuration; o.whole && o.h.policy.Rules == nil && o.h.limits.Bytes == 1<<30 && l.End.Sub(start) < least && !(failed && o.h.policy.KeepShortErrors) {
			t.Errorf("shorter than %d: %+v", least, l)
		}
	}
	for id, n := range spans {
		if tr := o.table.traces[traceKey{id: id}]; tr != nil {
			n += tr.living
		}
		if limit := o.h.policy.MaxSpans; limit > 0 && n > limit && o.whole && len(o.users) == 1 {
			t.Errorf("%d spans in trace %x, limit %d", n, id, limit)
		}
	}
}

// related checks that what a lifetime names is above it, so that there is no
// cycle.
func (o *outcome) related(t *testing.T, p *proc, l *Lifetime) {
	t.Helper()
	if !l.Parent.IsZero() && !p.descendsFrom(l.Parent) {
		t.Errorf("%v has parent %v, which is no ancestor", l.ID, l.Parent)
	}
	if l.ParentSpan != (SpanID{}) && !l.ParentRemote && l.ParentSpan != testIDs.SpanID(l.Parent) {
		t.Errorf("%v is not under its parent: %+v", l.ID, l)
	}
	if l.Link.Span == l.Context.Span || l.ParentSpan == l.Context.Span {
		t.Errorf("%v hangs on itself: %+v", l.ID, l)
	}
	if l.Boundary == "" && !l.Link.IsZero() || l.ParentRemote && o.h.policy.Extract == nil {
		t.Errorf("%v has a link or a parent without reason: %+v", l.ID, l)
	}
}

// seen checks that nobody is shown a span with a parent, or a link, that never
// comes.
func (o *outcome) seen(t *testing.T, l *Lifetime) {
	t.Helper()
	comes := func(what string, c SpanContext) {
		t.Helper()
		p := o.bySpan[c.Span]
		switch {
		case p == nil:
			t.Errorf("%s of %+v is nobody's", what, l)
		case p.end == 0:
		case o.byID[p.id] == nil || o.byID[p.id].Context != c:
			t.Errorf("%s of\n\t%+v is handed out as\n\t%+v", what, l, o.byID[p.id])
		}
	}
	if l.ParentSpan != (SpanID{}) && !l.ParentRemote {
		comes("the parent", SpanContext{l.Context.Trace, l.ParentSpan})
	}
	named := strings.Contains(l.Image.Environment, fmt.Sprintf("=%x-%x-", l.Link.Trace, l.Link.Span))
	switch {
	case l.Link.IsZero() || l.Boundary == BoundaryCap && named:
	case l.Link.Span == testIDs.SpanID(l.Parent):
		comes("the link", l.Link)
	case l.Boundary != BoundaryCap || o.h.policy.Extract == nil: // else it is the remote span
		t.Errorf("the link is not to the parent: %+v", l)
	}
}

// bounded checks that a table keeps nothing of those that have ended. Reachable
// spans are those that the living hold on to.
func (o *outcome) bounded(t *testing.T) {
	t.Helper()
	if n := len(o.table.traces); o.whole && n > o.table.idle.Len()+1 { // init's
		t.Errorf("%d traces are kept, %d idle", n, o.table.idle.Len())
	}
	if o.table.deferred != 0 {
		t.Errorf("%d wait", o.table.deferred)
	}
}

func randomHistory(flags byte, seed uint64) *history { return newHistory(randomBytes(flags, seed)) }

func randomBytes(flags byte, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, uint64(flags)))
	in := make([]byte, 16+random.IntN(1200))
	for i := range in {
		in[i] = byte(random.Uint32())
	}
	in[0] = flags
	return in
}

// TestTracesOnHistories runs many random histories under random policies, the
// same ones each time.
func TestTracesOnHistories(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags byte
	}{
		{"whole", 16},
		{"whole, pids never used again", 16 | 32},
		{"exits told twice", 16 | 2},
		{"lossy", 16 | 1},
		{"few processes", 16 | 4},
		{"all of it", 16 | 15},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lifetimes := 0
			const seeds = 60
			for seed := range uint64(seeds) {
				all := seed%2 == 0
				o := randomHistory(tc.flags, seed).place(t, all)
				o.sound(t)
				if all {
					o.bounded(t)
				}
				lifetimes += len(o.ended)
				if t.Failed() {
					t.Fatalf("seed %d, policy %+v", seed, o.h.policy)
				}
			}
			if lifetimes < 8*seeds {
				t.Errorf("%d lifetimes in %d histories: these test little", lifetimes, seeds)
			}
		})
	}
}

// FuzzTraces runs histories and policies that the fuzzer makes up.
func FuzzTraces(f *testing.F) {
	for flags := range byte(64) {
		in := []byte{flags}
		random := rand.New(rand.NewPCG(uint64(flags), 1))
		for range 300 {
			in = append(in, byte(random.Uint32()))
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 || len(in) == 0 {
			t.Skip("long histories find nothing that short ones do not")
		}
		in[0] |= 16
		all := in[0]&64 != 0
		o := newHistory(in).place(t, all)
		o.sound(t)
		if all {
			o.bounded(t)
		}
		if t.Failed() {
			t.Logf("policy %+v", o.h.policy)
		}
	})
}
