package process

import (
	"strings"
	"time"
)

// lineage is what a process takes along from its fork.
type lineage struct {
	// up is the nearest ancestor that has a span; nil when there is none.
	up *span
	// groups is what up belonged to when the process left it.
	groups Groups
}

// lineageOf returns the lineage of a child of parent, which is nil when nothing
// is known of it; groups is what the parent belongs to at the fork. Pid 1 is
// nobody's job: what it starts begins a trace.
func lineageOf(parent *entry, groups Groups) lineage {
	switch {
	case parent == nil || parent.id.PID == 1:
		return lineage{}
	case parent.span != nil:
		return lineage{up: parent.span, groups: groups}
	default:
		return parent.lineage
	}
}

// place gives the process e a span, and the span its trace.
func (t *Table) place(e *entry, at uint64, groups Groups, im *Image) *span {
	s := &span{id: e.id, start: at, up: e.lineage.up}
	if s.up != nil {
		s.up.above = true
	}
	t.carry(s, im)
	if !t.join(s, im, e.remote) {
		t.follow(s, e.lineage.groups, groups)
	}
	return s
}

// carry notes the TRACEPARENT of s: what its image has, or, where that is not
// known, what its ancestor has.
func (t *Table) carry(s *span, im *Image) {
	if t.policy.Extract == nil {
		return
	}
	value, ok := im.Variable("TRACEPARENT")
	if s.up != nil && (value == s.up.traceparent || !ok && im.EnvironmentCut) {
		s.traceparent = s.up.traceparent
		return
	}
	s.traceparent = strings.Clone(value) // the image's strings are one piece
}

// join places s in the trace that its environment names, or that told says. It
// reports false where there is none, and where the name is one that the
// ancestor has as well: that one it was meant for.
func (t *Table) join(s *span, im *Image, told Remote) bool {
	remote := told
	if told.Context.IsZero() {
		if s.traceparent == "" || s.up != nil && s.up.traceparent == s.traceparent {
			return false
		}
		state, _ := im.Variable("TRACESTATE")
		var ok bool
		if remote, ok = t.policy.Extract(s.traceparent, state); !ok {
			t.stats.BadTraceparent++
			return false
		}
	}
	own := remote.Context.Span == t.spanIDOf(s)
	tr := t.named(remote.Context.Trace)
	switch {
	case s.up == nil:
	case s.up.trace.id != remote.Context.Trace:
		s.boundary = BoundaryTraceparent
	case own:
		return false
	case tr == nil: // all of it have ended
		tr = s.up.trace
		tr.joined = true
	}
	switch {
	case tr != nil:
	case own: // begun here, by the one that started this process
		tr = t.newTrace(remote.Context.Trace, s, Remote{})
		tr.joined = true
	default:
		tr = t.newTrace(remote.Context.Trace, s, remote)
	}
	if !own {
		s.remote = &remote
	}
	t.enterTrace(s, tr)
	return true
}

// moveOn places a process anew that becomes another program, as env, cgexec and
// setsid do, where that would have another place: in the trace that its new
// environment names, or beyond a boundary that it has crossed by itself. Where
// others hang on it, it stays.
func (t *Table) moveOn(e *entry, groups Groups, im *Image) {
	s := e.span
	if s.above || s.state != undecided || t.rejoin(s, im) || s.up == nil || s.boundary != "" || s.remote != nil {
		return
	}
	if t.crossed(e.lineage.groups, groups).kind != "" {
		t.leaveTrace(s, false)
		t.follow(s, e.lineage.groups, groups)
	}
}

// rejoin moves s to the trace that its new environment names, and reports
// whether it names any. Where that trace is full, s stays, and keeps its old
// TRACEPARENT, so that the new one is news to its children. One that is told its
// own name, as procspan tells the command that it runs, begins there.
func (t *Table) rejoin(s *span, im *Image) bool {
	value, ok := im.Variable("TRACEPARENT")
	if t.policy.Extract == nil || !ok || value == "" || value == s.traceparent || s.up != nil && value == s.up.traceparent {
		return false
	}
	state, _ := im.Variable("TRACESTATE")
	remote, ok := t.policy.Extract(value, state)
	id := remote.Context.Trace
	tr := t.named(id)
	switch own := remote.Context.Span == t.spanIDOf(s); {
	case !ok:
		t.stats.BadTraceparent++
	case own && (s.trace.id == id || s.up != nil && s.up.trace.id == id):
	case !own && tr != nil && tr.full(&t.policy, s.start):
		return false // its id may name a trace already, and can name none that continues
	default:
		t.leaveTrace(s, false)
		s.boundary, s.remote = "", nil
		t.join(s, im, remote)
	}
	s.traceparent = strings.Clone(value)
	return ok
}

