package process

import "container/list"

// This file and place.go are the trace model: they alone decide which trace the span
// of a process is in, and which span is its parent.
//
// A trace is one job. A span is in the trace of the nearest ancestor that has a span,
// as the forks showed it, unless a boundary lies between the two, or its environment
// has another trace (TRACEPARENT).

// trace is shared by its spans. Processes of other users that join the same id have a
// trace of their own, so that no user fills, ends or hides what another runs.
type trace struct {
	traceKey
	// root is the first process.
	root ID
	// joined is set once the id is known elsewhere: processes may join at any time.
	joined bool
	began  Time
	// ruling decides on the export of the trace, if rules do; otherwise nil.
	ruling *Ruling
	// spans is how many spans the trace has or will have, living how many of them
	// have not ended.
	spans, living int
	weight
	// more takes the spans that this trace has no room for; nil before that.
	more *continuation
	// idle is the element of Table.idle of a trace without a running process.
	idle   *list.Element
	number int // in a snapshot
}

// traceKey finds a trace in a Table.
type traceKey struct {
	id TraceID
	// user is the real user of the first process.
	user uint32
}

// continuation is shared by a trace and all traces that continue it, so that none of
// them refers to the next.
type continuation struct {
	newest *trace
	number int // in a snapshot
}

// span is a process that has a span or will have one. Its descendants refer to it.
type span struct {
	id    ID
	start Time
	trace *trace
	// up is the nearest ancestor that has a span; nil if there is none, or it is not
	// needed any more.
	up *span
	// boundary is why trace is not up's; "" if it is.
	boundary Boundary
	// remote, if set, is the span elsewhere that this one continues.
	remote *Remote
	// traceparent is the value in its environment.
	traceparent string
	// traceState and sampled are the ancestor's, or, for a span that joined or began a
	// trace, its own.
	traceState string
	sampled    bool
	state      state
	// preexisting: the process is older than the agent. shell: it made process groups
	// in a session with a terminal. followed: it is the up of another span. forked: it
	// has executed no program.
	preexisting, shell, followed, forked bool
	// user is the real user of the process.
	user uint32
	// estimate is how many bytes it may take, in the weight of its trace.
	estimate int64
	// groups has the sessions, cgroups and jobs that left its trace.
	groups map[group]cohort
	// ruling is what the rules decided at its last exec. As long as it is undecided, it
	// may be filtered until then.
	ruling *Ruling
	until  Time
	// filtered is how many spans below it were filtered.
	filtered int
	// deferred has the lifetimes that depend on this span. While there are any, it is
	// in Table.undecided, at index.
	deferred []deferred
	index    int
	spanID   SpanID // zero until it is needed
	number   int    // in a snapshot
}

// state is what is known of the future of a span.
type state uint8

const (
	undecided state = iota
	promised        // it will be sent: others may refer to it
	kept            // it has ended
	filtered        // it is never sent: no span may refer to it
)

// group is a session, cgroup or process group.
type group struct {
	kind Boundary
	id   uint64
}

// cohort is the trace that processes share which left an ancestor for the same group.
// The kernel reuses the ids of sessions and process groups.
type cohort struct {
	trace  *trace
	leader ID   // of the group; zero if it had ended
	since  Time // of the first process
}

// maxGroups is from how many groups on those of a span that have ended are removed:
// then, and each time that the number doubles. A power of two.
const maxGroups = 64

// maxIdle is how many joined traces without a running process are kept.
const maxIdle = 1024

// newTrace begins a trace with a process.
func (t *Table) newTrace(id TraceID, s *span) *trace {
	tr := &trace{traceKey: traceKey{id, s.user}, root: s.id, began: s.start}
	tr.rule(s.ruling)
	return tr
}

// rule notes the ruling on the first process of a trace.
func (tr *trace) rule(r *Ruling) {
	if tr.ruling = nil; r != nil && (r.Action == Sample || r.Action == Keep) {
		tr.ruling = r
	}
}

// sample decides whether s is exported. What follows it is, too. Rules decide on a trace
// that begins on this machine, by its first process.
func (t *Table) sample(s *span, tr *trace, remote Remote) {
	s.traceState = remote.State
	switch r := tr.ruling; {
	case r == nil || !remote.Context.IsZero():
		s.sampled = t.policy.Sample == nil || t.policy.Sample(tr.id, remote)
	case r.Action == Sample:
		s.sampled, s.traceState = tr.id.random() >= r.Threshold, r.TraceState
	default:
		s.sampled = true
	}
}

// enterTrace adds s to tr, or to the trace that continues it.
func (t *Table) enterTrace(s *span, tr *trace) {
	tr = t.current(tr)
	if tr.full(&t.policy, s) {
		tr = t.current(t.continued(tr, s))
		if s.boundary == "" || s.boundary == BoundaryTraceparent {
			s.boundary = BoundaryCap
		}
	}
	s.trace = tr
	tr.spans++
	tr.bytes += s.estimate
	if tr.living++; tr.living > 1 {
		return
	}
	t.traces[tr.traceKey] = tr
	if tr.idle != nil {
		t.idle.Remove(tr.idle)
		tr.idle = nil
	}
}

// current returns the trace with the id of tr. It differs from tr if that has left
// the table since.
func (t *Table) current(tr *trace) *trace {
	if tr.living == 0 {
		if same := t.traces[tr.traceKey]; same != nil {
			return same
		}
	}
	return tr
}

// continued returns the trace that takes s instead of tr: the newest continuation of
// tr, unless that is full too, or its first process has left it.
func (t *Table) continued(tr *trace, s *span) *trace {
	if tr.more == nil {
		tr.more = &continuation{newest: tr}
	}
	if newest := tr.more.newest; newest.spans == 0 || newest.full(&t.policy, s) {
		t.stats.Continued++
		tr.more.newest = t.newTrace(t.ids.TraceID(s.id), s)
		tr.more.newest.more = tr.more
	}
	return tr.more.newest
}

// traceFor returns the trace that s joins by an id from elsewhere: its ancestor's, or
// one of the same user. It returns nil if there is none.
func (t *Table) traceFor(s *span, id TraceID) *trace {
	tr := t.traces[traceKey{id, s.user}]
	if s.up != nil && s.up.trace.id == id {
		tr = s.up.trace
	}
	if tr != nil {
		tr.joined = true
		if tr.idle != nil {
			t.idle.MoveToBack(tr.idle)
		}
	}
	return tr
}

// full reports whether tr has no room for s.
func (tr *trace) full(p *Policy, s *span) bool {
	return p.MaxSpans > 0 && tr.spans >= p.MaxSpans ||
		p.MaxBytes > 0 && tr.spans > 0 && tr.bytes+s.estimate > p.MaxBytes ||
		p.MaxAge > 0 && s.start.Sub(tr.began) >= p.MaxAge
}

// leaveTrace removes a span that has ended, or moves to another trace. The trace
// counts it only if it was sent.
func (t *Table) leaveTrace(s *span, sent bool) {
	tr := s.trace
	if !sent {
		tr.spans--
		tr.bytes -= s.estimate
	}
	if tr.living--; tr.living > 0 {
		return
	}
	if !tr.joined {
		delete(t.traces, tr.traceKey)
		return
	}
	t.retire(tr)
}

// retire keeps a joined trace without a running process: its spans still count for
// those that join it later.
func (t *Table) retire(tr *trace) {
	tr.idle = t.idle.PushBack(tr)
	if t.idle.Len() > maxIdle {
		oldest := t.idle.Remove(t.idle.Front()).(*trace)
		oldest.idle = nil
		delete(t.traces, oldest.traceKey)
	}
}
