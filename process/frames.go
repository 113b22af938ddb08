package process

import (
	"cmp"
	"maps"
	"slices"
)

// The fields of a snapshot's frames, for reading and writing. New fields go to the end.

func (s *snapshot) head() {
	format := snapshotFormat
	if number(s.codec, &format); format != snapshotFormat {
		s.fail()
		return
	}
	s.traces.count(s.codec, s.size)
	s.continuations.count(s.codec, s.size)
	s.spans.count(s.codec, s.size)
	number(s.codec, &s.entries)
	number(s.codec, &s.deferred)
	number(s.codec, &s.table.now)
	if !s.reading {
		s.programs = s.table.policy.programs()
	}
	sequence(s.codec, &s.programs, func(name *string) { text(s.codec, name) })
}

// stats are the counts that are no sums of others.
func (s *snapshot) stats(v *Stats) {
	for _, n := range [...]*uint64{&v.Ended, &v.Filtered, &v.SampledOut, &v.BadTraceparent, &v.Evicted, &v.Forgotten, &v.Estimated, &v.Shed, &v.Dropped, &v.Continued} {
		number(s.codec, n)
	}
}

func (s *snapshot) last(v *ended) {
	s.id(&v.id)
	s.program(&v.program)
}

func (s *snapshot) program(v *program) {
	s.frame(func() {
		number(s.codec, &v.execID)
		text(s.codec, &v.now)
		text(s.codec, &v.before)
	})
}

func (s *snapshot) trace(tr *trace) {
	s.bytes(tr.id[:])
	s.id(&tr.root)
	number(s.codec, &tr.user)
	s.boolean(&tr.joined)
	number(s.codec, &tr.began)
	number(s.codec, &tr.spans)
	s.continuations.ref(s.codec, &tr.more)
	listed := s.table.traces[tr.traceKey] == tr
	if s.boolean(&listed); s.reading && listed && s.table.traces[tr.traceKey] == nil {
		s.table.traces[tr.traceKey] = tr
	}
	s.ruling(&tr.ruling)
	number(s.codec, &tr.bytes)
	number(s.codec, &tr.last)
	number(s.codec, &tr.cgroup.V2)
	number(s.codec, &tr.cgroup.V1)
}

func (s *snapshot) continuation(more *continuation) { s.traces.ref(s.codec, &more.newest) }

func (s *snapshot) span(sp *span) {
	s.id(&sp.id)
	number(s.codec, &sp.start)
	s.traces.ref(s.codec, &sp.trace)
	s.spans.ref(s.codec, &sp.up)
	text(s.codec, &sp.boundary)
	continues := sp.remote != nil
	if s.boolean(&continues); continues {
		if s.reading {
			sp.remote = new(Remote)
		}
		s.remote(sp.remote)
	}
	text(s.codec, &sp.traceparent)
	text(s.codec, &sp.traceState)
	s.boolean(&sp.sampled)
	number(s.codec, &sp.user)
	s.groups(sp)
	number(s.codec, &sp.state)
	s.boolean(&sp.preexisting)
	s.boolean(&sp.shell)
	s.boolean(&sp.followed)
	s.boolean(&sp.forked)
	number(s.codec, &sp.filtered)
	s.ruling(&sp.ruling)
	number(s.codec, &sp.estimate)
}

func (s *snapshot) groups(sp *span) {
	groups := sp.sortedGroups()
	sequence(s.codec, &groups, func(g *group) {
		c := sp.groups[*g]
		s.frame(func() {
			text(s.codec, &g.kind)
			number(s.codec, &g.id)
			s.traces.ref(s.codec, &c.trace)
			s.id(&c.leader)
			number(s.codec, &c.since)
		})
		if s.reading {
			if sp.groups == nil {
				sp.groups = make(map[group]cohort)
			}
			sp.groups[*g] = c
		}
	})
}

// sortedGroups returns the groups of a span in a fixed order.
func (sp *span) sortedGroups() []group {
	if len(sp.groups) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(sp.groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
	})
}

func (s *snapshot) pendingLifetime(p *pending) {
	s.spans.ref(s.codec, &p.on)
	s.spans.ref(s.codec, &p.span)
	if s.reading {
		p.lifetime = new(Lifetime)
	}
	s.lifetime(p.lifetime)
}

func (s *snapshot) entry(e *entry) {
	s.id(&e.id)
	s.spans.ref(s.codec, &e.lineage.up)
	s.belongings(&e.lineage.groups)
	s.spans.ref(s.codec, &e.span)
	s.boolean(&e.seen)
	number(s.codec, &e.start)
	s.program(&e.program)
	s.belongings(&e.groups)
	s.remote(&e.remote)
	number(s.codec, &e.parentPID)
	number(s.codec, &e.vpid)
	s.credentials(&e.credentials)
	s.namespaces(&e.namespaces)
	s.image(&e.image)
	sequence(s.codec, &e.reexecs, s.reexec)
	number(s.codec, &e.reexecsDropped)
	number(s.codec, &e.payer)
	s.usage(&e.before)
	number(s.codec, &e.programs)
	number(s.codec, &e.lineage.kin.Parent)
	number(s.codec, &e.lineage.kin.Ancestors)
	number(s.codec, &e.lineage.kin.Init)
	s.ruling(&e.lineage.tree)
}

// ruling codes a ruling, which may be nil. The rules that it asks at the end are those of
// the table that is restored.
func (s *snapshot) ruling(v **Ruling) {
	some := *v != nil
	if s.boolean(&some); !some {
		return
	}
	if s.reading {
		*v = new(Ruling)
	}
	s.frame(func() {
		r := *v
		number(s.codec, &r.Action)
		text(s.codec, &r.Rule)
		s.boolean(&r.KeepFailed)
		number(s.codec, &r.Threshold)
		text(s.codec, &r.TraceState)
		number(s.codec, &r.Trace)
		late := r.Late != nil
		if s.boolean(&late); s.reading {
			r.Index = -1 // among other rules
			if late {
				r.Late = s.table.policy.Rules
			}
		}
		number(s.codec, &r.Open)
		s.treatment(&r.Treatment)
		number(s.codec, &r.Bytes)
		if r.Treatment == nil {
			r.Bytes = 0
		}
	})
}
