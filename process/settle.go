package process

import "container/heap"

// A span of a short process may be left out, and what hangs on it then hangs on
// the next ancestor that is kept. Whether one is kept is known when it ends, or
// when it has lived for MinDuration. Until then a lifetime that hangs on it
// waits: at most that long, and only the failed are so short.

// maxWaiting is how many lifetimes wait; beyond, the span that one hangs on is
// kept, however short.
const maxWaiting = 16_384

// waiting is a finished lifetime that hangs on a span whose fate is not known.
type waiting struct {
	lifetime *Lifetime
	span     *span
}

// end takes a span whose process has ended, and hands out its lifetime or
// leaves it out.
func (t *Table) end(s *span, l *Lifetime) {
	t.stats.Running--
	failed := l.Status.ExitCode() != 0
	if failed && t.policy.Expected != nil && t.policy.Expected(l) {
		l.Expected, failed = true, false
	}
	keep := s.state == promised || l.End-l.Start >= uint64(t.policy.MinDuration) || failed && t.policy.KeepShortErrors
	l.LeftOut = s.leftOut
	s.fold()
	t.leaveTrace(s, keep)
	switch {
	case !keep:
		t.stats.LeftOut++
		if s.up != nil {
			s.up.leftOut += s.leftOut + 1
		}
		t.decide(s, leftOut)
	case s.trace.sampled:
		t.decide(s, kept)
		t.settle(waiting{l, s})
	default:
		t.decide(s, kept)
		t.unsampled(s, l, failed)
	}
}

// decide says what became of s, to those that waited for it.
func (t *Table) decide(s *span, now state) {
	s.state = now
	released := s.waiting
	if len(released) > 0 {
		heap.Remove(&t.undecided, s.index)
	}
	s.waiting = nil
	t.waiting -= len(released)
	for _, w := range released {
		t.settle(w)
	}
}

// unsampled hands out the lifetime of a failed process for itself.
func (t *Table) unsampled(s *span, l *Lifetime, failed bool) {
	s.up = nil
	if !failed || !t.policy.KeepErrors {
		t.stats.SampledOut++
		return
	}
	l.Root = s.id
	l.Context = SpanContext{t.ids.TraceID(s.id), t.spanIDOf(s)}
	l.Boundary = BoundarySampling
	t.handOut(l)
}

// settle hands out a lifetime once it is known what it hangs on.
func (t *Table) settle(w waiting) {
	l, s := w.lifetime, w.span
	s.fold()
	up := s.up
	if up != nil && up.state == undecided {
		if t.mayBeLeftOut(up) {
			t.await(up, w)
			return
		}
		t.decide(up, promised)
	}
	l.Root = s.trace.root
	l.Context = SpanContext{s.trace.id, t.spanIDOf(s)}
	l.TraceState = s.trace.state
	l.Boundary = s.boundary
	switch {
	case s.remote == nil:
	case s.boundary == BoundaryCap:
		l.Link, l.LinkRemote = s.remote.Context, true
	default:
		l.ParentSpan, l.ParentRemote = s.remote.Context.Span, true
	}
	if up != nil {
		l.Parent = up.id
		switch {
		case s.boundary == "" && s.remote == nil:
			l.ParentSpan = t.spanIDOf(up)
		case s.boundary != "" && up.trace.sampled && l.Link.IsZero():
			l.Link = SpanContext{up.trace.id, t.spanIDOf(up)}
		}
	}
	s.up = nil // nobody asks beyond a span that is kept
	t.handOut(l)
}

func (t *Table) mayBeLeftOut(s *span) bool {
	return t.now < s.start+uint64(t.policy.MinDuration) && t.waiting < maxWaiting
}

// await has w wait until the fate of up is known.
func (t *Table) await(up *span, w waiting) {
	if len(up.waiting) == 0 {
		heap.Push(&t.undecided, up)
	}
	up.waiting = append(up.waiting, w)
	t.waiting++
}

func (t *Table) handOut(l *Lifetime) {
	t.stats.Ended++
	t.out = append(t.out, l)
}

// fold has s hang on the nearest span above it that is not left out, in the way
// that those between did.
func (s *span) fold() {
	for u := s.up; u != nil && u.state == leftOut; u = s.up {
		switch {
		case s.boundary == "" && s.remote == nil:
			s.boundary, s.remote = u.boundary, u.remote
		case s.boundary == "" && u.boundary != "":
			s.boundary = BoundaryTraceparent // its remote span is in the trace that u was in
		case s.boundary == BoundaryCap && s.remote == nil:
			s.remote = u.remote
		}
		s.up = u.up
	}
}

// grownUp settles what waits for spans that have now lived for MinDuration.
func (t *Table) grownUp() {
	for len(t.undecided) > 0 && t.now >= t.undecided[0].start+uint64(t.policy.MinDuration) {
		t.decide(t.undecided[0], promised)
	}
}

// spanHeap holds the spans that are waited for, the oldest first.
type spanHeap []*span

func (h spanHeap) Len() int           { return len(h) }
func (h spanHeap) Less(i, j int) bool { return h[i].start < h[j].start }
func (h spanHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *spanHeap) Push(x any) {
	s := x.(*span)
	s.index = len(*h)
	*h = append(*h, s)
}
func (h *spanHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
