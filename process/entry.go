package process

// entry is a running process.
type entry struct {
	id      ID
	lineage lineage
	span    *span // nil until it executes a program
	seen    bool  // its first exec was seen; otherwise start is estimated
	start   Time
	before  Usage // the part that precedes start, if its first exec was seen
	program
	// programs are the bits of what it runs, if it has a span; see Rules.
	programs uint64
	groups   Groups // as last reported
	remote   Remote // as in Living
	// parentPID is the parent at the last exec.
	parentPID      uint32
	vpid           uint32
	credentials    Credentials
	namespaces     Namespaces
	image          Image
	reexecs        []Reexec
	reexecsDropped int
	// payer is the user who is charged for it, bytes and keeps are what for.
	payer   uint32
	account *account
	bytes   int
	keeps   keeping

	older, newer  *entry // in Table.order
	ahead, behind *entry // in its account
}

// find returns the entry of id, or nil.
func (t *Table) find(id ID) *entry {
	if e := t.living[id.PID]; e != nil && e.id == id {
		return e
	}
	return nil
}

// enter makes the entry of id, as the newest. An older process with the same pid has
// ended, and its exit was lost. A younger one, or id itself, was adopted before its
// fork was read: its events are still to come, and it is dropped.
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
		default:
			if old.span != nil {
				t.stats.Seen--
			}
			t.drop(old)
		}
	}
	t.insert(e)
	return e
}

// insert makes e the newest entry.
func (t *Table) insert(e *entry) {
	t.living[e.id.PID] = e
	e.older, e.newer = t.order.older, &t.order
	e.older.newer, e.newer.older = e, e
}

// drop removes a process without an end. Its span is never sent.
func (t *Table) drop(e *entry) {
	t.remove(e)
	s := e.span
	t.entries.put(e)
	if s != nil {
		t.stats.Running--
		s.fold()
		t.leaveTrace(s, false)
		if s.up != nil {
			s.up.filtered += s.filtered
		}
		t.decide(s, filtered)
	}
}

func (t *Table) remove(e *entry) {
	delete(t.living, e.id.PID)
	e.older.newer, e.newer.older = e.newer, e.older
	e.older, e.newer = nil, nil
	t.uncharge(e)
}
