package process

import (
	"cmp"
	"slices"
	"testing"
)

// oracle says by the rules which trace each process of a finished history is in,
// and what it hangs on, for an agent that heard all of it: without caps,
// sampling and short processes, and with pids that are never used again. It goes
// from exec to exec and asks the history for everything else.
type oracle struct {
	policy Policy
	seen   *observer
	spots  map[*proc]*spot
	gone   []party
}

// spot is where a process is: its trace, what it hangs on, and the TRACEPARENT
// that its children are expected to have.
type spot struct {
	trace       TraceID
	up          *proc
	remote      SpanID
	boundary    Boundary
	traceparent string
	followed    bool
	shell       bool
}

// party is those who left a process for the same group.
type party struct {
	up    *proc
	kind  Boundary
	id    uint64
	trace TraceID
	since Time
}

func newOracle(h *history) *oracle {
	o := &oracle{policy: h.policy, seen: &h.seen, spots: map[*proc]*spot{}}
	type step struct {
		p *proc
		modelExec
	}
	var steps []step
	for _, p := range append(h.k.byAge(), h.k.dead...) {
		for _, e := range p.execs {
			steps = append(steps, step{p, e})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	for _, s := range steps {
		if o.spots[s.p] == nil {
			o.first(s.p, s.modelExec)
		} else {
			o.again(s.p, s.modelExec)
		}
	}
	return o
}

// first places p at its first exec.
func (o *oracle) first(p *proc, e modelExec) {
	at := &spot{up: p.wantParent(o.seen), trace: testIDs.TraceID(p.id)}
	o.spots[p] = at
	inherited := ""
	if at.up != nil {
		o.spots[at.up].followed = true
		inherited = o.spots[at.up].traceparent
	}
	at.traceparent, _ = e.image.Variable("TRACEPARENT")
	if at.traceparent != inherited && o.joins(p, at, at.traceparent) || at.up == nil {
		return
	}
	at.trace = o.spots[at.up].trace
	if up := o.spots[at.up]; !o.crosses(p, at, e) && o.policy.LongLived && at.up.livesAt(e.at) &&
		(up.shell || e.at.Sub(at.up.execs[0].at) >= o.policy.LongLivedAfter) {
		at.boundary, at.trace = BoundaryLongLived, testIDs.TraceID(p.id)
	}
}

// crosses reports whether p has left its up for another group.
func (o *oracle) crosses(p *proc, at *spot, e modelExec) bool {
	left := p
	for left.forker != at.up {
		left = left.forker
	}
	was, is := left.base, e.groups
	switch {
	case o.policy.Session && was.Session != is.Session:
		o.leaves(p, at, BoundarySession, uint64(is.Session), e.at)
	case o.policy.Cgroup && was.Cgroup.V2 != is.Cgroup.V2:
		o.leaves(p, at, BoundaryCgroup, is.Cgroup.V2, e.at)
	case o.policy.Cgroup && was.Cgroup.V1 != is.Cgroup.V1:
		o.leaves(p, at, BoundaryCgroup, is.Cgroup.V1, e.at)
	case o.policy.Job && is.Terminal != 0 && was.Group != is.Group:
		o.leaves(p, at, BoundaryJob, uint64(is.Group), e.at)
	}
	return at.boundary != ""
}

// again makes p execute another program, which may move it.
func (o *oracle) again(p *proc, e modelExec) {
	at := o.spots[p]
	if at.followed {
		return
	}
	if value, _ := e.image.Variable("TRACEPARENT"); value != "" && value != at.traceparent && (at.up == nil || value != o.spots[at.up].traceparent) {
		at.traceparent = value
		if remote, ok := testExtract(value, ""); ok && o.policy.Extract != nil {
			if own := remote.Context.Span == testIDs.SpanID(p.id); !own || at.trace != remote.Context.Trace {
				o.joins(p, at, value)
			}
			return
		}
	}
	if at.up != nil && at.boundary == "" && at.remote == (SpanID{}) {
		o.crosses(p, at, e)
	}
}

// joins reports whether p is placed by a TRACEPARENT that is new to it.
func (o *oracle) joins(p *proc, at *spot, traceparent string) bool {
	remote, ok := testExtract(traceparent, "")
	if !ok || o.policy.Extract == nil {
		return false
	}
	own := remote.Context.Span == testIDs.SpanID(p.id)
	same := at.up != nil && o.spots[at.up].trace == remote.Context.Trace
	if own && same {
		return false
	}
	at.trace, at.remote, at.boundary = remote.Context.Trace, remote.Context.Span, ""
	if own {
		at.remote = SpanID{}
	}
	if at.up != nil && !same {
		at.boundary = BoundaryTraceparent
	}
	return true
}

// leaves makes p leave the trace of its up, together with others of its group.
func (o *oracle) leaves(p *proc, at *spot, kind Boundary, id uint64, now Time) {
	at.boundary, at.trace = kind, testIDs.TraceID(p.id)
	o.spots[at.up].shell = o.spots[at.up].shell || kind == BoundaryJob
	for i, g := range o.gone {
		if g.up != at.up || g.kind != kind || g.id != id {
			continue
		}
		if o.has(g.trace, p, func(q *proc) bool { return kind != BoundaryCgroup || q.livesAt(now) }) {
			if !o.policy.LongLived || p.execs[0].at.Sub(g.since) < o.policy.LongLivedAfter {
				at.trace = g.trace
			}
			return
		}
		o.gone = slices.Delete(o.gone, i, i+1)
		break
	}
	o.gone = append(o.gone, party{at.up, kind, id, at.trace, p.execs[0].at})
}

// has reports whether the trace has somebody else who is so.
func (o *oracle) has(id TraceID, but *proc, so func(*proc) bool) bool {
	for p, at := range o.spots {
		if p != but && at.trace == id && so(p) {
			return true
		}
	}
	return false
}

func (p *proc) livesAt(now Time) bool { return p.end == 0 || p.end > now }

// agree compares lifetimes with the oracle.
func (o *oracle) agree(t *testing.T, out *outcome) {
	t.Helper()
	for _, l := range out.ended {
		at := o.spots[out.procs[l.ID]]
		want := *l
		want.Context = SpanContext{at.trace, testIDs.SpanID(l.ID)}
		want.Parent, want.Boundary, want.Link = at.up.ident(), at.boundary, SpanContext{}
		want.ParentSpan, want.ParentRemote = at.remote, at.remote != SpanID{}
		if at.up != nil {
			switch up := testIDs.SpanID(at.up.id); {
			case at.boundary != "":
				want.Link = SpanContext{o.spots[at.up].trace, up}
			case !want.ParentRemote:
				want.ParentSpan = up
			}
		}
		got := *l
		got.Image, got.Reexecs, want.Image, want.Reexecs = Image{}, nil, Image{}, nil
		if got.Context != want.Context || got.Parent != want.Parent || got.Boundary != want.Boundary ||
			got.Link != want.Link || got.ParentSpan != want.ParentSpan || got.ParentRemote != want.ParentRemote {
			t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
		}
	}
}

func TestTracesAgreeWithTheRules(t *testing.T) {
	counts := map[Boundary]int{}
	for seed := range uint64(256) {
		h := wholeHistory(seed)
		policy := randomPolicy(func() int { return int(seed) ^ 0x90 }) // all eight bits, each with each
		h.policy = Policy{
			Session: policy.Session, Cgroup: policy.Cgroup, Job: policy.Job,
			LongLived: policy.LongLived, LongLivedAfter: 40, Extract: policy.Extract,
		}
		out := h.place(t, seed%2 == 0)
		newOracle(h).agree(t, out)
		for _, l := range out.ended {
			counts[l.Boundary]++
		}
		if t.Failed() {
			t.Fatalf("seed %d, policy %+v", seed, h.policy)
		}
	}
	for _, b := range []Boundary{"", BoundaryTraceparent, BoundarySession, BoundaryCgroup, BoundaryJob, BoundaryLongLived} {
		if counts[b] < 25 {
			t.Errorf("%d lifetimes with boundary %q: these test little", counts[b], b)
		}
	}
}

// wholeHistory is one that is heard from its beginning, with pids that are never
// used again.
func wholeHistory(seed uint64) *history {
	in := randomBytes(16|32, seed)
	in[1], in[2] = 0, 0 // no policy
	in[3], in[4] = 0, 0 // attached and listed at once
	return newHistory(in)
}
