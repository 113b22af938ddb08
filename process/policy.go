package process

import "time"

// Boundary is why a span is not in the trace of the process that started it.
type Boundary string

// The boundaries. If several lie between a process and its nearest ancestor with a
// span, the first in this list counts.
const (
	// BoundaryTraceparent: the environment has a TRACEPARENT that the ancestor's
	// does not have.
	BoundaryTraceparent Boundary = "traceparent"
	// BoundarySession: setsid was called.
	BoundarySession Boundary = "session"
	// BoundaryCgroup: the process moved to another control group.
	BoundaryCgroup Boundary = "cgroup"
	// BoundaryJob: the process has a process group of its own, in a session with a
	// terminal. An interactive shell makes one for each pipeline.
	BoundaryJob Boundary = "job"
	// BoundaryLongLived: the ancestor has run for long, is older than the agent, or
	// is an interactive shell. Its span may be sent much later, and until then its
	// children would point to nothing.
	BoundaryLongLived Boundary = "long_lived"
	// BoundaryRule: the process belongs to a job by a rule, and the ancestor does not.
	BoundaryRule Boundary = "rule"
	// BoundaryCap: the trace is full, or too old.
	BoundaryCap Boundary = "cap"
	// BoundarySampling: the process failed, in a trace that is not sampled.
	BoundarySampling Boundary = "sampling"
)

// Policy decides where traces begin, and which processes get no span. The zero value
// makes one trace of each process tree, without limits, and filters nothing.
type Policy struct {
	// Session, Cgroup, Job and LongLived enable these boundaries.
	Session, Cgroup, Job, LongLived bool
	// LongLivedAfter is the age of a process from which on its children begin traces
	// of their own. Adopted processes have that age at once.
	LongLivedAfter time.Duration
	// MaxSpans is how many spans a trace takes, and MaxAge for how long it takes
	// them. Later ones go to a trace that continues it. 0 is no limit.
	MaxSpans int
	MaxAge   time.Duration
	// MaxBytes is how many bytes the spans of a trace take, as Lifetime.Sent reports
	// them; those of running processes are estimated. 0 is no limit.
	MaxBytes int64

	// Extract returns the remote span in the values of TRACEPARENT and TRACESTATE;
	// ok is false if they are invalid. If it is nil, no trace is joined.
	Extract func(traceparent, tracestate string) (remote Remote, ok bool)
	// Sample decides whether a process that begins or joins a trace is exported, with
	// all that follows it. If the trace begins here, remote is zero. If Sample is nil,
	// all are exported.
	Sample func(id TraceID, remote Remote) bool
	// KeepErrors exports failed processes of traces that are not sampled, each as a
	// trace of its own.
	KeepErrors bool

	// MinDuration filters shorter processes, except for failed ones if
	// KeepShortErrors is set.
	MinDuration     time.Duration
	KeepShortErrors bool
	// Forks is which processes get a span that never execute a program.
	Forks Forks
	// Rules judge processes. What they do not decide is decided by the other fields. Nil
	// is none.
	Rules Rules
	// Expected reports whether a process ended as such processes do, although its
	// exit code is not 0. That is no failure. If it is nil, each other exit code is
	// one.
	Expected func(l *Lifetime) bool
}

// Forks selects processes that never execute a program: workers of servers, subshells.
type Forks string

// The values of Forks.
const (
	ForksOff Forks = "off"
	// ForksAbnormal are those that end by a signal, for want of memory, or with an exit
	// code that is a failure. An exit code of a subshell is none: it is a value that the
	// shell tests.
	ForksAbnormal Forks = "abnormal"
	ForksAll      Forks = "all"
)

// Remote is a span elsewhere that a process continues.
type Remote struct {
	Context SpanContext
	// State is the tracestate as received.
	State   string
	Sampled bool
	// Random is set if the trace id is random by W3C Trace Context Level 2.
	Random bool
}
