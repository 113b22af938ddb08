package process

import (
	"container/list"
	"time"
)

// This file and place.go are the trace model: which trace a process's span is
// in, and which span is its parent. Nothing else decides either.
//
// A trace is one job. A span belongs to the trace of the nearest ancestor that
// has a span, as the forks saw it, unless a boundary lies between the two, or
// its environment names another trace (TRACEPARENT).

// Boundary says why a span is not in the trace of the process that started it.
type Boundary string

// The boundaries. Where several lie between a process and its nearest ancestor
// that has a span, the first of this list counts.
const (
	// BoundaryTraceparent: the environment has a TRACEPARENT that the ancestor's
	// did not have.
	BoundaryTraceparent Boundary = "traceparent"
	// BoundarySession: setsid was called in between.
	BoundarySession Boundary = "session"
	// BoundaryCgroup: the process was put into another control group in between.
	BoundaryCgroup Boundary = "cgroup"
	// BoundaryJob: a process group of its own, in a session with a terminal, as
	// an interactive shell makes one for each pipeline.
	BoundaryJob Boundary = "job"
	// BoundaryLongLived: the ancestor has run for so long, or is older than the
	// agent, or is an interactive shell, that its span may be far from its end. A
	// span under it would point to one that nobody can see before that.
	BoundaryLongLived Boundary = "long_lived"
	// BoundaryCap: the trace is full, or too old.
	BoundaryCap Boundary = "cap"
	// BoundarySampling: the span of a failed process is exported although its
	// trace is not.
	BoundarySampling Boundary = "sampling"
)

// Policy says where traces begin, and which processes get no span. The zero
// value makes one trace of each tree, without end, and leaves nothing out.
type Policy struct {
	// Session, Cgroup, Job and LongLived switch these boundaries on.
	Session, Cgroup, Job, LongLived bool
	// LongLivedAfter is how long a process has run when its next children begin
	// traces of their own. Those that were adopted count as long-lived at once.
	LongLivedAfter time.Duration
	// MaxSpans is how many spans a trace takes, and MaxAge for how long it takes
	// them; what follows goes to a trace that continues it. 0 is no limit.
	MaxSpans int
	MaxAge   time.Duration

	// Extract returns the remote span that the values of TRACEPARENT and
	// TRACESTATE name; ok is false when they are not valid. When it is nil,
	// nothing is joined.
	Extract func(traceparent, tracestate string) (remote Remote, ok bool)
	// Sample decides, once for a trace, whether it is exported; remote is the
	// zero value where the trace begins here. When it is nil, all are.
	Sample func(id TraceID, remote Remote) bool
	// KeepErrors exports failed processes of traces that are not sampled, each
	// as a trace of its own.
	KeepErrors bool

	// MinDuration leaves shorter processes out, but for those that failed where
	// KeepShortErrors is set.
	MinDuration     time.Duration
	KeepShortErrors bool
	// Expected reports whether a process ended as its kind does, though not with
	// exit code 0: that is no failure. When it is nil, every other end is one.
	Expected func(l *Lifetime) bool
}

// Remote is a span outside, that a process was told to continue.
type Remote struct {
	Context SpanContext
	// State is the tracestate, as it came.
	State   string
	Sampled bool
}

// trace is one trace, shared by its spans.
type trace struct {
	id TraceID
	// root is the first process, state the tracestate of one that was joined.
	root  ID
	state string
	// joined says that its id is known outside: others may join it at any time.
	joined  bool
	sampled bool
	began   uint64
	// spans is how many it has or will have, living how many of them have not
	// ended.
	spans, living int
	// more takes what this one has no room for; nil until that is needed.
	more *continuation
	// idle is its place among those that have no living process; nil when it is
	// not there.
	idle   *list.Element
	number int // in a snapshot
}

// continuation is shared by a trace and all those that continue it, so that
// none of them holds on to the next.
type continuation struct {
	newest *trace
	number int // in a snapshot
}

