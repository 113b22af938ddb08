package process

import (
	"cmp"
	"maps"
	"slices"
)

// kernel models what the kernel does to processes, and the events that it reports. It
// knows nothing of tables, so it shows what a Table should have found out.
type kernel struct {
	now    Time
	living map[uint32]*proc
	// dead are those that ended, in that order.
	dead []*proc
}

// proc is one process of the model, with its whole history.
type proc struct {
	id ID
	// forker is the process that called fork; nil when it is of no interest.
	forker *proc
	// parent is real_parent now; nil above the first process.
	parent *proc
	comm   string
	// groups and env are those of now; base is what the forker belonged to at
	// the fork.
	groups, base Groups
	env          string
	user         uint32
	execs        []modelExec
	end          Time  // 0 while it lives
	last         *proc // the parent at the end
	status       Status
	// runs is the file that it runs: its own program, or its forker's.
	runs string
	// struck is what will kill it, and struckBy who runs what then.
	struck   Killer
	struckBy *proc
	// selfExecID and parentExecID are those of task_struct.
	selfExecID, parentExecID uint64
}

type modelExec struct {
	at     Time
	parent *proc
	image  Image
	groups Groups
	user   uint32
}

// newKernel returns a machine with one process, pid 1, that has executed init.
func newKernel() *kernel {
	k := &kernel{living: make(map[uint32]*proc)}
	k.tick()
	first := &proc{id: ID{1, k.now}, comm: "init"}
	k.living[1] = first
	k.exec(first, Image{Filename: "/sbin/init", Executable: "/sbin/init"})
	return k
}

func (k *kernel) tick() Time { k.now++; return k.now }

func (k *kernel) init() *proc { return k.living[1] }

// byAge returns the living, the oldest first.
func (k *kernel) byAge() []*proc {
	return slices.SortedFunc(maps.Values(k.living), func(a, b *proc) int { return cmp.Compare(a.id.Start, b.id.Start) })
}

func (k *kernel) fork(forker *proc, pid uint32) (*proc, Event) {
	p := k.clone(forker, pid)
	p.parent, p.parentExecID = forker, forker.selfExecID
	return p, k.forked(p)
}

func (k *kernel) forked(p *proc) Event {
	return Event{Kind: Fork, At: k.tick(), ID: p.id, Parent: p.forker.id, Comm: p.comm, ExecID: p.selfExecID, Groups: p.base}
}

// forkSibling is a clone with CLONE_PARENT: the caller's parent is the parent,
// but the tracepoint still reports the caller.
func (k *kernel) forkSibling(forker *proc, pid uint32) (*proc, Event) {
	p := k.clone(forker, pid)
	p.parent, p.parentExecID = forker.parent, forker.parentExecID
	return p, k.forked(p)
}

// taken reports whether a pid cannot be given out: it names a process, or a group
// or session that has a member.
func (k *kernel) taken(pid uint32) bool {
	for _, p := range k.living {
		if p.id.PID == pid || p.groups.Session == pid || p.groups.Group == pid {
			return true
		}
	}
	return false
}

func (k *kernel) clone(forker *proc, pid uint32) *proc {
	if k.living[pid] != nil {
		panic("the pid is in use")
	}
	p := &proc{id: ID{pid, k.tick()}, forker: forker, comm: forker.comm, selfExecID: forker.selfExecID}
	p.groups, p.base, p.env, p.user = forker.groups, forker.groups, forker.env, forker.user
	p.runs = forker.runs
	k.living[pid] = p
	return p
}

func (k *kernel) exec(p *proc, image Image) Event {
	p.selfExecID++
	p.comm, p.runs = image.Name(), image.Executable
	image.Environment = p.env
	p.execs = append(p.execs, modelExec{at: k.tick(), parent: p.parent, image: image, groups: p.groups, user: p.user})
	return Event{
		Kind: Exec, At: k.now, ID: p.id, Parent: p.parent.ident(), Comm: p.comm, Image: image,
		ExecID: p.selfExecID, FirstExec: p.selfExecID-p.parentExecID == 1, Groups: p.groups, Credentials: Credentials{RealUser: p.user},
	}
}

