package process

import "testing"

// check holds the table to what is true of it between any two events.
func check(t *testing.T, table *Table) {
	t.Helper()
	bytes, largest, n := 0, 0, 0
	for e := table.order.newer; e != &table.order; e = e.newer {
		if e.newer.older != e || e.older.newer != e {
			t.Fatalf("the list is broken at %v", e.id)
		}
		if table.living[e.id.PID] != e {
			t.Fatalf("%v is in the list and not in the map", e.id)
		}
		size := e.image.size()
		for _, r := range e.reexecs {
			size += len(r.From) + r.To.size()
		}
		if e.bytes != size {
			t.Fatalf("%v is accounted with %d bytes, want %d", e.id, e.bytes, size)
		}
		bytes += size
		largest = max(largest, size)
		if n++; n > len(table.living) {
			break
		}
	}
	if n != len(table.living) || n != table.Stats().Living {
		t.Fatalf("%d in the list, %d in the map, %d in the stats", n, len(table.living), table.Stats().Living)
	}
	if table.bytes != bytes {
		t.Fatalf("the table accounts for %d bytes, want %d", table.bytes, bytes)
	}
	if n > max(table.limits.Processes, 1) {
		t.Fatalf("%d processes kept, limit %d", n, table.limits.Processes)
	}
	if bytes > max(table.limits.Bytes, largest) {
		t.Fatalf("%d bytes kept, limit %d, the largest process has %d", bytes, table.limits.Bytes, largest)
	}
	checkTraces(t, table)
	checkWaiting(t, table)
	checkCounts(t, table)
}

// checkCounts holds that every lifetime that was begun is accounted for.
func checkCounts(t *testing.T, table *Table) {
	t.Helper()
	running := 0
	for e := table.order.newer; e != &table.order; e = e.newer {
		if e.span != nil {
			running++
		}
	}
	s := table.Stats()
	if s.Running != running {
		t.Fatalf("%d run, %d are counted", running, s.Running)
	}
	if sum := s.Ended + s.LeftOut + s.SampledOut + uint64(s.Waiting) + s.Forgotten + uint64(s.Running); s.Seen != sum {
		t.Fatalf("%d lifetimes were begun, %d are accounted for: %+v", s.Seen, sum, s)
	}
}

// checkTraces holds the traces to their books.
func checkTraces(t *testing.T, table *Table) {
	t.Helper()
	living := make(map[*trace]int, len(table.traces))
	for e := table.order.newer; e != &table.order; e = e.newer {
		if e.span == nil {
			continue
		}
		living[e.span.trace]++
		if e.span.id != e.id || e.span.state > promised {
			t.Fatalf("%v lives, its span %v is in state %d", e.id, e.span.id, e.span.state)
		}
	}
	for tr, n := range living {
		if tr.living != n || table.traces[tr.id] != tr {
			t.Fatalf("trace of %v counts %d living, want %d; that of its id is of %v", tr.root, tr.living, n, table.traces[tr.id])
		}
	}
	for id, tr := range table.traces {
		idle := tr.living == 0
		if tr.id != id || tr.spans < tr.living || idle != (tr.idle != nil) || idle && !tr.joined {
			t.Fatalf("trace of %v: id %x under %x, %d spans, %d living, idle %t, joined %t",
				tr.root, tr.id, id, tr.spans, tr.living, tr.idle != nil, tr.joined)
		}
	}
	if n := table.idle.Len(); n > maxIdle || len(table.traces) != len(living)+n {
		t.Fatalf("%d traces, %d of them with a living process, %d idle", len(table.traces), len(living), n)
	}
}

// checkCaps holds the traces to their size, where nothing was lost or forgotten:
// a process that comes back has only the one trace to begin.
func checkCaps(t *testing.T, table *Table) {
	t.Helper()
	for _, tr := range table.traces {
		if limit := table.policy.MaxSpans; limit > 0 && tr.spans > limit {
			t.Fatalf("trace of %v has %d spans, limit %d", tr.root, tr.spans, limit)
		}
	}
}

// checkWaiting holds the heap of those that are waited for to its order, and to
// what it is for.
func checkWaiting(t *testing.T, table *Table) {
	t.Helper()
	n := 0
	for i, s := range table.undecided {
		n += len(s.waiting)
		if s.index != i || s.start < table.undecided[max(i-1, 0)/2].start {
			t.Fatalf("the heap is broken at %d", i)
		}
		if s.state != undecided || len(s.waiting) == 0 || table.find(s.id) == nil {
			t.Fatalf("%d wait for %v in state %d, living %t", len(s.waiting), s.id, s.state, table.find(s.id) != nil)
		}
		if table.now >= s.start+uint64(table.policy.MinDuration) {
			t.Fatalf("%v is old enough, and %d wait for it", s.id, len(s.waiting))
		}
	}
	if n != table.waiting || n > maxWaiting {
		t.Fatalf("%d wait, %d are counted", n, table.waiting)
	}
}
