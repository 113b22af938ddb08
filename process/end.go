package process

// ended is a process that has ended.
type ended struct {
	id ID
	program
}

// lastOf returns the slot of a pid among the last processes to end.
func (t *Table) lastOf(pid uint32) *ended { return &t.ended[pid%uint32(len(t.ended))] }

// hasEnded reports whether a process, or a later one with its pid, is among the last
// to end.
func (t *Table) hasEnded(id ID) bool {
	last := &t.lastOf(id.PID).id
	return last.PID == id.PID && last.Start >= id.Start
}

func (t *Table) exit(ev *Event) {
	e := t.find(ev.ID)
	last := t.lastOf(ev.ID.PID)
	*last = ended{id: ev.ID}
	if e != nil {
		last.program = e.program
	}
	if e == nil {
		// The exit alone makes the lifetime.
		e = &entry{id: ev.ID, start: ev.ID.Start, parentPID: ev.Parent.PID, lineage: t.lineageNow(ev.Parent)}
		e.groups = e.lineage.groups
	} else {
		t.remove(e)
	}
	if !ev.Execed {
		e.groups, e.credentials, e.namespaces, e.vpid = ev.Groups, ev.Credentials, ev.Namespaces, ev.VPID
	}
	switch {
	case e.span == nil:
		forked := !ev.Execed && t.forkEnds(e, ev)
		if !ev.Execed && !forked {
			t.entries.put(e)
			return
		}
		im := Image{EnvironmentCut: true} // the exec was lost
		if forked {
			im.Executable = e.now
		}
		e.span = t.newSpan(e, e.groups, &im)
		e.span.forked = forked
	case ev.Execed:
		e.span.forked = false // the exec was lost
	default:
		t.placeAgain(e, ev.Groups, &Image{EnvironmentCut: true})
	}
	l := t.lifetime(e, ev.At)
	l.Comm = ev.Comm
	l.Status = ev.Status
	l.Usage, l.Killer, l.OOM, l.ParentWaiting = e.used(ev.Usage), ev.Killer, ev.OOM, ev.ParentWaiting
	l.Killer.Executable = t.ran(ev.Killer.ID, ev.Killer.ExecID)
	t.end(e, l)
}

// ran returns the file that a process ran after so many execs, "" if unknown.
func (t *Table) ran(id ID, execs uint64) string {
	if e := t.find(id); e != nil {
		return e.after(execs)
	}
	if last := t.lastOf(id.PID); last.id == id {
		return last.after(execs)
	}
	return ""
}

// Unlisted returns the processes that the table has and a list of running processes
// lacks. It skips those that began at or after before, a time before the list was
// made, and pid 1, which does not end.
func (t *Table) Unlisted(listed []Living, before Time) (ids []ID) {
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

// Gone ends processes that are not running any more at a moment and whose exits were
// not seen. It returns lifetimes as Apply does.
func (t *Table) Gone(ids []ID, by Time) []*Lifetime {
	t.begin(by)
	for _, id := range ids {
		if e := t.find(id); e != nil {
			t.endUnseen(e, by)
		}
	}
	return t.out
}

// endUnseen ends a process whose exit was not seen and was not after by.
func (t *Table) endUnseen(e *entry, by Time) {
	t.remove(e)
	if last := t.lastOf(e.id.PID); last.id.Start <= e.id.Start {
		*last = ended{e.id, e.program}
	}
	if e.span == nil {
		t.entries.put(e)
		return
	}
	t.stats.Estimated++
	l := t.lifetime(e, by)
	l.EndEstimated = true
	t.end(e, l)
}

// EndReferred ends, estimated, the running processes whose spans others have for their
// parent, and the parents of those, so that none is missing. It is for the end of an
// observation, after Close. It returns lifetimes as Apply does.
func (t *Table) EndReferred(by Time) []*Lifetime {
	t.begin(by)
	for before := -1; before != len(t.out); {
		before = len(t.out)
		for e := t.order.older; e != &t.order; { // children first
			older := e.older
			if e.span != nil && e.span.state == promised {
				t.remove(e)
				l := t.lifetime(e, by)
				l.EndEstimated = true
				t.end(e, l)
			}
			e = older
		}
	}
	return t.out
}

// lifetime returns what is known of a process that ended.
func (t *Table) lifetime(e *entry, end Time) *Lifetime {
	l := t.lifetimes.get()
	l.ID = e.id
	l.ParentPID = e.parentPID
	l.Start, l.StartEstimated = e.start, !e.seen
	l.End = max(end, e.start)
	l.Image = e.image
	if l.Forked = e.span.forked; l.Forked {
		l.StartEstimated = false
		l.Image = Image{Executable: e.now}
	}
	l.Groups, l.Credentials, l.Namespaces, l.VPID = e.groups, e.credentials, e.namespaces, e.vpid
	l.Reexecs, l.ReexecsDropped = e.reexecs, e.reexecsDropped
	return l
}