// exit ends p and gives its children to init.
func (k *kernel) exit(p *proc, status Status) Event {
	if p.id.PID == 1 {
		panic("init does not exit")
	}
	p.end, p.last, p.status = k.tick(), p.parent, status
	for _, child := range k.living {
		if child.parent == p {
			child.parent = k.init()
		}
	}
	delete(k.living, p.id.PID)
	k.dead = append(k.dead, p)
	ev := Event{
		Kind: Exit, At: p.end, ID: p.id, Parent: p.last.ident(), Comm: p.comm, Status: status,
		Execed: len(p.execs) > 0, ExecID: p.selfExecID,
		Killer: Killer{ID: p.struck.ID, ExecID: p.struck.ExecID, Comm: p.struck.Comm},
	}
	if !ev.Execed {
		ev.Groups, ev.Credentials = p.groups, Credentials{RealUser: p.user}
	}
	return ev
}

// strike makes p send the signal that will kill q, unless another one follows.
func (k *kernel) strike(p, q *proc) {
	q.struckBy = p
	q.struck = Killer{ID: p.id, ExecID: p.selfExecID, Comm: p.comm, Executable: p.runs}
}

// setsid makes p the leader of a session, without a terminal.
func (k *kernel) setsid(p *proc) {
	p.groups.Session, p.groups.Group, p.groups.Terminal = p.id.PID, p.id.PID, 0
}

// setenv sets the environment of the programs that p and its children execute.
func (k *kernel) setenv(p *proc, variables ...string) {
	p.env = ""
	for _, v := range variables {
		p.env += v + "\x00"
	}
}

// snapshot returns p as a list of running processes has it now.
func (k *kernel) snapshot(p *proc) Living {
	l := Living{ID: p.id, Parent: p.parent.ident(), Execed: len(p.execs) > 0, ExecID: p.selfExecID, Groups: p.groups, Credentials: Credentials{RealUser: p.user}}
	if !l.Execed {
		l.Executable = p.runs
	} else {
		l.Image = p.execs[len(p.execs)-1].image
		l.Image.Filename = "" // /proc does not tell it
	}
	return l
}

func (p *proc) ident() ID {
	if p == nil {
		return ID{}
	}
	return p.id
}

// observer is somebody who attached at a moment, and then listed the living.
type observer struct {
	attached Time
	listed   map[ID]*listed
}

type listed struct {
	parent *proc
	execed bool
}

// wantParent returns the process that the span of p belongs under, for an
// observer who missed nothing since: the nearest ancestor that had executed a
// program when it forked, below init; for those that were listed, the parents
// are those of the list.
func (p *proc) wantParent(o *observer) *proc {
	for {
		up, execed := p.forker, false
		if p.id.Start < o.attached {
			l := o.listed[p.id]
			if l == nil || l.parent == nil || o.listed[l.parent.id] == nil {
				return nil
			}
			up, execed = l.parent, o.listed[l.parent.id].execed
		} else if up != nil {
			execed = len(up.execs) > 0 && up.execs[0].at < p.id.Start
		}
		if up == nil || up.id.PID == 1 {
			return nil
		}
		if execed {
			return up
		}
		p = up
	}
}

// wantRoot returns the process that the trace of p begins with.
func (p *proc) wantRoot(o *observer) *proc {
	for parent := p.wantParent(o); parent != nil; parent = p.wantParent(o) {
		p = parent
	}
	return p
}

// want returns the lifetime of p, dead, as an observer who missed nothing since
// it attached has it; nil when there should be none.
func (p *proc) want(o *observer) *Lifetime {
	if len(p.execs) == 0 || p.end <= o.attached {
		return nil
	}
	first, last := p.execs[0], p.execs[len(p.execs)-1]
	l := &Lifetime{
		ID: p.id, Parent: p.wantParent(o).ident(), Root: p.wantRoot(o).id,
		ParentPID: last.parent.ident().PID,
		Start:     first.at, End: p.end,
		Comm: p.comm, Image: last.image, Status: p.status, Killer: p.struck, Credentials: Credentials{RealUser: last.user},
	}
	l.Context = SpanContext{testIDs.TraceID(l.Root), testIDs.SpanID(l.ID)}
	if !l.Parent.IsZero() {
		l.ParentSpan = testIDs.SpanID(l.Parent)
	}
	if first.at <= o.attached {
		l.Start, l.StartEstimated = p.id.Start, true
	}
	for i, e := range p.execs[1:] {
		if e.at > o.attached {
			l.Reexecs = append(l.Reexecs, Reexec{At: e.at, From: p.execs[i].image.Executable, To: e.image})
		}
	}
	if over := len(l.Reexecs) - maxReexecs; over > 0 {
		l.Reexecs, l.ReexecsDropped = l.Reexecs[:maxReexecs], over
	}
	return l
}
