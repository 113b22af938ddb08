package process

import "container/heap"

// The span of a process may be filtered, because it is short or by rules; its children
// then hang on the next ancestor that is kept. Whether a process is kept is known when it
// ends, or when it has run until span.until. Until then the lifetimes of its children are
// deferred.

// maxDeferred is how many lifetimes are deferred, and deferredShare which part of
// Limits.Bytes they may take. Beyond, their parents are kept, however short.
const (
	maxDeferred   = 16_384
	deferredShare = 8
)

// deferred is a lifetime that cannot be handed out before its parent is known.
type deferred struct {
	lifetime *Lifetime
	span     *span
}

// end takes the span of e, whose process has ended. It hands out the lifetime, defers or
// drops it.
func (t *Table) end(e *entry, l *Lifetime) {
	s := e.span
	t.stats.Running--
	failed := l.Status.ExitCode() != 0
	if failed && (s.ruling.expects(l.Status) || t.policy.Expected != nil && t.policy.Expected(l)) {
		l.Expected, failed = true, false
	}
	r := t.judgeEnd(e, l)
	if failed && r.expects(l.Status) {
		l.Expected, failed = true, false
	}
	t.entries.put(e)
	if r != nil {
		l.Treatment = r.Treatment
	}
	ruled := r.drops() && s.state != promised && !(failed && r.KeepFailed)
	keep := !ruled && (s.state == promised || r.decides() || l.End.Sub(l.Start) >= t.policy.MinDuration || failed && t.policy.KeepShortErrors)
	l.Filtered = s.filtered
	s.fold()
	t.leaveTrace(s, keep)
	switch {
	case !keep:
		t.Recycle(l)
		if ruled {
			t.dropped(r)
		} else {
			t.stats.Filtered++
		}
		if s.up != nil {
			s.up.filtered += s.filtered + 1
		}
		t.decide(s, filtered)
	case s.sampled:
		t.decide(s, kept)
		t.settle(deferred{l, s})
	default:
		t.decide(s, kept)
		t.unsampled(s, l, failed)
	}
}

// decide sets the state of a span, and settles the lifetimes that depend on it.
func (t *Table) decide(s *span, now state) {
	s.state = now
	ready := s.deferred
	if len(ready) > 0 {
		heap.Remove(&t.undecided, s.index)
	}
	s.deferred = nil
	t.deferred -= len(ready)
	for _, d := range ready {
		t.deferredBytes -= d.lifetime.size()
		t.settle(d)
	}
}

// unsampled ends a process in a trace that is not sampled: if it failed, it may be
// handed out as a trace of its own.
func (t *Table) unsampled(s *span, l *Lifetime, failed bool) {
	s.up = nil
	keep := t.policy.KeepErrors
	if r := s.trace.ruling; r != nil {
		keep = keep || r.KeepFailed
	}
	if !failed || !keep {
		t.Recycle(l)
		t.stats.SampledOut++
		return
	}
	l.Root = s.id
	l.Context = SpanContext{t.ids.TraceID(s.id), t.spanIDOf(s)}
	l.Boundary = BoundarySampling
	t.handOut(l)
}

// settle hands out a lifetime if its parent is known, or defers it.
func (t *Table) settle(d deferred) {
	l, s := d.lifetime, d.span
	s.fold()
	up := s.up
	if up != nil && up.state == undecided {
		if t.mayBeFiltered(up) {
			t.deferUntil(up, d)
			return
		}
		t.decide(up, promised)
	}
	l.Root = s.trace.root
	l.Context = SpanContext{s.trace.id, t.spanIDOf(s)}
	l.TraceState = s.traceState
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
		case s.boundary != "" && up.sampled && l.Link.IsZero():
			l.Link = SpanContext{up.trace.id, t.spanIDOf(up)}
		}
	}
	l.weight, l.estimate = &s.trace.weight, s.estimate
	s.up = nil // descendants need no ancestor beyond a span that is kept
	t.handOut(l)
}

func (t *Table) mayBeFiltered(s *span) bool {
	return t.now < s.until && t.deferred < maxDeferred && t.deferredBytes <= t.limits.Bytes/deferredShare
}

// deferUntil defers d until up is decided.
func (t *Table) deferUntil(up *span, d deferred) {
	if len(up.deferred) == 0 {
		heap.Push(&t.undecided, up)
	}
	up.deferred = append(up.deferred, d)
	t.deferred++
	t.deferredBytes += d.lifetime.size()
}

func (t *Table) handOut(l *Lifetime) {
	t.stats.Ended++
	t.out = append(t.out, l)
}

// fold makes s a child of its nearest ancestor that is not filtered, with the
// boundary and the remote parent that the spans in between had.
func (s *span) fold() {
	for u := s.up; u != nil && u.state == filtered; u = s.up {
		switch {
		case s.boundary == "" && s.remote == nil:
			s.boundary, s.remote = u.boundary, u.remote
		case s.boundary == "" && u.boundary != "":
			s.boundary = BoundaryTraceparent // its remote span is in the trace of u
		case s.boundary == BoundaryCap && s.remote == nil:
			s.remote = u.remote
		}
		s.up = u.up
	}
}

// promiseMature promises the spans that have run until they are kept.
func (t *Table) promiseMature() {
	for len(t.undecided) > 0 && t.now >= t.undecided[0].until {
		t.decide(t.undecided[0], promised)
	}
}

// fix restores the order of the undecided spans after a change of s.
func (t *Table) fix(s *span) {
	if len(s.deferred) > 0 {
		heap.Fix(&t.undecided, s.index)
	}
}

// spanHeap has the spans that deferred lifetimes depend on, those first that are kept
// first.
type spanHeap []*span

func (h spanHeap) Len() int           { return len(h) }
func (h spanHeap) Less(i, j int) bool { return h[i].until < h[j].until }
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
