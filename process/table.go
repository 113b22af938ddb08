package process

import (
	"cmp"
	"container/list"
	"slices"
)

// Table tracks running processes. Forks, execs and exits go in, in the order of the
// kernel. Each exit of a process that had executed a program gives its Lifetime,
// once.
//
// Events may be missing; the BPF programs count them. An exec without its fork takes
// the parent at that moment for lineage. An exit without its exec gives a lifetime
// with an estimated start. A lifetime whose exit is missing ends, estimated, when
// its pid is reused or the process is found to be gone. Processes that never execute a
// program get a lifetime by Policy.Forks.
type Table struct {
	limits Limits
	policy Policy
	ids    IDs
	// now is the latest time that an event or Advance has had.
	now Time
	// living has at most one process for a pid. Each use compares start times, so
	// that pid reuse never joins strangers.
	living map[uint32]*entry
	// order links the entries from the oldest to the newest, in a ring around itself.
	order entry
	// accounts has what the running processes of each user take, bytes the sum.
	accounts map[uint32]*account
	bytes    int
	// crowded is the account with the most processes, as long as it has more than
	// crowdedLeast.
	crowded      *account
	crowdedLeast int
	// ended has the last processes to end, each at its pid modulo the length. Late
	// events for them, such as a second exit, are ignored, and they may have killed
	// processes that end after them.
	ended [1024]ended
	// traces has the traces with a running process, and idle those that others may
	// still join.
	traces map[traceKey]*trace
	idle   list.List
	// undecided has the spans that deferred lifetimes depend on.
	undecided spanHeap
	// deferred is how many lifetimes are deferred, deferredBytes what they take.
	deferred, deferredBytes int

	out   []*Lifetime
	stats Stats
	// droppedBy has the parts of Stats.Dropped, by rule.
	droppedBy map[string]uint64
	judged    judged
	// entries and lifetimes are free lists.
	entries   pool[entry]
	lifetimes pool[Lifetime]
}

// Stats counts what a Table did since it was made.
type Stats struct {
	// Living is how many processes are running.
	Living int
	// Ended is how many lifetimes were handed out.
	Ended uint64
	// Filtered is how many processes were too short for a span.
	Filtered uint64
	// Dropped is how many processes rules dropped.
	Dropped uint64
	// SampledOut is how many processes were in traces that are not sampled.
	SampledOut uint64
	// Deferred is how many lifetimes cannot be handed out before their parents are
	// known.
	Deferred int
	// BadTraceparent is how many invalid values of TRACEPARENT were ignored.
	BadTraceparent uint64
	// Evicted is how many running processes were dropped because of
	// Limits.Processes.
	Evicted uint64
	// Shed is how often a running process lost details because of Limits.Bytes: its
	// re-execs, then its arguments, then its paths.
	Shed uint64
	// Forgotten is how many of the evicted had executed a program.
	Forgotten uint64
	// Estimated is how many ends were not seen.
	Estimated uint64
	// Continued is how many traces were begun because others were full.
	Continued uint64
	// Seen is how many lifetimes were begun, always the sum of Ended, Filtered,
	// Dropped, SampledOut, Deferred, Forgotten and Running. The exit of an evicted process
	// begins another one.
	Seen uint64
	// Running is how many running processes will have a span, or may have: those that
	// have executed a program, and forked ones if all get a span.
	Running int
}

// NewTable returns an empty table with the ids of this boot of the machine.
func NewTable(limits Limits, policy Policy, ids IDs) *Table {
	t := &Table{limits: limits, policy: policy, ids: ids, living: make(map[uint32]*entry),
		accounts: make(map[uint32]*account), droppedBy: make(map[string]uint64), traces: make(map[traceKey]*trace)}
	t.order.older, t.order.newer = &t.order, &t.order
	return t
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Living = len(t.living)
	s.Deferred = t.deferred
	return s
}

// Traces returns how many traces have a running process.
func (t *Table) Traces() int { return len(t.traces) - t.idle.Len() }

// Has reports whether the table has a process.
func (t *Table) Has(id ID) bool { return t.find(id) != nil }

// ContextOf returns the span that a running process will have, and the first process
// of its trace on this machine. It returns false if the process will have no span, or
// may have none: its trace is not sampled, or it may turn out to be too short.
func (t *Table) ContextOf(id ID) (context SpanContext, root ID, ok bool) {
	e := t.find(id)
	if e == nil || e.span == nil || !e.span.sampled || !t.certain(e.span) {
		return SpanContext{}, ID{}, false
	}
	return SpanContext{e.span.trace.id, t.spanIDOf(e.span)}, e.span.trace.root, true
}

// Adopt enters processes that are running and whose events were not seen: before the
// first Apply those that are older, later those whose events were lost. It skips
// those that the table has, or has seen end. Their parents, and the boundaries between them, are those
// of now. Like Apply it returns lifetimes: an adopted process may have the pid of one
// that ended unseen.
func (t *Table) Adopt(running []Living) []*Lifetime {
	t.begin(t.now)
	slices.SortFunc(running, func(a, b Living) int { return cmp.Compare(a.ID.Start, b.ID.Start) })
	for i := range running {
		if id := running[i].ID; t.find(id) == nil && !t.hasEnded(id) {
			t.adopt(&running[i])
		}
	}
	return t.out
}

