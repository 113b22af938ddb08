package deliver

// Stats is the book of one signal. Every item is in one account at a time, so
// always
//
//	Accepted + Restored = Delivered + Waiting + Stored + the sum of Dropped
//
// Items enter by enter or restore, and then only move.
type Stats struct {
	Accepted  uint64 // pushed
	Restored  uint64 // left by an earlier agent, on disk or by Snapshot
	Delivered uint64 // accepted by the collector
	Waiting   uint64 // in memory or in flight
	Stored    uint64 // on disk
	Dropped   Drops
}

// enter enters n pushed items.
func (s *Stats) enter(n int, replayed bool) {
	if replayed {
		s.restore(n, &s.Waiting)
		return
	}
	s.Accepted += uint64(n)
	s.Waiting += uint64(n)
}

// restore enters n items of an earlier agent into an account.
func (s *Stats) restore(n int, to *uint64) {
	s.Restored += uint64(n)
	*to += uint64(n)
}

// move moves n items from one account to another.
func (s *Stats) move(n int, from, to *uint64) {
	*from -= uint64(n)
	*to += uint64(n)
}

// drop moves n items from an account to the dropped ones.
func (s *Stats) drop(n int, from *uint64, why Reason) { s.move(n, from, &s.Dropped[why]) }

// Depth is the fill level of one signal's memory.
type Depth struct {
	Queued   int // items that wait in memory
	Bytes    int // of these
	InFlight int // items being sent
	Capacity int // the most items that may wait
}
