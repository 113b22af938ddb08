package process

import (
	"strings"
	"time"
)

// lineage is what a process has from its fork.
type lineage struct {
	// up is the nearest ancestor that has a span, or nil.
	up *span
	// groups are those of up when the process left it.
	groups Groups
	kin    Kin
	// tree is the ruling that dropped the process, or one above it, with its tree.
	tree *Ruling
}

// lineageOf returns the lineage of a child of parent, which is nil if unknown. groups
// are those of the parent at the fork. What pid 1 starts begins a trace.
func lineageOf(parent *entry, groups Groups) lineage {
	switch {
	case parent == nil:
		return lineage{}
	case parent.id.PID == 1:
		return lineage{kin: parent.kinOfChild(), tree: parent.lineage.tree}
	case parent.span != nil:
		return lineage{up: parent.span, groups: groups, kin: parent.kinOfChild(), tree: parent.lineage.tree}
	default:
		return parent.lineage
	}
}

// place makes the span of e and puts it into a trace.
func (t *Table) place(e *entry, r *Ruling, groups Groups, im *Image) *span {
	s := &span{id: e.id, start: e.start, up: e.lineage.up, user: e.credentials.RealUser, ruling: r}
	s.estimate = spanBytes + int64(im.size())
	if s.up != nil {
		s.up.followed = true
	}
	t.setTraceparent(s, im)
	if !t.join(s, im, e.remote) {
		t.follow(s, e.lineage.groups, groups)
	}
	return s
}

// setTraceparent notes the TRACEPARENT of s: the one of its image, or, if that is not
// known, its ancestor's.
func (t *Table) setTraceparent(s *span, im *Image) {
	if t.policy.Extract == nil {
		return
	}
	value, ok := im.Variable("TRACEPARENT")
	if s.up != nil && (value == s.up.traceparent || !ok && im.EnvironmentCut) {
		s.traceparent = s.up.traceparent
		return
	}
	s.traceparent = strings.Clone(value) // the image's strings share their memory
}

// join puts s into the trace in its environment, or of told. It returns false if
// there is none, or if the ancestor has the same TRACEPARENT, which then was meant
// for the ancestor.
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
	id := remote.Context.Trace
	own := remote.Context.Span == t.spanIDOf(s) // procspan exec gives it to its command
	inside := s.up != nil && s.up.trace.id == id
	switch {
	case inside && own:
		return false
	}
	tr := t.traceFor(s, id)
	if tr == nil {
		tr = t.newTrace(id, s)
		tr.joined = true
	}
	switch {
	case inside:
		s.sampled, s.traceState = s.up.sampled, remote.State
	case own:
		t.sample(s, tr, Remote{})
	default:
		t.sample(s, tr, remote)
	}
	if s.up != nil && !inside {
		s.boundary = BoundaryTraceparent
	}
	if !own {
		s.remote = &remote
	}
	t.enterTrace(s, tr)
	return true
}

// placeAgain moves the span of a process that executes another program, as env,
// cgexec and setsid do: to the trace in its new environment, or beyond a boundary that
// it has crossed itself. A span with descendants stays.
func (t *Table) placeAgain(e *entry, groups Groups, im *Image) {
	s := e.span
	s.user = e.credentials.RealUser
	if s.followed || s.state == promised || t.rejoin(s, im) || s.remote != nil {
		return
	}
	switch {
	case s.up != nil && s.boundary == "" && t.crossed(s, e.lineage.groups, groups).kind != "":
		t.leaveTrace(s, false)
		t.follow(s, e.lineage.groups, groups)
	case (s.ruling != nil || s.trace.ruling != nil) && s.trace.root == s.id && s.trace.spans == 1 && !s.trace.joined && s.trace.more == nil:
		s.trace.rule(s.ruling)
		t.sample(s, s.trace, Remote{})
	}
}

// rejoin moves s to the trace in its new environment, and reports whether there is
// one. If that trace is full, s stays and keeps its old TRACEPARENT, so that the new
// one counts for its children. A process that is given its own span, as by procspan
// exec, begins that trace.
func (t *Table) rejoin(s *span, im *Image) bool {
	value, ok := im.Variable("TRACEPARENT")
	if t.policy.Extract == nil || !ok || value == "" || value == s.traceparent || s.up != nil && value == s.up.traceparent {
		return false
	}
	state, _ := im.Variable("TRACESTATE")
	remote, ok := t.policy.Extract(value, state)
	id := remote.Context.Trace
	tr := t.traceFor(s, id)
	switch own := remote.Context.Span == t.spanIDOf(s); {
	case !ok:
		t.stats.BadTraceparent++
	case own && (s.trace.id == id || s.up != nil && s.up.trace.id == id):
	case !own && tr != nil && tr.full(&t.policy, s):
		return false // its own id cannot name a trace that continues the full one: that may exist
	default:
		t.leaveTrace(s, false)
		s.boundary, s.remote = "", nil
		t.join(s, im, remote)
	}
	s.traceparent = strings.Clone(value)
	return ok
}

