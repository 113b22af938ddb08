package process

// Lifetime is one process from its first exec to the exit of its last thread. It
// becomes a span.
type Lifetime struct {
	ID ID
	// Context identifies the span.
	Context SpanContext
	// TraceState is the W3C tracestate, if the trace was joined.
	TraceState string
	// ParentSpan is the parent of the span; zero if there is none.
	ParentSpan SpanID
	// ParentRemote is set if the parent came in through TRACEPARENT and is no
	// process of this machine.
	ParentRemote bool
	// Link is the span under which the trace started; zero if there is none.
	Link SpanContext
	// LinkRemote is set if Link is no process of this machine.
	LinkRemote bool
	// Boundary is why the trace is not that of the process Parent.
	Boundary Boundary
	// Parent is the nearest ancestor that has a span, in whatever trace; zero if
	// there is none.
	Parent ID
	// Root is the first process of the trace on this machine.
	Root ID
	// Filtered is how many short processes below this one got no span.
	Filtered int
	// ParentPID is the parent at the last exec, or, if no exec was seen, at the
	// first event. Reparenting makes it differ from Parent.PID.
	ParentPID uint32
	// Start is the first exec, End the exit of the last thread.
	Start, End Time
	// StartEstimated is set if the first exec was not seen, because the process is
	// older than the agent or the event was lost. Start is then the fork.
	StartEstimated bool
	// EndEstimated is set if the exit was not seen. End is then when the process was
	// found to be gone, or its pid to be reused; Status, Usage and Comm are unknown.
	EndEstimated bool
	// Forked is set if the process never executed a program. Start is then the fork.
	Forked bool
	// Comm is the kernel's name of the task at its end.
	Comm string
	// Image is the last program that the process executed. If Forked, it has only the
	// file that runs.
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
	// Expected is set if the exit code is not 0 and still no failure.
	Expected bool
	Usage    Usage
	Killer   Killer
	OOM      OOM
	// ParentWaiting is whether the parent was blocked in a wait call when the process
	// ended.
	ParentWaiting Answer
	// Treatment is how rules change the export; nil is as configured.
	Treatment *Treatment

	// weight is that of its trace, and has estimate for the span until Sent is called.
	// It is nil if the trace is this lifetime's alone.
	weight   *weight
	estimate int64
}

// Reexec is an exec of a process that had executed a program before.
type Reexec struct {
	At Time
	// From is the file that the process ran before, "" if unknown.
	From string
	// To is the program that it executed.
	To Image
}

// size returns how many bytes the strings and re-execs take.
func (l *Lifetime) size() int { return l.Image.size() + reexecBytes(l.Reexecs) }

func reexecBytes(all []Reexec) (n int) {
	for i := range all {
		n += len(all[i].From) + all[i].To.size()
	}
	return n
}

// Name returns the name of the executed file, or else the kernel's name of the task. A
// process that executed none may have named its task, as workers do.
func (l *Lifetime) Name() string {
	if name := l.Image.Name(); name != "" && !(l.Forked && l.Comm != "") {
		return name
	}
	return l.Comm
}
