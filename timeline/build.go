package timeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/procspan/procspan/process"
)

// Builder gathers lifetimes. The zero value is not usable; see NewBuilder.
type Builder struct {
	rows  []row
	texts map[string]Text
	all   []string
	args  []Text
	// recent are texts that were seen last, by a cheap hash: most are options, which
	// every process of a job has.
	recent [256]Text
	// What few lifetimes have, by row.
	killers map[int]Killer
	reexecs map[int][]reexec
	places  map[int]place // of those without a parent on this machine
}

// place is where a span without a parent on this machine stands.
type place struct {
	trace  process.TraceID
	remote process.SpanID
}

// row is one lifetime until all are known. It has no pointers: there may be
// millions, and the garbage collector then passes them over.
type row struct {
	id, parent                                process.ID
	start, end                                process.Time
	program, executable, directory, container Text
	status                                    process.Status
	flags                                     Flags
	session                                   uint32
	user, system, delay                       int64
	rss                                       uint64
	argAt, argEnd                             uint32
	filtered                                  int32
}

type reexec struct {
	at      process.Time
	program Text
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder {
	return &Builder{texts: map[string]Text{"": 0}, all: []string{""}, killers: map[int]Killer{}, reexecs: map[int][]reexec{}, places: map[int]place{}}
}

// Len returns how many lifetimes were added.
func (b *Builder) Len() int { return len(b.rows) }

// Add takes a finished lifetime and the container that it ran in, which may be
// "". It keeps nothing of l.
func (b *Builder) Add(l *process.Lifetime, container string) {
	r := row{
		id: l.ID, parent: l.Parent, start: l.Start, end: max(l.End, l.Start),
		program:    b.text(l.Name()),
		executable: b.text(l.Image.Executable),
		directory:  b.text(l.Image.WorkingDirectory),
		container:  b.text(container),
		status:     l.Status, session: l.Groups.Session,
		user: int64(l.Usage.UserTime), system: int64(l.Usage.SystemTime),
		rss: l.Usage.PeakRSS, filtered: int32(l.Filtered),
		argAt: uint32(len(b.args)),
	}
	for arg := range l.Image.Arguments() {
		b.args = append(b.args, b.text(arg))
	}
	r.argEnd = uint32(len(b.args))
	set := func(f Flags, when bool) {
		if when {
			r.flags |= f
		}
	}
	set(Failed, l.Status.ExitCode() != 0 && !l.Expected && !l.EndEstimated)
	set(Expected, l.Expected)
	set(StartEstimated, l.StartEstimated)
	set(EndEstimated, l.EndEstimated)
	set(ArgsCut, l.Image.ArgsCut)
	set(OOMKilled, l.OOM.Killed)
	set(ParentWaited, l.ParentWaiting == process.Yes)
	set(ParentWorked, l.ParentWaiting == process.No)
	set(DelayKnown, l.Usage.RunDelayKnown)
	r.delay = int64(l.Usage.RunDelay)
	if l.Killer.ID.PID != 0 {
		b.killers[len(b.rows)] = Killer{PID: l.Killer.ID.PID, Name: cmp.Or(l.Killer.Executable, l.Killer.Comm)}
	}
	if l.ParentRemote || l.ParentSpan == (process.SpanID{}) {
		p := place{trace: l.Context.Trace}
		if l.ParentRemote {
			p.remote = l.ParentSpan
		}
		b.places[len(b.rows)] = p
	}
	for _, e := range l.Reexecs {
		b.reexecs[len(b.rows)] = append(b.reexecs[len(b.rows)], reexec{e.At, b.text(e.To.Name())})
	}
	b.rows = append(b.rows, r)
}

// text interns s. Strings of a lifetime may share memory that is used again.
func (b *Builder) text(s string) Text {
	if s == "" {
		return 0
	}
	recent := &b.recent[byte(len(s)*37)+s[len(s)-1]*5+s[0]+s[len(s)/2]*3]
	if b.all[*recent] == s {
		return *recent
	}
	t, ok := b.texts[s]
	if !ok {
		s = string([]byte(s))
		t = Text(len(b.all))
		b.texts[s] = t
		b.all = append(b.all, s)
	}
	*recent = t
	return t
}

// Model returns the model of everything that was added. The Builder is then
// empty.
func (b *Builder) Model(job Job) *Model {
	rows := b.rows
	origin, end, root := extent(rows, job.Root)
	parents := b.parents(rows)
	order := topological(rows, parents)
	job.Origin = origin
	if root != None {
		job.Trace, job.RemoteParent = b.places[root].trace, b.places[root].remote
	}
	m := newModel(len(rows), job, b.all)
	place := make([]int32, len(rows)) // of each row in the model
	for i, r := range order {
		place[r] = int32(i)
	}
	m.args = make([]Text, 0, len(b.args))
	for i, at := range order {
		r := &rows[at]
		m.set(i, r, origin)
		if p := parents[at]; p != None {
			m.Parent[i] = place[p]
			if r.session != rows[p].session {
				m.Flags[i] |= NewSession
			}
			// A child cannot have executed anything before its parent: only an
			// estimated start can say so.
			m.Start[i] = max(m.Start[i], m.Start[place[p]])
			m.End[i] = max(m.End[i], m.Start[i])
		}
		m.argAt[i] = uint32(len(m.args))
		m.args = append(m.args, b.args[r.argAt:r.argEnd]...)
	}
	m.argAt[len(rows)] = uint32(len(m.args))
	for at, k := range b.killers {
		m.Killers[place[at]] = k
	}
	for at, all := range b.reexecs {
		for _, e := range all {
			m.Reexecs[place[at]] = append(m.Reexecs[place[at]], Reexec{At: int64(e.at.Sub(origin)), Program: e.program})
		}
	}
	if root != None {
		m.Root = int(place[root])
		m.Elapsed = time.Duration(m.End[m.Root])
	} else {
		m.Elapsed = end.Sub(origin)
	}
	m.link()
	m.pack()
	*b = *NewBuilder()
	return m
}

// extent returns the first start, the last end and the row of the root. Where
// there is a root, the first start is its.
func extent(rows []row, id process.ID) (origin, end process.Time, root int) {
	root = None
	for i := range rows {
		r := &rows[i]
		if i == 0 || r.start < origin {
			origin = r.start
		}
		end = max(end, r.end)
		if r.id == id && !id.IsZero() {
			root = i
		}
	}
	if root != None {
		origin, end = rows[root].start, rows[root].end
	}
	return origin, end, root
}

// parents returns the row of each row's parent, or None.
func (b *Builder) parents(rows []row) []int32 {
	at := make(map[process.ID]int32, len(rows))
	for i := range rows {
		at[rows[i].id] = int32(i)
	}
	parents := make([]int32, len(rows))
	for i := range rows {
		p, ok := at[rows[i].parent]
		if !ok || int(p) == i {
			p = None
		}
		parents[i] = p
	}
	return parents
}

// topological returns the rows ordered by start, each behind its parent. Parents
// that form a circle, which only a damaged file can say, are cut.
func topological(rows []row, parents []int32) []int32 {
	order := make([]int32, len(rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, c int32) int {
		x, y := &rows[a], &rows[c]
		return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.id.Start, y.id.Start), cmp.Compare(x.id.PID, y.id.PID))
	})
	const waiting, open, done = 0, 1, 2
	state := make([]byte, len(rows))
	sorted := make([]int32, 0, len(rows))
	var path []int32
	for _, r := range order {
		for at := r; at != None && state[at] == waiting; at = parents[at] {
			state[at] = open
			path = append(path, at)
			if p := parents[at]; p != None && state[p] == open {
				parents[at] = None
			}
		}
		for len(path) > 0 {
			last := path[len(path)-1]
			path = path[:len(path)-1]
			state[last] = done
			sorted = append(sorted, last)
		}
	}
	return sorted
}