// follow puts s into the trace of its ancestor, or beyond a boundary. base are the
// ancestor's groups when the process left it, groups those of now.
func (t *Table) follow(s *span, base, groups Groups) {
	up := s.up
	if up == nil {
		t.beginTrace(s)
		return
	}
	g := t.crossed(s, base, groups)
	switch {
	case g.kind != "":
		s.boundary = g.kind
		tr := t.cohortTrace(s, g)
		t.sample(s, tr, Remote{})
		t.enterTrace(s, tr)
	case !s.sameJob(up) && t.policy.LongLived && up.state <= promised && up.longLived(s.start, t.policy.LongLivedAfter):
		s.boundary = BoundaryLongLived
		t.beginTrace(s)
	default:
		s.sampled, s.traceState = up.sampled, up.traceState
		t.enterTrace(s, up.trace)
	}
}

// beginTrace puts s into a trace that begins with it.
func (t *Table) beginTrace(s *span) {
	tr := t.newTrace(t.ids.TraceID(s.id), s)
	t.sample(s, tr, Remote{})
	t.enterTrace(s, tr)
}

// sameJob reports whether s belongs to the job that up belongs to, by a rule.
func (s *span) sameJob(up *span) bool { return s.job() != 0 && s.job() == up.job() }

func (s *span) job() uint64 {
	if s.ruling == nil {
		return 0
	}
	return s.ruling.Trace
}

func (s *span) longLived(now Time, after time.Duration) bool {
	return s.preexisting || s.shell || now.Sub(s.start) >= after
}

// crossed returns the group that a process has entered since it left its ancestor, if
// that is a boundary.
func (t *Table) crossed(s *span, base, now Groups) group {
	switch p := &t.policy; {
	case s.sameJob(s.up):
	case s.job() != 0:
		return group{BoundaryRule, s.job()}
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

// cohortTrace returns the trace of all processes that left up for the same group.
func (t *Table) cohortTrace(s *span, g group) *trace {
	up := s.up
	up.shell = up.shell || g.kind == BoundaryJob
	c, ok := up.groups[g]
	same := ok && t.sameGroup(g, c)
	if same && !(t.policy.LongLived && g.kind != BoundaryRule && s.start.Sub(c.since) >= t.policy.LongLivedAfter) {
		return c.trace
	}
	tr := t.newTrace(t.ids.TraceID(s.id), s)
	if same { // its leader, without a span, is long-lived
		return tr
	}
	if n := len(up.groups); n >= maxGroups && n&(n-1) == 0 {
		for g, c := range up.groups {
			if c.trace.living == 0 && t.leader(g).IsZero() {
				delete(up.groups, g)
			}
		}
	}
	if up.groups == nil {
		up.groups = make(map[group]cohort)
	}
	up.groups[g] = cohort{trace: tr, leader: t.leader(g), since: s.start}
	return tr
}

// sameGroup reports whether the group is still the one of the cohort, and the cohort
// has spans. The id of a session or process group is not reused while it has a member.
// A cgroup may exist for ever and serve one job after the other.
func (t *Table) sameGroup(g group, c cohort) bool {
	if c.trace.spans == 0 {
		return false
	}
	switch g.kind {
	case BoundaryCgroup:
		return c.trace.living > 0
	case BoundaryRule:
		return true
	}
	leader := t.leader(g)
	return leader.IsZero() || leader == c.leader
}

// leader returns the running process whose pid is the id of a session or process
// group.
func (t *Table) leader(g group) ID {
	if g.kind != BoundaryCgroup && g.kind != BoundaryRule {
		if e := t.living[uint32(g.id)]; e != nil {
			return e.id
		}
	}
	return ID{}
}

// spanIDOf returns the span id of s.
func (t *Table) spanIDOf(s *span) SpanID {
	if s.spanID == (SpanID{}) {
		s.spanID = t.ids.SpanID(s.id)
	}
	return s.spanID
}