// span is a process that has a span or will have one. Its descendants hold on
// to it.
type span struct {
	id    ID
	start uint64
	trace *trace
	// up is the nearest ancestor that has a span; nil for none, and where it
	// does not matter any more.
	up *span
	// boundary is why trace is not up's; "" when it is.
	boundary Boundary
	// remote, when set, is the span outside that it continues.
	remote *Remote
	// traceparent is the value that its environment has.
	traceparent string
	// groups are the sessions, cgroups and jobs that left its trace together.
	groups map[group]member
	state  state
	// older says that it is older than the agent, shell that it made process
	// groups in a session with a terminal, above that it is the up of others.
	older, shell, above bool
	// leftOut is how many below it were left out.
	leftOut int
	// waiting are lifetimes that need to know whether this one is kept. While
	// there are any, it is in Table.undecided, at index.
	waiting []waiting
	index   int
	spanID  SpanID // zero until it is needed
	number  int    // in a snapshot
}

// state says what is known of a span's future.
type state uint8

const (
	undecided state = iota
	promised        // it will be kept: others may refer to it
	kept            // it has ended
	leftOut         // it has ended, or is forgotten, and nobody may refer to it
)

// group is a session, cgroup or process group, by its id.
type group struct {
	kind Boundary
	id   uint64
}

// member is the trace that the members of a group share, as long as the group
// is the same: pids are used again.
type member struct {
	trace  *trace
	leader ID     // zero when it was gone already
	since  uint64 // the first of them
}

// maxGroups is from how many groups on the ended ones of a process are
// forgotten, there and at each doubling. A power of two.
const maxGroups = 64

// maxIdle is how many joined traces are remembered without a living process.
const maxIdle = 1024

// newTrace begins a trace with a process, or continues a remote one with it.
func (t *Table) newTrace(id TraceID, s *span, remote Remote) *trace {
	return &trace{
		id: id, root: s.id, state: remote.State, joined: !remote.Context.IsZero(), began: s.start,
		sampled: t.policy.Sample == nil || t.policy.Sample(id, remote),
	}
}

// enterTrace makes s the newest span of tr, or of the trace that continues it.
func (t *Table) enterTrace(s *span, tr *trace) {
	tr = t.current(tr)
	if tr.full(&t.policy, s.start) {
		tr = t.current(t.continued(tr, s))
		if s.boundary == "" || s.boundary == BoundaryTraceparent {
			s.boundary = BoundaryCap
		}
	}
	s.trace = tr
	tr.spans++
	if tr.living++; tr.living > 1 {
		return
	}
	t.traces[tr.id] = tr
	if tr.idle != nil {
		t.idle.Remove(tr.idle)
		tr.idle = nil
	}
}

// current returns the trace that has the id of tr. It is another when tr was
// forgotten meanwhile, or the process that it began with was.
func (t *Table) current(tr *trace) *trace {
	if tr.living == 0 {
		if same := t.traces[tr.id]; same != nil {
			return same
		}
	}
	return tr
}

// continued returns the trace that takes s instead of tr: the newest of those
// that continue it, unless that is full as well or has the name of a process
// that is not in it any more.
func (t *Table) continued(tr *trace, s *span) *trace {
	if tr.more == nil {
		tr.more = &continuation{newest: tr}
	}
	if newest := tr.more.newest; newest.spans == 0 || newest.full(&t.policy, s.start) {
		tr.more.newest = &trace{id: t.ids.TraceID(s.id), root: s.id, began: s.start, sampled: tr.sampled, more: tr.more}
	}
	return tr.more.newest
}

// named returns the trace that has the id, which is known outside. It is nil
// where there is none, or none any more.
func (t *Table) named(id TraceID) *trace {
	tr := t.traces[id]
	if tr != nil {
		tr.joined = true
		if tr.idle != nil {
			t.idle.MoveToBack(tr.idle)
		}
	}
	return tr
}

func (tr *trace) full(p *Policy, now uint64) bool {
	return p.MaxSpans > 0 && tr.spans >= p.MaxSpans ||
		p.MaxAge > 0 && older(tr.began, now, p.MaxAge)
}

// leaveTrace takes out a span that has ended.
func (t *Table) leaveTrace(s *span, had bool) {
	tr := s.trace
	if !had {
		tr.spans--
	}
	if tr.living--; tr.living > 0 {
		return
	}
	if !tr.joined {
		delete(t.traces, tr.id)
		return
	}
	// It has to know how full it is, for those that may still join it.
	tr.idle = t.idle.PushBack(tr)
	if t.idle.Len() > maxIdle {
		oldest := t.idle.Remove(t.idle.Front()).(*trace)
		oldest.idle = nil
		delete(t.traces, oldest.id)
	}
}
