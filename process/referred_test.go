package process

import (
	"slices"
	"testing"
)

// At the end of an observation, those have a span that others have for their parent,
// and nobody else does.
func TestEndReferred(t *testing.T) {
	id := func(pid uint32) ID { return ID{PID: pid, Start: Time(pid)} }
	table := NewTable(Limits{Processes: 100, Bytes: 1 << 20}, Policy{}, NewIDs("test"))
	now := Time(1000)
	tell := func(ev Event) []*Lifetime {
		now++
		ev.At = now
		return table.Apply(&ev)
	}
	start := func(pid, parent uint32) {
		tell(Event{Kind: Fork, ID: id(pid), Parent: id(parent), ExecID: 1})
		tell(Event{Kind: Exec, ID: id(pid), Parent: id(parent), ExecID: 2, FirstExec: true, Image: Image{Executable: "/x"}})
	}
	// 10 ─ 11 ─ 12 (ended)
	//    └ 13 ─ 14
	for _, p := range [][2]uint32{{10, 1}, {11, 10}, {12, 11}, {13, 10}, {14, 13}} {
		start(p[0], p[1])
	}
	if ended := tell(Event{Kind: Exit, ID: id(12), Execed: true}); len(ended) != 1 {
		t.Fatalf("%d lifetimes, want that of 12", len(ended))
	}
	if rest := table.Close(); len(rest) != 0 {
		t.Fatalf("%d lifetimes were deferred", len(rest))
	}
	var pids []uint32
	for _, l := range table.EndReferred(now + 1) {
		pids = append(pids, l.ID.PID)
		if !l.EndEstimated || l.End != now+1 {
			t.Errorf("%d ends at %d, estimated: %t", l.ID.PID, l.End, l.EndEstimated)
		}
	}
	if !slices.Equal(pids, []uint32{11, 10}) {
		t.Errorf("spans of %v, want those of 11 and 10", pids)
	}
	if s := table.Stats(); s.Running != 2 || s.Estimated != 0 {
		t.Errorf("got %+v; want 2 running, and no end that was lost", s)
	}
}
