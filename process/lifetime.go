package process

// Lifetime is one process from its first exec to the exit of its last thread:
// what a span is made of.
type Lifetime struct {
	ID ID
	// Context names the span.
	Context SpanContext
	// TraceState is the W3C tracestate of a trace that was joined.
	TraceState string
	// ParentSpan is the parent of the span; zero when there is none.
	ParentSpan SpanID
	// ParentRemote says that the parent is not a process of this machine's: its
	// id came in through TRACEPARENT.
	ParentRemote bool
	// Link is the span that the trace started under; zero when there is none.
	Link SpanContext
	// LinkRemote says that it is not a process of this machine's.
	LinkRemote bool
	// Boundary is why the trace is not that of the process Parent.
	Boundary Boundary
	// Parent is the nearest ancestor that has a span, in whatever trace; zero
	// when there is none.
	Parent ID
	// Root is the first process of the trace here.
	Root ID
	// LeftOut is how many short processes that hung on this one got no span.
	LeftOut int
	// ParentPID is the process's parent at its last exec; where no exec was
	// seen, at the first that was seen of it. Reparenting makes it differ from
	// Parent.PID.
	ParentPID uint32
	// Start and End are in nanoseconds since boot (CLOCK_BOOTTIME): the first
	// exec and the exit of the last thread.
	Start, End uint64
	// StartEstimated says that the first exec was not seen, because the
	// process is older than the agent or the event was lost: Start is then
	// when it was forked.
	StartEstimated bool
	// EndEstimated says that the exit was not seen: End is when the process was
	// found to be gone, or its pid to be used again, and Status, Usage and Comm are
	// not known.
	EndEstimated bool
	// Comm is the kernel's name of the task at its end.
	Comm string
	// Image is what the process last became.
	Image Image
	// Groups, Credentials, Namespaces and VPID are those of the last exec.
	Groups      Groups
	Credentials Credentials
	Namespaces  Namespaces
	VPID        uint32
	// Reexecs are the execs after the first, oldest first.
	Reexecs []Reexec
	// ReexecsDropped counts the execs that Reexecs had no room for.
	ReexecsDropped int
	Status         Status
	// Expected says that it did not fail, although its exit code is not 0.
	Expected bool
	Usage    Usage
	Killer   Killer
	OOM      OOM
}

// Reexec is an exec in a process that had executed a program before.
type Reexec struct {
	// At is in nanoseconds since boot.
	At uint64
	// From is the executable that the process ran until then, "" if unknown.
	From string
	// To is what it became.
	To Image
}

// Name returns the best name known: that of the executed file, else the
// kernel's name of the task.
func (l *Lifetime) Name() string {
	if name := l.Image.Name(); name != "" {
		return name
	}
	return l.Comm
}
