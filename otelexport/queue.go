package otelexport

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxQueueBytes bounds what waits of one signal, in bytes of encoded items and
// their resources, beside the configured number of items: those with long
// arguments can be a hundred times the usual 800 bytes.
const maxQueueBytes = 64 << 20

// maxBatchBytes bounds one request, in bytes of the same. A gRPC server refuses
// more than 4 MiB unless told otherwise; half leaves room for servers that count
// differently. A longer item travels alone.
const maxBatchBytes = 2 << 20

// minBatchBytes is how far a server's own limit may lower maxBatchBytes.
const minBatchBytes = 16 << 10

// limits are what a queue keeps to.
type limits struct {
	delay                 time.Duration // how long an item waits for its batch to fill
	batchItems, batchSize int           // per batch; size in bytes
	items, size           int           // waiting in all; size in bytes
}

// queue holds the items of one signal that wait for the network, in batches,
// and counts what becomes of each, those on the shelf included. When it is full,
// the oldest batch goes. A batch that is under way to the network or to the disk
// does not count towards the limits.
type queue struct {
	limits
	wake chan struct{} // holds one token when take has reason to look again

	mu       sync.Mutex
	open     *batch // being filled, or nil
	ready    []*batch
	spare    *batch   // memory for the next open batch, or nil
	waiting  int      // items in open and ready
	bytes    int      // of the same
	inFlight int      // items taken and neither settled, stored nor put back
	flying   []*batch // taken from open and ready, and neither settled, on the disk nor put back
	onDisk   int      // items on the shelf
	closed   bool
	// unwanted says that the server does not take this signal at all.
	unwanted atomic.Bool

	accepted, restored, delivered uint64
	dropped                       [reasons]uint64
}

func newQueue(l limits) *queue {
	l.batchItems = max(1, l.batchItems)
	l.items = max(l.items, l.batchItems)
	return &queue{limits: l, wake: make(chan struct{}, 1)}
}

// push takes a copy of one encoded item. It reports how many items, the new or
// the oldest, had to be dropped, and why. That the server does not take them was
// said when it turned out, and is not reported again.
func (q *queue) push(item []byte, r *Resource) (dropped int, why reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.accepted++
	switch {
	case q.unwanted.Load():
		q.dropped[unsupported]++
		return 0, unsupported
	case q.closed:
		q.dropped[atShutdown]++
		return 1, atShutdown
	case len(item)+r.size > q.size:
		q.dropped[tooLarge]++
		return 1, tooLarge
	}
	if q.open != nil && q.open.size+q.open.cost(item, r) > q.batchSize {
		q.seal()
	}
	if q.open == nil {
		q.open = q.fresh()
		q.open.due = time.Now().Add(q.delay)
		q.signal() // the timer of take
	}
	before := q.open.size
	q.open.add(item, r)
	q.waiting++
	q.bytes += q.open.size - before
	if q.open.items >= q.batchItems || q.open.size >= q.batchSize {
		q.seal()
	}
	return q.shrink(), queueFull
}

// turnAway counts an item that need not be encoded, because the server does not
// take them, and reports whether that is so.
func (q *queue) turnAway() bool {
	if !q.unwanted.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.accepted++
	q.dropped[unsupported]++
	return true
}

// reject counts an item that could not be encoded.
func (q *queue) reject() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.accepted++
	q.dropped[invalid]++
}

// take waits for a batch that is full or due and hands it out, to be settled or
// put back. After close it hands out what is left, then nil; when ctx ends, nil.
func (q *queue) take(ctx context.Context) *batch {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		b, due := q.next()
		if b != nil || due == 0 {
			return b
		}
		timer.Reset(due)
		select {
		case <-q.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// next returns a batch, or how long until one may be due; 0 when there will be
// none any more.
func (q *queue) next() (*batch, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ready) == 0 && q.open != nil {
		if wait := time.Until(q.open.due); wait > 0 && !q.closed {
			return nil, wait
		}
		q.seal()
	}
	if len(q.ready) == 0 {
		if q.closed {
			return nil, 0
		}
		return nil, time.Hour // whoever brings an item wakes us before
	}
	b := q.removeOldest()
	q.fly(b)
	return b, 0
}

// empty reports whether nothing waits in memory.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting == 0
}