func newModel(n int, job Job, texts []string) *Model {
	m := &Model{
		Job: job, Root: None, Texts: texts,
		PID: make([]uint32, n), Parent: make([]int32, n),
		Forked: make([]int64, n), Start: make([]int64, n), End: make([]int64, n),
		Program: make([]Text, n), Executable: make([]Text, n), Directory: make([]Text, n), Container: make([]Text, n),
		Status: make([]process.Status, n), Flags: make([]Flags, n),
		User: make([]int64, n), System: make([]int64, n), RunDelay: make([]int64, n), PeakRSS: make([]uint64, n),
		Lane:    make([]int32, n),
		Killers: map[int32]Killer{}, Reexecs: map[int32][]Reexec{}, Filtered: map[int32]int{},
		argAt: make([]uint32, n+1),
	}
	for i := range m.Parent {
		m.Parent[i] = None
	}
	return m
}

// set fills in the columns of process i.
func (m *Model) set(i int, r *row, origin process.Time) {
	m.PID[i] = r.id.PID
	m.Forked[i] = int64(r.id.Start.Sub(origin))
	m.Start[i], m.End[i] = int64(r.start.Sub(origin)), int64(r.end.Sub(origin))
	m.Program[i], m.Executable[i], m.Directory[i], m.Container[i] = r.program, r.executable, r.directory, r.container
	m.Status[i], m.Flags[i] = r.status, r.flags
	m.User[i], m.System[i], m.RunDelay[i], m.PeakRSS[i] = r.user, r.system, r.delay, r.rss
	if r.filtered > 0 {
		m.Filtered[int32(i)] = int(r.filtered)
	}
}

// link makes the lists of children.
func (m *Model) link() {
	n := m.Len()
	m.childAt = make([]uint32, n+1)
	for _, p := range m.Parent {
		if p != None {
			m.childAt[p+1]++
		}
	}
	for i := range n {
		m.childAt[i+1] += m.childAt[i]
	}
	m.children = make([]int32, m.childAt[n])
	next := slices.Clone(m.childAt)
	for i, p := range m.Parent { // by start, since the processes are
		if p != None {
			m.children[next[p]] = int32(i)
			next[p]++
		}
	}
}
