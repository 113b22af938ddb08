package otelexport

import "time"

// The methods below are what the shelf needs of the queue: batches to store, and
// the count of what is on disk.

// takeForDisk hands out the oldest batches that are full or due, up to some
// bytes: all, or where all are not wanted, those by which the queue is more than
// half full. It also returns how long until it may have more.
func (q *queue) takeForDisk(all bool, bytes int) (some []*batch, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = time.Hour // whoever brings an item wakes us before
	if all && q.open != nil {
		if due := time.Until(q.open.due); due > 0 && !q.closed {
			wait = due
		} else {
			q.seal()
		}
	}
	for len(q.ready) > 0 && (all || q.waiting > q.items/2 || q.bytes > q.size/2) {
		if bytes -= q.ready[0].size; bytes < 0 && len(some) > 0 {
			return some, 0
		}
		b := q.removeOldest()
		q.fly(b)
		some = append(some, b)
	}
	return some, wait
}

// store counts batches that are under way as stored.
func (q *queue) store(batches ...*batch) { q.move(batches, 1) }

// unstore takes that back.
func (q *queue) unstore(batches ...*batch) { q.move(batches, -1) }

func (q *queue) move(batches []*batch, sign int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range batches {
		q.inFlight -= sign * b.items
		q.onDisk += sign * b.items
	}
}

// found counts items that an earlier run left in the store.
func (q *queue) found(items int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.restored += uint64(items)
	q.onDisk += items
}

// dropStored counts items that the store gave up.
func (q *queue) dropStored(items int, why reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.onDisk -= items
	q.dropped[why] += uint64(items)
}

// reuse keeps the memory of a batch that is on the disk.
func (q *queue) reuse(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.land(b)
	q.keep(b)
}
