package process

import (
	"iter"
	"time"
)

// This file asks the rules of a Table about its processes.

// rulingBytes returns what a user of the host made the ruling on e take.
func (e *entry) rulingBytes() int {
	if e.span == nil || e.span.ruling == nil {
		return 0
	}
	return e.span.ruling.Bytes
}

// giveUpRuling drops the values from the environment of the ruling on e.
func (e *entry) giveUpRuling() {
	if e.rulingBytes() == 0 {
		return
	}
	r := *e.span.ruling
	t := *r.Treatment
	t.Set, t.Resource, r.Bytes = nil, nil, 0
	r.Treatment = &t
	e.span.ruling = &r
}

// judge asks the rules about a process that executes im. It sets what its descendants
// inherit from then on, and returns the ruling.
func (t *Table) judge(e *entry, groups *Groups, im *Image) *Ruling {
	if t.policy.Rules == nil {
		return e.lineage.tree
	}
	c := t.candidateOf(e, im, groups)
	e.programs = t.policy.Rules.Program(c.Image)
	if e.lineage.tree != nil {
		return e.lineage.tree
	}
	r := t.policy.Rules.Start(c)
	if r != nil && r.Action == DropTree {
		e.lineage.tree = r
		if r.Late != nil { // nothing that it starts depends on how it ends
			tree := *r
			tree.Late = nil
			e.lineage.tree = &tree
		}
	}
	return r
}

// judgeEnd asks the rules again if the ruling depends on how the process ended.
func (t *Table) judgeEnd(e *entry, l *Lifetime) *Ruling {
	r := e.span.ruling
	if r == nil || r.Late == nil {
		return r
	}
	return r.Late.End(r, t.candidateOf(e, &l.Image, &l.Groups), l)
}

// candidateOf returns e as rules judge it, until the next call. It copies what is the
// caller's, which so need not be on the heap.
func (t *Table) candidateOf(e *entry, im *Image, groups *Groups) *Candidate {
	j := &t.judged
	j.image, j.groups = *im, *groups
	j.Candidate = Candidate{Image: &j.image, Groups: &j.groups, Credentials: &e.credentials, Kin: e.lineage.kin, OutsideInit: e.outsideInit()}
	return &j.Candidate
}

// judged is the memory of candidateOf.
type judged struct {
	Candidate
	image  Image
	groups Groups
}

// Candidate returns a running process as rules judge it, which is valid until the next
// event, and the ruling on it; nil is none.
func (t *Table) Candidate(id ID) (*Candidate, *Ruling) {
	e := t.find(id)
	if e == nil || e.span == nil {
		return nil, nil
	}
	return t.candidateOf(e, &e.image, &e.groups), e.span.ruling
}

// dropped counts a process that rules dropped.
func (t *Table) dropped(r *Ruling) {
	t.stats.Dropped++
	t.droppedBy[r.Rule]++
}

// outsideInit reports whether e is in a pid namespace and not below its first process.
func (e *entry) outsideInit() bool {
	ns := e.namespaces.PID
	return ns != 0 && e.vpid != 1 && e.lineage.kin.Init != ns
}

// kinOfChild returns what a child of e inherits.
func (e *entry) kinOfChild() Kin {
	if e.span == nil {
		return e.lineage.kin
	}
	kin := Kin{Parent: e.programs, Ancestors: e.lineage.kin.Ancestors | e.programs, Init: e.lineage.kin.Init}
	if e.vpid == 1 && e.namespaces.PID != 0 {
		kin.Init = e.namespaces.PID
	}
	return kin
}

// setRuling follows the ruling on a span that has not ended. One that a sent span
// refers to is kept whatever the rules say.
func (t *Table) setRuling(s *span) {
	s.until = s.start.Add(t.wait(s.ruling))
	switch {
	case s.state == promised:
	case s.ruling.drops():
		t.decide(s, filtered)
	case len(s.deferred) > 0 && t.now >= s.until:
		t.decide(s, promised)
	default:
		s.state = undecided
		t.fix(s)
	}
}

