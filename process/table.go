package process

import (
	"cmp"
	"container/heap"
	"container/list"
	"slices"
)

// Limits bounds a Table. Beyond a limit the process that was entered first is
// forgotten and counted; its exit then still makes a lifetime, with what the
// exit alone tells.
type Limits struct {
	// Processes is how many living processes are kept.
	Processes int
	// Bytes is how much memory their strings and re-execs take, roughly.
	Bytes int
}

// maxReexecs and maxReexecBytes bound what is kept of the execs of one process,
// which may exec for ever.
const (
	maxReexecs     = 128
	maxReexecBytes = 64 << 10
)

// Table follows the living: forks, execs and exits go in, in the kernel's
// order, and each exit of a process that had executed a program gives its
// Lifetime, once.
//
// Where events are missing (the counters of the kernel side tell that), the
// table goes on with what it has: an exec without its fork has its parent at
// that moment for lineage; an exit without its exec makes a lifetime whose
// start is estimated; a lifetime whose exit is missing ends, estimated, when
// its pid is used again or it is found to be Gone.
type Table struct {
	limits Limits
	policy Policy
	ids    IDs
	// now is the latest moment that events told of.
	now uint64
	// A pid has at most one living process. Its start time is compared at each
	// use, so that pid reuse never joins strangers.
	living map[uint32]*entry
	// Entries from the oldest to the newest; a ring with itself as the anchor.
	order entry
	bytes int
	// The last to end, each in the place of its pid modulo the length: what
	// still comes of them, a second exit above all, is told of nobody; and whom
	// they killed may end after them.
	ended [1024]ended
	// The traces that have a living process, and the last joined ones that have
	// none any more.
	traces map[TraceID]*trace
	idle   list.List
	// The spans that lifetimes wait for, and how many wait.
	undecided spanHeap
	waiting   int
	out       []*Lifetime
	stats     Stats
	// What is used again instead of being made anew.
	entries   pool[entry]
	lifetimes pool[Lifetime]
}

// Stats counts what a Table did since it was made.
type Stats struct {
	// Living is how many processes it holds now.
	Living int
	// Ended is how many lifetimes it gave out.
	Ended uint64
	// LeftOut is how many processes were too short to get a span.
	LeftOut uint64
	// SampledOut is how many processes were of traces that are not exported.
	SampledOut uint64
	// Waiting is how many lifetimes wait to know what they hang on.
	Waiting int
	// BadTraceparent is how many values of TRACEPARENT were ignored, because they
	// are not valid.
	BadTraceparent uint64
	// Evicted is how many living processes were forgotten because of Limits.
	Evicted uint64
	// Forgotten is how many of the evicted had executed a program.
	Forgotten uint64
	// Estimated is how many ends were not told and found out later.
	Estimated uint64
	// Seen is how many lifetimes were begun, those that are forgotten and begun
	// anew by their exit twice. It is always the sum of Ended, LeftOut, SampledOut,
	// Waiting, Forgotten and Running.
	Seen uint64
	// Running is how many of the living have executed a program.
	Running int
}

// entry is one living process.
type entry struct {
	id      ID
	lineage lineage
	span    *span // nil until it has executed a program
	seen    bool  // its first exec was seen; otherwise start is estimated
	start   uint64
	program
	// groups is what it belonged to when that was last told.
	groups Groups
	remote Remote // as in Living
	// parentPID is that of the parent at the last exec.
	parentPID      uint32
	vpid           uint32
	credentials    Credentials
	namespaces     Namespaces
	image          Image
	reexecs        []Reexec
	reexecsDropped int
	bytes          int

	older, newer *entry
}

// NewTable returns an empty table, with the ids of this boot of the machine.
func NewTable(limits Limits, policy Policy, ids IDs) *Table {
	t := &Table{limits: limits, policy: policy, ids: ids, living: make(map[uint32]*entry), traces: make(map[TraceID]*trace)}
	t.order.older, t.order.newer = &t.order, &t.order
	return t
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Living = len(t.living)
	s.Waiting = t.waiting
	return s
}

// Traces returns how many traces have a living process.
func (t *Table) Traces() int { return len(t.traces) - t.idle.Len() }

// Has reports whether the table holds a process.
func (t *Table) Has(id ID) bool { return t.find(id) != nil }

