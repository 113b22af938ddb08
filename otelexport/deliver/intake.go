package deliver

import (
	"sync"
	"sync/atomic"
	"time"
)

// Intake takes the items of one signal and forms batches of them. Every exporter of
// the signal gets each batch, by reference: a batch that is closed does not change.
// So the items are in memory once, however many exporters wait to send them.
//
// Locks are taken in the order backlog.disk, Intake.mu, backlog.mu.
type Intake struct {
	signal Signal

	mu        sync.Mutex
	lines     []*backlog // of the exporters; each gets every batch
	limits               // the smallest of those of the exporters
	fullSize  int        // batchSize as configured
	lowered   time.Time  // since when batchSize is less
	open      *batch     // being filled, or nil
	closed    bool
	replaying bool
	accepted  uint64 // items that are not restored

	// These are written with mu held, and read without.
	pushed               atomic.Uint64         // position of the next item; see enter
	openItems, openBytes atomic.Int64          // of open
	spare                atomic.Pointer[batch] // memory for the next open batch
}

// Used reports whether there is an exporter. The goroutine that pushes calls it.
func (in *Intake) Used() bool { return len(in.lines) > 0 }

// Wants reports whether to encode the next item and push it. If not, it has counted
// the item.
func (in *Intake) Wants() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.lines) == 0 {
		return false
	}
	for _, b := range in.lines {
		if !b.mutedNow() {
			return true
		}
	}
	in.refuse(Unsupported, "")
	return false
}

// Push takes a copy of an encoded item, or the error that encoding it gave. Items
// with the same array in resource travel together. It never blocks.
func (in *Intake) Push(item []byte, err error, resource []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case err != nil:
		in.refuse(Invalid, err.Error())
	case in.closed:
		in.refuse(Shutdown, "")
	case cost(item, resource) > in.size:
		in.refuse(TooLarge, "")
	default:
		in.add(item, resource)
	}
}

func (in *Intake) add(item, resource []byte) {
	position, wanted := in.enter()
	if !wanted {
		return
	}
	limit := in.batchLimit()
	if in.open != nil && in.open.size+in.open.cost(item, resource) > limit {
		in.seal()
	}
	t := in.open
	if t == nil {
		t = in.fresh(position)
		in.open = t
		for _, b := range in.lines {
			b.signalBoth() // for the timers
		}
	}
	t.add(item, resource)
	in.openItems.Store(int64(t.items))
	in.openBytes.Store(int64(t.size))
	if t.items >= in.batchItems || t.size >= limit {
		in.seal()
		return
	}
	for _, b := range in.lines {
		b.makeRoom()
	}
}

// enter numbers an item that is pushed. It reports false for one that no exporter
// needs again in a replay.
func (in *Intake) enter() (position uint64, wanted bool) {
	position = in.pushed.Load()
	in.pushed.Store(position + 1)
	if !in.replaying {
		in.accepted++
		return position, true
	}
	for _, b := range in.lines {
		if b.skip == position {
			in.seal() // from here on, this exporter is among those that need it
		}
		wanted = wanted || b.skip <= position
	}
	return position, wanted
}

// refuse counts an item that is in no batch.
func (in *Intake) refuse(why Reason, detail string) {
	position, _ := in.enter()
	for _, b := range in.lines {
		if b.needs(position, in.replaying) {
			b.refuse(in.replaying, why, detail)
		}
	}
}

func (in *Intake) fresh(first uint64) *batch {
	t := in.spare.Swap(nil)
	if t == nil {
		t = &batch{}
		t.reset()
	}
	t.first, t.due, t.replayed = first, time.Now().Add(in.delay), in.replaying
	return t
}

// seal closes the open batch and hands it out.
func (in *Intake) seal() {
	t := in.open
	if t == nil {
		return
	}
	in.open = nil
	in.openItems.Store(0)
	in.openBytes.Store(0)
	t.holders.Store(int32(len(in.lines)))
	for _, b := range in.lines {
		if b.needs(t.first, t.replayed) {
			b.add(t)
		} else {
			b.release(t)
		}
	}
}

// sealDue closes the open batch if it is due, and returns how long until it is.
func (in *Intake) sealDue() (wait time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.open == nil {
		return time.Hour // push will signal before
	}
	if wait := time.Until(in.open.due); wait > 0 {
		return wait
	}
	in.seal()
	return time.Hour
}

// batchLimit returns the present limit of a batch in bytes.
func (in *Intake) batchLimit() int {
	if !in.lowered.IsZero() && time.Since(in.lowered) >= lowerFor {
		in.batchSize, in.lowered = in.fullSize, time.Time{}
	}
	return in.batchSize
}

// lower lowers the size of the batches to come, in bytes, for a while.
func (in *Intake) lower(size int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.batchSize = min(in.batchLimit(), max(size, minBatchBytes))
	in.lowered = time.Now()
}

// setLines sets the exporters. Those that were there before get what was pushed
// before.
func (in *Intake) setLines(lines []*backlog) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seal()
	in.lines = lines
	for i, b := range lines {
		if i == 0 {
			in.limits = b.limits
			continue
		}
		in.delay = min(in.delay, b.delay)
		in.batchItems = min(in.batchItems, b.batchItems)
		in.batchSize = min(in.batchSize, b.batchSize)
		in.size = max(in.size, b.size)
	}
	in.fullSize, in.lowered = in.batchSize, time.Time{}
}

// close ends the intake: what is pushed later is dropped.
func (in *Intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seal()
	in.closed = true
}