// poll is take without waiting.
func (q *queue) poll() *batch {
	b, _ := q.next()
	return b
}

// settle ends a batch that was delivered, less the items that the server
// rejected, and keeps its memory for the next one.
func (q *queue) settle(b *batch, rejectedItems int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.land(b)
	q.inFlight -= b.items
	q.delivered += uint64(b.items - rejectedItems)
	q.dropped[rejected] += uint64(rejectedItems)
	q.keep(b)
}

// drop ends a batch that was taken and is given up.
func (q *queue) drop(b *batch, why reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.land(b)
	q.inFlight -= b.items
	q.dropped[why] += uint64(b.items)
}

// putBack returns batches that were taken, whole or in parts, to the head of
// the queue. It reports how many items had to be dropped for it.
func (q *queue) putBack(taken []*batch, parts ...*batch) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.land(taken...)
	for _, b := range parts {
		q.inFlight -= b.items
		q.waiting += b.items
		q.bytes += b.size
	}
	q.ready = slices.Insert(q.ready, 0, parts...)
	return q.shrink()
}

// limitBatch lowers the size of the batches to come, in bytes.
func (q *queue) limitBatch(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.batchSize = min(q.batchSize, max(size, minBatchBytes))
}

// close ends intake; what waits is due at once.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// abandon drops all that waits and reports how many items that were.
func (q *queue) abandon() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.clear(atShutdown)
}

// mute drops all that waits and all that will come: the server does not take
// this signal.
func (q *queue) mute() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unwanted.Store(true)
	q.clear(unsupported)
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{
		Accepted:  q.accepted,
		Restored:  q.restored,
		Delivered: q.delivered,
		Waiting:   uint64(q.waiting + q.inFlight),
		Stored:    uint64(q.onDisk),
		Dropped: Dropped{
			QueueFull:   q.dropped[queueFull],
			Rejected:    q.dropped[rejected],
			TooLarge:    q.dropped[tooLarge],
			Refused:     q.dropped[refused],
			Invalid:     q.dropped[invalid],
			Shutdown:    q.dropped[atShutdown],
			Unsupported: q.dropped[unsupported],

			StoreFull:    q.dropped[storeFull],
			StoreExpired: q.dropped[storeExpired],
			StoreCorrupt: q.dropped[storeCorrupt],
		},
	}
}

// The methods below are called with mu held.

func (q *queue) fresh() *batch {
	b := q.spare
	q.spare = nil
	if b == nil {
		b = &batch{}
		b.reset()
	}
	return b
}

// fly counts a batch as under way.
func (q *queue) fly(b *batch) {
	q.flying = append(q.flying, b)
	q.inFlight += b.items
}

// land forgets that batches are under way, as far as they came from memory.
func (q *queue) land(batches ...*batch) {
	q.flying = slices.DeleteFunc(q.flying, func(b *batch) bool { return slices.Contains(batches, b) })
}

// keep keeps the memory of a batch that is done with for the next one.
func (q *queue) keep(b *batch) {
	if b.held() <= 2*maxBatchBytes {
		b.reset()
		q.spare = b
	}
}

func (q *queue) clear(why reason) int {
	n := q.waiting
	q.dropped[why] += uint64(n)
	q.open, q.ready, q.waiting, q.bytes = nil, nil, 0, 0
	return n
}

func (q *queue) seal() {
	q.ready = append(q.ready, q.open)
	q.open = nil
	q.signal()
}

// shrink drops the oldest batches until the limits hold. An open batch alone
// never exceeds them.
func (q *queue) shrink() (items int) {
	for len(q.ready) > 0 && (q.waiting > q.items || q.bytes > q.size) {
		items += q.removeOldest().items
	}
	q.dropped[queueFull] += uint64(items)
	return items
}

func (q *queue) removeOldest() *batch {
	b := q.ready[0]
	q.ready = slices.Delete(q.ready, 0, 1)
	q.waiting -= b.items
	q.bytes -= b.size
	return b
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