func (t *Table) adopt(p *Living) {
	above := t.lineageNow(p.Parent)
	e := t.enter(p.ID)
	e.lineage = above
	e.parentPID = p.Parent.PID
	e.image = p.Image
	e.program = program{execID: p.ExecID, now: p.Executable}
	if p.Execed {
		e.now = p.Image.Executable
	}
	e.groups, e.credentials, e.namespaces, e.vpid = p.Groups, p.Credentials, p.Namespaces, p.VPID
	e.payer = payer(p.Credentials)
	e.remote = p.Remote
	if p.Execed {
		e.span = t.newSpan(e, p.Groups, &p.Image)
	} else {
		t.forkSpan(e)
	}
	if e.span != nil {
		e.span.preexisting = true
	}
	t.charge(e)
}

// Apply takes the next event. It returns the lifetimes that are complete now: of the
// process that ended, of one whose end it shows, and of those that were deferred. The
// slice is valid until the next call. Apply sets the Script of an Exec's Image.
func (t *Table) Apply(ev *Event) []*Lifetime {
	t.begin(ev.At)
	if t.hasEnded(ev.ID) {
		return t.out
	}
	switch ev.Kind {
	case Fork:
		t.fork(ev)
	case Exec:
		t.exec(ev)
	case Exit:
		t.exit(ev)
	}
	return t.out
}

// Advance sets the time if no event does. It returns deferred lifetimes, as Apply
// does.
func (t *Table) Advance(now Time) []*Lifetime {
	t.begin(now)
	return t.out
}

// begin begins a call that returns lifetimes.
func (t *Table) begin(now Time) {
	clear(t.out)
	t.out = t.out[:0]
	t.now = max(t.now, now)
	t.promiseMature()
}

// Close returns the deferred lifetimes, as Apply does. No events may follow: it
// drops undecided parents.
func (t *Table) Close() []*Lifetime {
	clear(t.out)
	t.out = t.out[:0]
	for len(t.undecided) > 0 {
		t.decide(t.undecided[0], filtered)
	}
	return t.out
}

// Recycle takes back a lifetime that was handed out, for reuse. Nobody may use it
// any more. Calling Recycle is optional.
func (t *Table) Recycle(l *Lifetime) { t.lifetimes.put(l) }

func (t *Table) fork(ev *Event) {
	parent := t.find(ev.Parent)
	if parent != nil {
		parent.groups = ev.Groups
	}
	above := lineageOf(parent, ev.Groups)
	e := t.enter(ev.ID)
	e.lineage = above
	e.execID = ev.ExecID
	e.payer = unknownUser
	if parent != nil {
		e.program = parent.fork(ev.ExecID)
		e.payer = parent.payer
	}
	e.parentPID = ev.Parent.PID
	e.groups = ev.Groups
	t.forkSpan(e)
	t.charge(e)
}

func (t *Table) exec(ev *Event) {
	e := t.find(ev.ID)
	missed := false // execs before this one
	forked := e != nil && (e.span == nil || e.span.forked)
	if e == nil {
		above := t.lineageNow(ev.Parent)
		e = t.enter(ev.ID)
		e.lineage = above
		missed = !ev.FirstExec
	} else if forked {
		missed = !ev.FirstExec && ev.ExecID != e.execID+1
	}
	ev.Image.Script = e.image.scriptIn(&ev.Image)
	switch {
	case (e.span == nil || forked) && !missed, ev.FirstExec && !e.seen:
		// In the second case, the process was listed after this exec.
		e.seen = true
		e.start = ev.At
		e.before = ev.Usage
		if e.span != nil {
			e.span.start = ev.At
		}
	case len(e.reexecs) < maxReexecs && e.bytes < maxReexecBytes:
		from := e.image.Executable
		if ev.ExecID <= e.execID {
			from = "" // the process was listed after this exec
		}
		e.reexecs = append(e.reexecs, Reexec{At: ev.At, From: from, To: ev.Image})
		if e.span != nil {
			e.span.grow(&ev.Image)
		}
	default:
		e.reexecsDropped++
	}
	e.credentials, e.namespaces, e.vpid = ev.Credentials, ev.Namespaces, ev.VPID
	e.payer = payer(ev.Credentials)
	if e.span == nil {
		e.span = t.newSpan(e, ev.Groups, &ev.Image)
	} else {
		e.span.forked = false
		e.span.ruling = t.judge(e, &ev.Groups, &ev.Image)
		t.placeAgain(e, ev.Groups, &ev.Image)
		t.setRuling(e.span)
	}
	e.program.exec(ev.ExecID, ev.Image.Executable)
	e.parentPID = ev.Parent.PID
	e.image = ev.Image
	e.groups = ev.Groups
	t.charge(e)
}

// lineageNow is the lineage of a process whose fork was not seen: its parent at this
// moment is the best that is known.
func (t *Table) lineageNow(parent ID) lineage {
	p := t.find(parent)
	if p == nil {
		return lineage{}
	}
	return lineageOf(p, p.groups)
}

// newSpan begins the span of a process.
func (t *Table) newSpan(e *entry, groups Groups, im *Image) *span {
	t.stats.Seen++
	t.stats.Running++
	s := t.place(e, t.judge(e, &groups, im), groups, im)
	t.setRuling(s)
	return s
}
