package process

// ended is a process that has ended.
type ended struct {
	id ID
	program
}

// lastOf returns the place of a pid among the last to end.
func (t *Table) lastOf(pid uint32) *ended { return &t.ended[pid%uint32(len(t.ended))] }

func (t *Table) exit(ev *Event) {
	e := t.find(ev.ID)
	last := t.lastOf(ev.ID.PID)
	*last = ended{id: ev.ID}
	if e != nil {
		last.program = e.program
	}
	if e == nil {
		if !ev.Execed {
			return
		}
		// The exit alone makes the lifetime.
		e = &entry{id: ev.ID, start: ev.ID.Start, parentPID: ev.Parent.PID, lineage: t.guess(ev.Parent)}
		e.groups = e.lineage.groups
	} else {
		t.forget(e)
	}
	if e.span == nil {
		if !ev.Execed {
			t.entries.put(e)
			return
		}
		e.span = t.begin(e, e.groups, &e.image) // its exec is missing
	}
	l := t.lifetime(e, ev.At)
	l.Comm = ev.Comm
	l.Status = ev.Status
	l.Usage, l.Killer, l.OOM = ev.Usage, ev.Killer, ev.OOM
	l.Killer.Executable = t.ran(ev.Killer.ID, ev.Killer.ExecID)
	s := e.span
	t.entries.put(e)
	t.end(s, l)
}

// ran returns what a process ran after so many execs, where that is known.
func (t *Table) ran(id ID, execs uint64) string {
	if e := t.find(id); e != nil {
		return e.after(execs)
	}
	if last := t.lastOf(id.PID); last.id == id {
		return last.after(execs)
	}
	return ""
}

// Unlisted returns the processes that the table holds and a list of the living
// does not. Left out are those that began at or after the moment before, which is
// one before the list was made, and pid 1, which does not end.
func (t *Table) Unlisted(listed []Living, before uint64) (ids []ID) {
	there := make(map[ID]bool, len(listed))
	for i := range listed {
		there[listed[i].ID] = true
	}
	for e := t.order.newer; e != &t.order; e = e.newer {
		if e.id.Start < before && e.id.PID != 1 && !there[e.id] {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// Gone ends processes that are not alive at a moment although no exit told of
// their end: their lifetimes end then, estimated. It returns what Apply does.
func (t *Table) Gone(ids []ID, by uint64) []*Lifetime {
	t.hear(by)
	for _, id := range ids {
		if e := t.find(id); e != nil {
			t.endUnseen(e, by)
		}
	}
	return t.out
}

// endUnseen ends a process whose exit was not told, by a moment.
func (t *Table) endUnseen(e *entry, by uint64) {
	t.forget(e)
	if last := t.lastOf(e.id.PID); last.id.Start <= e.id.Start {
		*last = ended{e.id, e.program}
	}
	s := e.span
	if s == nil {
		t.entries.put(e)
		return
	}
	t.stats.Estimated++
	l := t.lifetime(e, by)
	l.EndEstimated = true
	t.entries.put(e)
	t.end(s, l)
}

// lifetime returns what is known of a process that ended at a moment.
func (t *Table) lifetime(e *entry, end uint64) *Lifetime {
	l := t.lifetimes.get()
	l.ID = e.id
	l.ParentPID = e.parentPID
	l.Start, l.StartEstimated = e.start, !e.seen
	l.End = max(end, e.start)
	l.Image = e.image
	l.Groups, l.Credentials, l.Namespaces, l.VPID = e.groups, e.credentials, e.namespaces, e.vpid
	l.Reexecs, l.ReexecsDropped = e.reexecs, e.reexecsDropped
	return l
}