// Placed returns the span that a living process will have, and the first process
// of its trace here. ok is false when it will have none, or when nobody can know
// yet: its trace is not sampled, or it may be too short.
func (t *Table) Placed(id ID) (at SpanContext, root ID, ok bool) {
	e := t.find(id)
	if e == nil || e.span == nil || !e.span.trace.sampled || t.policy.MinDuration > 0 {
		return SpanContext{}, ID{}, false
	}
	return SpanContext{e.span.trace.id, t.spanIDOf(e.span)}, e.span.trace.root, true
}

// Adopt takes in processes that are alive and that no event told of: before the
// first call of Apply those that are older, later those whose events were lost.
// Those that the table holds already stay as they are. Their parents are those of
// now, and so are the boundaries between them. It returns what Apply does: they
// may have the pids of others that ended unseen.
func (t *Table) Adopt(living []Living) []*Lifetime {
	t.hear(t.now)
	slices.SortFunc(living, func(a, b Living) int { return cmp.Compare(a.ID.Start, b.ID.Start) })
	for i := range living {
		if t.find(living[i].ID) == nil {
			t.adopt(&living[i])
		}
	}
	return t.out
}

func (t *Table) adopt(p *Living) {
	lineage := t.guess(p.Parent)
	e := t.enter(p.ID)
	e.lineage = lineage
	e.parentPID = p.Parent.PID
	e.image = p.Image
	e.program = program{execID: p.ExecID, now: p.Executable}
	if p.Execed {
		e.now = p.Image.Executable
	}
	e.groups, e.credentials, e.namespaces, e.vpid = p.Groups, p.Credentials, p.Namespaces, p.VPID
	e.remote = p.Remote
	if p.Execed {
		e.span = t.begin(e, p.Groups, &p.Image)
		e.span.older = true
	}
	t.account(e)
}

// begin gives a process its span.
func (t *Table) begin(e *entry, groups Groups, im *Image) *span {
	t.stats.Seen++
	t.stats.Running++
	return t.place(e, e.start, groups, im)
}