// wait returns how long after the start of a process it may still be filtered.
func (t *Table) wait(r *Ruling) time.Duration {
	switch {
	case r == nil:
		return t.policy.MinDuration
	case r.Action == Keep:
		return r.Open
	}
	return max(r.Open, t.policy.MinDuration)
}

// programs returns what the bits of Kin stand for.
func (p *Policy) programs() []string {
	if p.Rules == nil {
		return nil
	}
	return p.Rules.Programs()
}

// translate makes the bits of programs, which had these names, those of the rules. Bits
// that only the rules have are those of running ancestors: which programs others ran is
// not known.
func (t *Table) translate(before []string) {
	bits := translation(before, t.policy.programs())
	for e := t.order.newer; e != &t.order; e = e.newer { // parents first
		kin := &e.lineage.kin
		kin.Parent, kin.Ancestors = bits.of(kin.Parent), bits.of(kin.Ancestors)
		if up := e.lineage.up; up != nil {
			if parent := t.find(up.id); parent != nil {
				inherited := parent.kinOfChild()
				kin.Parent |= inherited.Parent & bits.added
				kin.Ancestors |= inherited.Ancestors & bits.added
			}
		}
		t.judgeTree(e)
	}
}

// judgeTree derives anew whether what a running process starts is dropped, and what it
// inherits: new rules count for that, whenever the process began. Its own span stays as
// it was decided.
func (t *Table) judgeTree(e *entry) {
	before := e.lineage.tree
	e.programs, e.lineage.tree = 0, nil
	if t.policy.Rules == nil {
		return
	}
	if up := e.lineage.up; up != nil {
		if parent := t.find(up.id); parent != nil {
			e.lineage.tree = parent.lineage.tree
		} else if before != nil && t.policy.Rules.DropsTree(before.Rule) {
			e.lineage.tree = before // it may be the one of an ancestor that has ended
		}
	}
	if e.span != nil {
		t.judge(e, &e.groups, &e.image)
	}
}

// bitMap translates bits.
type bitMap struct {
	to    []uint64 // by bit
	added uint64   // bits that stand for new names
}

func translation(before, now []string) (m bitMap) {
	m.added = 1<<len(now) - 1
	for _, name := range before {
		to := uint64(0)
		for i, same := range now {
			if same == name {
				to = 1 << i
			}
		}
		m.to = append(m.to, to)
		m.added &^= to
	}
	return m
}

func (m bitMap) of(bits uint64) (translated uint64) {
	for i, to := range m.to {
		if bits>>i&1 != 0 {
			translated |= to
		}
	}
	return translated
}

// DroppedTree returns the ruling that drops a running process with all that it starts,
// or nil.
func (t *Table) DroppedTree(id ID) *Ruling {
	if e := t.find(id); e != nil {
		return e.lineage.tree
	}
	return nil
}

// DroppedTrees yields the running processes that have a DroppedTree.
func (t *Table) DroppedTrees() iter.Seq2[ID, *Ruling] {
	return func(yield func(ID, *Ruling) bool) {
		for e := t.order.newer; e != &t.order; e = e.newer {
			if e.lineage.tree != nil && !yield(e.id, e.lineage.tree) {
				return
			}
		}
	}
}

// WillShow reports whether it is certain that a running process is handed out.
func (t *Table) WillShow(id ID) bool {
	e := t.find(id)
	return e != nil && e.span != nil && e.span.sampled && t.certain(e.span)
}

func (t *Table) certain(s *span) bool {
	return s.state == promised || s.state == undecided && t.now >= s.until && (s.ruling == nil || s.ruling.Open == 0)
}

// TreatmentOf returns how a running process is exported.
func (t *Table) TreatmentOf(id ID) *Treatment {
	if e := t.find(id); e != nil && e.span != nil && e.span.ruling != nil {
		return e.span.ruling.Treatment
	}
	return nil
}

// DroppedBy returns how many lifetimes each rule has dropped, by its name.
func (t *Table) DroppedBy() map[string]uint64 { return t.droppedBy }
