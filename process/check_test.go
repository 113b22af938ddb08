package process

import "testing"

// check verifies the invariants of a table between two events.
func check(t *testing.T, table *Table) {
	t.Helper()
	bytes, n := 0, 0
	for e := table.order.newer; e != &table.order; e = e.newer {
		if e.newer.older != e || e.older.newer != e {
			t.Fatalf("the list is broken at %v", e.id)
		}
		if table.living[e.id.PID] != e {
			t.Fatalf("%v is in the list and not in the map", e.id)
		}
		size := e.image.size() + e.rulingBytes()
		for _, r := range e.reexecs {
			size += len(r.From) + r.To.size()
		}
		if e.bytes != size {
			t.Fatalf("%v is accounted with %d bytes, want %d", e.id, e.bytes, size)
		}
		bytes += size
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
	if n > table.limits.Processes {
		t.Fatalf("%d processes kept, limit %d", n, table.limits.Processes)
	}
	if bytes > table.limits.Bytes {
		t.Fatalf("%d bytes kept, limit %d", bytes, table.limits.Bytes)
	}
	checkAccounts(t, table)
	checkTraces(t, table)
	checkDeferred(t, table)
	checkCounts(t, table)
}

// checkAccounts verifies that each process is in the account of its payer, listed by
// what it keeps.
func checkAccounts(t *testing.T, table *Table) {
	t.Helper()
	n := 0
	for user, a := range table.accounts {
		processes, bytes := 0, 0
		for keeps, q := range a.by {
			var last *entry
			for e := q.first; e != nil; last, e = e, e.behind {
				if e.account != a || e.payer != user || a.user != user || int(e.keeps) != keeps || e.ahead != last || table.living[e.id.PID] != e {
					t.Fatalf("%v, who pays as %d and keeps %d, is in the account of %d for %d", e.id, e.payer, e.keeps, user, keeps)
				}
				if _, want := e.details(); e.keeps != want {
					t.Fatalf("%v keeps %d, want %d", e.id, e.keeps, want)
				}
				processes++
				bytes += e.bytes
			}
			if q.last != last {
				t.Fatalf("the queue of user %d for %d does not end", user, keeps)
			}
		}
		if a.processes != processes || a.bytes != bytes || processes == 0 {
			t.Fatalf("user %d is charged for %d processes and %d bytes, want %d and %d", user, a.processes, a.bytes, processes, bytes)
		}
		n += processes
	}
	if n != len(table.living) {
		t.Fatalf("%d processes are charged for, of %d", n, len(table.living))
	}
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
	if sum := s.Ended + s.Filtered + s.Dropped + s.SampledOut + uint64(s.Deferred) + s.Forgotten + uint64(s.Running); s.Seen != sum {
		t.Fatalf("%d lifetimes were begun, %d are accounted for: %+v", s.Seen, sum, s)
	}
}

// checkTraces verifies what traces count.
func checkTraces(t *testing.T, table *Table) {
	t.Helper()
	living := make(map[*trace]int, len(table.traces))
	for e := table.order.newer; e != &table.order; e = e.newer {
		if e.span == nil {
			continue
		}
		living[e.span.trace]++
		if e.span.id != e.id || e.span.state == kept {
			t.Fatalf("%v lives, its span %v is in state %d", e.id, e.span.id, e.span.state)
		}
	}
	for tr, n := range living {
		if tr.living != n || table.traces[tr.traceKey] != tr {
			t.Fatalf("trace of %v counts %d living, want %d; that of its id is of %v", tr.root, tr.living, n, table.traces[tr.traceKey])
		}
	}
	for key, tr := range table.traces {
		idle := tr.living == 0
		if tr.traceKey != key || tr.spans < tr.living || idle != (tr.idle != nil) || idle && !tr.joined {
			t.Fatalf("trace of %v: %x under %x, %d spans, %d living, idle %t, joined %t",
				tr.root, tr.traceKey, key, tr.spans, tr.living, tr.idle != nil, tr.joined)
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

// checkDeferred holds the heap of those that are waited for to its order, and to
// what it is for.
func checkDeferred(t *testing.T, table *Table) {
	t.Helper()
	n, bytes := 0, 0
	for i, s := range table.undecided {
		n += len(s.deferred)
		for _, d := range s.deferred {
			bytes += d.lifetime.size()
		}
		if s.index != i || s.until < table.undecided[max(i-1, 0)/2].until {
			t.Fatalf("the heap is broken at %d", i)
		}
		if s.state != undecided || len(s.deferred) == 0 || table.find(s.id) == nil {
			t.Fatalf("%d wait for %v in state %d, living %t", len(s.deferred), s.id, s.state, table.find(s.id) != nil)
		}
		if table.now >= s.until {
			t.Fatalf("%v is old enough, and %d wait for it", s.id, len(s.deferred))
		}
	}
	if n != table.deferred || n > maxDeferred || bytes != table.deferredBytes {
		t.Fatalf("%d wait with %d bytes, %d are counted with %d", n, bytes, table.deferred, table.deferredBytes)
	}
}