// Apply takes the next event, and returns the lifetimes that it finished: when
// it ends a process that had executed a program, or shows that one ended unseen,
// and, where short processes are left out, when it lets others be handed out that
// waited. The slice is valid until the next call.
func (t *Table) Apply(ev *Event) []*Lifetime {
	t.hear(ev.At)
	if last := &t.lastOf(ev.ID.PID).id; last.PID == ev.ID.PID && last.Start >= ev.ID.Start {
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

// Advance tells the time, in nanoseconds since boot, where no event does, and
// returns what need not wait any longer, as Apply does.
func (t *Table) Advance(now uint64) []*Lifetime {
	t.hear(now)
	return t.out
}

// hear begins a new round of output at a moment.
func (t *Table) hear(now uint64) {
	clear(t.out)
	t.out = t.out[:0]
	t.now = max(t.now, now)
	t.grownUp()
}

// Close returns what still waits, as Apply does, when no more events will come:
// nothing hangs on a process whose fate is not known.
func (t *Table) Close() []*Lifetime {
	clear(t.out)
	t.out = t.out[:0]
	for len(t.undecided) > 0 {
		t.decide(t.undecided[0], leftOut)
	}
	return t.out
}

func (t *Table) fork(ev *Event) {
	parent := t.find(ev.Parent)
	if parent != nil {
		parent.groups = ev.Groups
	}
	lineage := lineageOf(parent, ev.Groups)
	e := t.enter(ev.ID)
	e.lineage = lineage
	e.execID = ev.ExecID
	if parent != nil {
		e.program = parent.fork(ev.ExecID)
	}
	e.parentPID = ev.Parent.PID
	e.groups = ev.Groups
	t.account(e)
}

// guess is the lineage of a process whose fork is missing: its parent at this
// moment is the best known.
func (t *Table) guess(parent ID) lineage {
	p := t.find(parent)
	if p == nil {
		return lineage{}
	}
	return lineageOf(p, p.groups)
}

func (t *Table) exec(ev *Event) {
	e := t.find(ev.ID)
	missed := false // execs before this one
	if e == nil {
		lineage := t.guess(ev.Parent)
		e = t.enter(ev.ID)
		e.lineage = lineage
		missed = !ev.FirstExec
	} else if e.span == nil {
		missed = !ev.FirstExec && ev.ExecID != e.execID+1
	}
	switch {
	case e.span == nil && !missed, ev.FirstExec && !e.seen:
		// In the second case, the list of the living shows the process as it was
		// after this exec.
		e.seen = true
		e.start = ev.At
		if e.span != nil {
			e.span.start = ev.At
			if len(e.span.waiting) > 0 {
				heap.Fix(&t.undecided, e.span.index)
			}
		}
	case len(e.reexecs) < maxReexecs && e.bytes < maxReexecBytes:
		from := e.image.Executable
		if ev.ExecID <= e.execID {
			from = "" // the list of the living shows what came after this exec
		}
		e.reexecs = append(e.reexecs, Reexec{At: ev.At, From: from, To: ev.Image})
	default:
		e.reexecsDropped++
	}
	if e.span == nil {
		e.span = t.begin(e, ev.Groups, &ev.Image)
	} else {
		t.moveOn(e, ev.Groups, &ev.Image)
	}
	e.program.exec(ev.ExecID, ev.Image.Executable)
	e.parentPID = ev.Parent.PID
	e.image = ev.Image
	e.groups, e.credentials, e.namespaces, e.vpid = ev.Groups, ev.Credentials, ev.Namespaces, ev.VPID
	t.account(e)
}

// Recycle takes back a lifetime that was handed out and that nobody uses any
// more, to make another of it. Whoever keeps lifetimes need not call it.
func (t *Table) Recycle(l *Lifetime) { t.lifetimes.put(l) }

// find returns the entry of id, or nil.
func (t *Table) find(id ID) *entry {
	if e := t.living[id.PID]; e != nil && e.id == id {
		return e
	}
	return nil
}

// enter makes a new entry for id as the newest. A process that held the pid
// until now is gone, and its exit was lost, unless it is id itself or a later
// one: the list of the living may tell of a process before its fork event does,
// and before the last events of the process that had the pid until then.
func (t *Table) enter(id ID) *entry {
	e := t.entries.get()
	e.id, e.start = id, id.Start
	if old := t.living[id.PID]; old != nil {
		switch {
		case old.id.Start < id.Start:
			t.endUnseen(old, id.Start)
		case old.id == id:
			e.remote = old.remote
			fallthrough
		default: // it will be told of again
			if old.span != nil {
				t.stats.Seen--
			}
			t.lose(old)
		}
	}
	t.insert(e)
	return e
}

// insert makes e the newest.
func (t *Table) insert(e *entry) {
	t.living[e.id.PID] = e
	e.older, e.newer = t.order.older, &t.order
	e.older.newer, e.newer.older = e, e
}

// lose forgets a process without its exit: nothing more hangs on its span.
func (t *Table) lose(e *entry) {
	t.forget(e)
	s := e.span
	t.entries.put(e)
	if s != nil {
		t.stats.Running--
		s.fold()
		t.leaveTrace(s, false)
		if s.up != nil {
			s.up.leftOut += s.leftOut
		}
		t.decide(s, leftOut)
	}
}

func (t *Table) forget(e *entry) {
	delete(t.living, e.id.PID)
	e.older.newer, e.newer.older = e.newer, e.older
	e.older, e.newer = nil, nil
	t.bytes -= e.bytes
}

// account brings the byte count up to date after a change to e, and makes room
// by forgetting the oldest, but never e itself.
func (t *Table) account(e *entry) {
	t.count(e)
	for len(t.living) > t.limits.Processes || t.bytes > t.limits.Bytes {
		oldest := t.order.newer
		if oldest == e {
			oldest = e.newer
		}
		if oldest == &t.order {
			return
		}
		t.stats.Evicted++
		if oldest.span != nil {
			t.stats.Forgotten++
		}
		t.lose(oldest)
	}
}

// count brings the byte count up to date after a change to e.
func (t *Table) count(e *entry) {
	t.bytes -= e.bytes
	e.bytes = e.image.size()
	for i := range e.reexecs {
		e.bytes += len(e.reexecs[i].From) + e.reexecs[i].To.size()
	}
	t.bytes += e.bytes
}

func (im *Image) size() int {
	return len(im.Filename) + len(im.Executable) + len(im.WorkingDirectory) + len(im.Args) + len(im.Environment)
}
