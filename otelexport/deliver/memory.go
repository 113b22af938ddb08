package deliver

import "slices"

// This file is the memory of a backlog. Its methods are called with mu held.

// drop counts waiting items as dropped, and reports them.
func (b *backlog) drop(n int, why Reason, detail string) {
	b.book.drop(n, &b.book.Waiting, why)
	b.drops.add(why, n, detail)
}

// count adds a batch to what is queued, or takes it away.
func (b *backlog) count(t *batch, sign int64) {
	b.queued.Add(sign * int64(t.items))
	b.bytes.Add(sign * int64(t.size))
}

// inQueue and inBytes are what waits in memory, with the batch that is open.
func (b *backlog) inQueue() int { return int(b.queued.Load() + b.in.openItems.Load()) }
func (b *backlog) inBytes() int { return int(b.bytes.Load() + b.in.openBytes.Load()) }

func (b *backlog) full() bool { return b.inQueue() > b.items || b.inBytes() > b.size }

// makeRoom is shrink without mu held. The batch that is open has grown.
func (b *backlog) makeRoom() {
	if b.full() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.shrink()
	}
}

// shrink drops the oldest batches until the limits hold. An open batch alone never
// exceeds them.
func (b *backlog) shrink() {
	for len(b.ready) > 0 && b.full() {
		b.dropOldest(b.overflow, "")
	}
}

func (b *backlog) dropOldest(why Reason, detail string) {
	t := b.removeOldest()
	b.drop(t.items, why, detail)
	b.release(t)
}

// insert puts batches at the head of the queue.
func (b *backlog) insert(batches ...*batch) {
	for _, t := range batches {
		b.count(t, +1)
	}
	b.ready = slices.Insert(b.ready, 0, batches...)
	b.shrink()
}

func (b *backlog) removeOldest() *batch {
	t := b.ready[0]
	b.ready[0] = nil
	b.ready = b.ready[1:]
	b.count(t, -1)
	return t
}

func (b *backlog) takeOldest() *batch {
	t := b.removeOldest()
	b.taken = append(b.taken, t)
	return t
}

// land ends the hold of batches that were taken from memory.
func (b *backlog) land(batches ...*batch) {
	b.taken = slices.DeleteFunc(b.taken, func(t *batch) bool { return slices.Contains(batches, t) })
}

// release ends the hold of this exporter on a batch. The memory of one that nobody
// holds is used for the next. A batch that was split, or is from disk or a snapshot,
// has no count of holders.
func (b *backlog) release(t *batch) {
	if t.holders.Add(-1) == 0 && t.held() <= 2*maxBatchBytes {
		t.reset()
		b.in.spare.Store(t)
	}
}

func (b *backlog) signalBoth() {
	for _, c := range [...]chan struct{}{b.more, b.crowded} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
