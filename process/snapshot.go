package process

import (
	"container/heap"
	"errors"
)

// A snapshot is all that a Table knows, in bytes, for an agent that takes over
// from one that has ended. One description of each struct, in codec.go and here,
// serves both ways, so that what is written is what is read.

// snapshotVersion is that of the format. It is raised with every change of it:
// the fields of a struct or their order.
const snapshotVersion = 2

// ErrSnapshot says that the bytes are no snapshot of this version, or not whole.
var ErrSnapshot = errors.New("no table snapshot of this version")

// AppendSnapshot appends a snapshot of the table to b.
func (t *Table) AppendSnapshot(b []byte) []byte {
	c := newCodec(b, false)
	c.gather(t)
	c.table(t)
	return c.b
}

// Restore returns the table that a snapshot shows, to go on from there with the
// events that came after. It returns ErrSnapshot where it is none.
func Restore(limits Limits, policy Policy, ids IDs, snapshot []byte) (*Table, error) {
	t := NewTable(limits, policy, ids)
	c := newCodec(snapshot, true)
	c.table(t)
	if c.bad || len(c.b) > 0 {
		return nil, ErrSnapshot
	}
	return t, nil
}

// gather numbers all that the table's processes hold on to.
func (c *codec) gather(t *Table) {
	for e := t.order.newer; e != &t.order; e = e.newer {
		c.spans.add(e.span)
		c.spans.add(e.lineage.up)
	}
	for i := 0; i < len(c.spans.all); i++ { // it grows meanwhile
		s := c.spans.all[i]
		c.spans.add(s.up)
		c.traces.add(s.trace)
		for _, m := range s.groups {
			c.traces.add(m.trace)
		}
		for _, w := range s.waiting {
			c.spans.add(w.span)
		}
	}
	for _, tr := range t.traces {
		c.traces.add(tr)
	}
	for i := 0; i < len(c.traces.all); i++ {
		if more := c.traces.all[i].more; more != nil {
			c.continuations.add(more)
			c.traces.add(more.newest)
		}
	}
}

func (c *codec) table(t *Table) {
	version := snapshotVersion
	if number(c, &version); version != snapshotVersion {
		c.fail()
		return
	}
	number(c, &t.now)
	c.counts(&t.stats)
	for i := range t.ended {
		c.ended(&t.ended[i])
	}
	c.traces.make(c)
	c.continuations.make(c)
	c.spans.make(c)
	for _, tr := range c.traces.all {
		c.trace(tr)
	}
	for _, more := range c.continuations.all {
		c.traces.need(c, &more.newest)
	}
	for _, s := range c.spans.all {
		c.span(s)
	}
	c.named(t)
	c.idle(t)
	if c.reading && !c.bad {
		t.reawait(c.spans.all)
	}
	c.entries(t)
}

func (c *codec) ended(v *ended) {
	c.id(&v.id)
	c.program(&v.program)
}

func (c *codec) program(v *program) {
	number(c, &v.execID)
	text(c, &v.now)
	text(c, &v.before)
}

func (c *codec) counts(s *Stats) {
	number(c, &s.Ended)
	number(c, &s.LeftOut)
	number(c, &s.SampledOut)
	number(c, &s.BadTraceparent)
	number(c, &s.Evicted)
	number(c, &s.Forgotten)
	number(c, &s.Estimated)
	number(c, &s.Seen)
	number(c, &s.Running)
}

func (c *codec) trace(tr *trace) {
	c.bytes(tr.id[:])
	c.id(&tr.root)
	text(c, &tr.state)
	c.boolean(&tr.joined)
	c.boolean(&tr.sampled)
	number(c, &tr.began)
	number(c, &tr.spans)
	number(c, &tr.living)
	c.continuations.ref(c, &tr.more)
}

func (c *codec) span(s *span) {
	c.id(&s.id)
	number(c, &s.start)
	c.traces.need(c, &s.trace)
	c.spans.ref(c, &s.up)
	text(c, &s.boundary)
	if c.present(s.remote != nil) {
		if c.reading {
			s.remote = new(Remote)
		}
		c.remote(s.remote)
	}
	text(c, &s.traceparent)
	c.groups(s)
	number(c, &s.state)
	c.boolean(&s.older)
	c.boolean(&s.shell)
	c.boolean(&s.above)
	number(c, &s.leftOut)
	sequence(c, &s.waiting, func(w *waiting) {
		if c.reading {
			w.lifetime = new(Lifetime)
		}
		c.lifetime(w.lifetime)
		c.spans.need(c, &w.span)
	})
}

// groups are those of a span, in any order.
func (c *codec) groups(s *span) {
	type pair struct {
		group
		member
	}
	var pairs []pair
	for g, m := range s.groups {
		pairs = append(pairs, pair{g, m})
	}
	sequence(c, &pairs, func(p *pair) {
		text(c, &p.kind)
		number(c, &p.group.id)
		c.traces.need(c, &p.trace)
		c.id(&p.member.leader)
		number(c, &p.since)
	})
	if !c.reading || len(pairs) == 0 {
		return
	}
	s.groups = make(map[group]member, len(pairs))
	for _, p := range pairs {
		s.groups[p.group] = p.member
	}
}

// named are the traces that are found by their id.
func (c *codec) named(t *Table) {
	var named []*trace
	for _, tr := range t.traces {
		named = append(named, tr)
	}
	sequence(c, &named, func(tr **trace) { c.traces.need(c, tr) })
	if c.reading && !c.bad {
		for _, tr := range named {
			t.traces[tr.id] = tr
		}
	}
}

func (c *codec) idle(t *Table) {
	var idle []*trace
	for at := t.idle.Front(); at != nil; at = at.Next() {
		idle = append(idle, at.Value.(*trace))
	}
	sequence(c, &idle, func(tr **trace) { c.traces.need(c, tr) })
	if c.reading && !c.bad {
		for _, tr := range idle {
			tr.idle = t.idle.PushBack(tr)
		}
	}
}

// entries are the living, the oldest first.
func (c *codec) entries(t *Table) {
	var entries []*entry
	for e := t.order.newer; e != &t.order; e = e.newer {
		entries = append(entries, e)
	}
	sequence(c, &entries, func(e **entry) {
		if c.reading {
			*e = new(entry)
		}
		c.entry(*e)
	})
	if !c.reading || c.bad {
		return
	}
	for _, e := range entries {
		if t.living[e.id.PID] != nil {
			c.fail()
			return
		}
		t.insert(e)
		t.count(e) // what the limits leave no room for is forgotten with the next event
	}
}

func (c *codec) entry(e *entry) {
	c.id(&e.id)
	c.spans.ref(c, &e.lineage.up)
	c.belongings(&e.lineage.groups)
	c.spans.ref(c, &e.span)
	c.boolean(&e.seen)
	number(c, &e.start)
	c.program(&e.program)
	c.belongings(&e.groups)
	c.remote(&e.remote)
	number(c, &e.parentPID)
	number(c, &e.vpid)
	c.credentials(&e.credentials)
	c.namespaces(&e.namespaces)
	c.image(&e.image)
	sequence(c, &e.reexecs, c.reexec)
	number(c, &e.reexecsDropped)
}

// reawait makes the heap of the spans that are waited for anew.
func (t *Table) reawait(spans []*span) {
	for _, s := range spans {
		if len(s.waiting) > 0 {
			heap.Push(&t.undecided, s)
			t.waiting += len(s.waiting)
		}
	}
}