// follow places s by its ancestor; base is what that belonged to when the
// process left it, groups what the process belongs to now.
func (t *Table) follow(s *span, base, groups Groups) {
	up := s.up
	if up == nil {
		t.enterTrace(s, t.newTrace(t.ids.TraceID(s.id), s, Remote{}))
		return
	}
	g := t.crossed(base, groups)
	switch {
	case g.kind != "":
		s.boundary = g.kind
		t.enterTrace(s, t.groupTrace(s, g))
	case t.policy.LongLived && up.state <= promised && up.longLived(s.start, t.policy.LongLivedAfter):
		s.boundary = BoundaryLongLived
		t.enterTrace(s, t.newTrace(t.ids.TraceID(s.id), s, Remote{}))
	default:
		t.enterTrace(s, up.trace)
	}
}

func (s *span) longLived(now uint64, after time.Duration) bool {
	return s.older || s.shell || older(s.start, now, after)
}

// older reports whether what began at a moment has that age at another. The other may
// be the earlier one: of two execs at once, the one that is told first may have the
// later time.
func older(began, now uint64, age time.Duration) bool {
	return now > began && now-began >= uint64(age)
}

// crossed returns the group that a process has entered since it left its
// ancestor, and that is a boundary.
func (t *Table) crossed(base, now Groups) group {
	switch p := &t.policy; {
	case p.Session && now.Session != base.Session:
		return group{BoundarySession, uint64(now.Session)}
	case p.Cgroup && now.Cgroup.V2 != base.Cgroup.V2:
		return group{BoundaryCgroup, now.Cgroup.V2}
	case p.Cgroup && now.Cgroup.V1 != base.Cgroup.V1:
		return group{BoundaryCgroup, now.Cgroup.V1}
	case p.Job && now.Terminal != 0 && now.Group != base.Group:
		return group{BoundaryJob, uint64(now.Group)}
	}
	return group{}
}

// groupTrace returns the trace of all that left up for the same group.
func (t *Table) groupTrace(s *span, g group) *trace {
	up := s.up
	up.shell = up.shell || g.kind == BoundaryJob
	m, ok := up.groups[g]
	goesOn := ok && t.goesOn(g, m)
	if goesOn && !(t.policy.LongLived && older(m.since, s.start, t.policy.LongLivedAfter)) {
		return m.trace
	}
	tr := t.newTrace(t.ids.TraceID(s.id), s, Remote{})
	if goesOn { // who leads the group, and has no span, is long-lived
		return tr
	}
	if n := len(up.groups); n >= maxGroups && n&(n-1) == 0 {
		for g, m := range up.groups {
			if m.trace.living == 0 && t.leader(g).IsZero() {
				delete(up.groups, g)
			}
		}
	}
	if up.groups == nil {
		up.groups = make(map[group]member)
	}
	up.groups[g] = member{trace: tr, leader: t.leader(g), since: s.start}
	return tr
}

// goesOn reports whether the group is still the one that m was made for, and has
// spans. A session or process group keeps its id from others while it has a
// member; a cgroup may be there for ever, and serve one job after the other.
func (t *Table) goesOn(g group, m member) bool {
	if m.trace.spans == 0 {
		return false
	}
	if g.kind == BoundaryCgroup {
		return m.trace.living > 0
	}
	leader := t.leader(g)
	return leader.IsZero() || leader == m.leader
}

// leader returns the process that has the id of a session or process group for
// its pid, if it lives.
func (t *Table) leader(g group) ID {
	if g.kind != BoundaryCgroup {
		if e := t.living[uint32(g.id)]; e != nil {
			return e.id
		}
	}
	return ID{}
}

// spanIDOf returns the id of s.
func (t *Table) spanIDOf(s *span) SpanID {
	if s.spanID == (SpanID{}) {
		s.spanID = t.ids.SpanID(s.id)
	}
	return s.spanID
}
