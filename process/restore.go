package process

import "slices"

// Restore returns the table of a snapshot, to go on with the events since. lost is how
// many objects of the snapshot could not be restored: unreadable ones, and those that
// depend on them. The error is ErrSnapshot if there is nothing to restore.
func Restore(limits Limits, policy Policy, ids IDs, b []byte) (t *Table, lost int, err error) {
	s := &snapshot{codec: newCodec(b, true), table: NewTable(limits, policy, ids), size: len(b)}
	if what, fields := s.next(); what != sectionHead || !s.readFrame(fields, s.head) {
		return nil, 0, ErrSnapshot
	}
	for len(s.b) > 0 {
		s.readObject(s.next())
	}
	s.mendTraces()
	s.mendSpans()
	s.restoreEntries()
	if !slices.Equal(s.programs, s.table.policy.programs()) {
		s.table.translate(s.programs)
	}
	s.restoreDeferred()
	s.restoreSums()
	s.lost += s.traces.lost() + s.continuations.lost() + s.spans.lost()
	s.lost += max(0, s.entries-len(s.table.living)) + max(0, s.deferred-s.table.deferred)
	return s.table, s.lost, nil
}

// next takes the next frame from the input.
func (s *snapshot) next() (what section, fields []byte) {
	n := 0
	number(s.codec, &what)
	if number(s.codec, &n); s.bad || n < 0 || n > len(s.b) {
		s.b, s.bad = nil, false // the next frame cannot be found
		return 0, nil
	}
	fields, s.b = s.b[:n], s.b[n:]
	return what, fields
}

// readFrame reads the fields of a frame, and reports whether it could.
func (s *snapshot) readFrame(fields []byte, read func()) bool {
	rest := s.b
	s.b = fields
	read()
	ok := !s.bad
	s.b, s.bad = rest, false
	return ok
}

// readObject reads a frame after the head. It counts losses only of sections whose
// objects the head does not count.
func (s *snapshot) readObject(what section, fields []byte) {
	ok := true
	switch what {
	case sectionStats:
		ok = s.readFrame(fields, func() { s.stats(&s.table.stats) })
	case sectionEnded:
		var v ended
		if ok = s.readFrame(fields, func() { s.last(&v) }); ok {
			*s.table.lastOf(v.id.PID) = v
		}
	case sectionTrace:
		s.readFrame(fields, func() { s.traces.take(s.codec, s.trace) })
	case sectionContinuation:
		s.readFrame(fields, func() { s.continuations.take(s.codec, s.continuation) })
	case sectionSpan:
		s.readFrame(fields, func() { s.spans.take(s.codec, s.span) })
	case sectionDeferred:
		var p pending
		if s.readFrame(fields, func() { s.pendingLifetime(&p) }) {
			s.pending = append(s.pending, p)
		}
	case sectionEntry:
		e := new(entry)
		if s.readFrame(fields, func() { s.entry(e) }) {
			s.living = append(s.living, e)
		}
	default:
		ok = false
	}
	if !ok {
		s.lost++
	}
}

// The rest turns the objects into a table whose parts are consistent. It computes what
// can be derived.

func (s *snapshot) mendTraces() {
	for _, more := range s.continuations.all {
		if !s.traces.usable(more.newest) {
			s.continuations.drop(more)
		}
	}
	for _, tr := range s.traces.all {
		if !s.continuations.usable(tr.more) {
			tr.more = nil
		}
		if !s.traces.usable(tr) && s.table.traces[tr.traceKey] == tr {
			delete(s.table.traces, tr.traceKey)
		}
	}
}

func (s *snapshot) mendSpans() {
	for _, sp := range s.spans.all {
		if !s.traces.usable(sp.trace) || sp.state > filtered {
			s.spans.drop(sp)
		}
		for g, c := range sp.groups {
			if !s.traces.usable(c.trace) {
				delete(sp.groups, g)
			}
		}
	}
	walk := make([]int, len(s.spans.all)) // by number of span: the walk up that reached it
	for i, sp := range s.spans.all {
		for ; sp != nil && walk[sp.number] == 0; sp = sp.up {
			walk[sp.number] = i + 1
			if up := sp.up; !s.spans.usable(up) || walk[up.number] == i+1 {
				sp.up = nil // lost, or a cycle
			}
		}
	}
}

// restoreEntries enters the running processes, the oldest first. It does not evict:
// the next event does.
func (s *snapshot) restoreEntries() {
	t := s.table
	s.owned = make([]bool, len(s.spans.all))
	for _, e := range s.living {
		if !s.spans.usable(e.lineage.up) {
			e.lineage.up = nil
		}
		sp := e.span
		switch {
		case t.living[e.id.PID] != nil:
			continue
		case sp == nil:
		case !s.spans.usable(sp), sp.id != e.id, sp.state == kept, s.owned[sp.number], t.traces[sp.trace.traceKey] != sp.trace:
			continue
		default:
			s.owned[sp.number] = true
			sp.until = sp.start.Add(t.wait(sp.ruling))
			sp.trace.living++
			t.stats.Running++
		}
		t.insert(e)
		t.recount(e)
	}
	for _, sp := range s.spans.all {
		if sp.state <= promised && !s.owned[sp.number] {
			sp.state = filtered
		}
	}
}

// restoreDeferred defers lifetimes that depend on running processes.
func (s *snapshot) restoreDeferred() {
	t := s.table
	for _, p := range s.pending {
		if s.spans.usable(p.span) && s.spans.usable(p.on) && p.on.state == undecided && t.deferred < maxDeferred {
			t.deferUntil(p.on, p.deferred)
		}
	}
}

// restoreSums computes what is the sum of other things.
func (s *snapshot) restoreSums() {
	t := s.table
	for _, tr := range s.traces.all {
		tr.spans = max(tr.spans, tr.living)
		switch {
		case tr.living > 0 || t.traces[tr.traceKey] != tr:
		case tr.joined:
			t.retire(tr)
		default:
			delete(t.traces, tr.traceKey)
		}
	}
	t.stats.Seen = t.stats.Ended + t.stats.Filtered + t.stats.Dropped + t.stats.SampledOut + uint64(t.deferred) + t.stats.Forgotten + uint64(t.stats.Running)
}
