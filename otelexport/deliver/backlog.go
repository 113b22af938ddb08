package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/procspan/procspan/otelexport/spool"
)

const (
	// maxQueueBytes bounds the encoded items and resources that wait in memory,
	// beside the configured number of items: those with long arguments can be a
	// hundred times the usual 800 bytes.
	maxQueueBytes = 64 << 20
	// maxBatchBytes bounds one request, in the same bytes. A gRPC server accepts
	// 4 MiB unless told otherwise; half leaves room for servers that count
	// differently. A longer item travels alone.
	maxBatchBytes = 2 << 20
	// minBatchBytes is the least to which a collector's limit lowers maxBatchBytes,
	// and lowerFor how long it does.
	minBatchBytes = 16 << 10
	lowerFor      = 10 * time.Minute
	// muteFor is how long no item is accepted after the endpoint has turned out not
	// to take the signal.
	muteFor = 10 * time.Minute
)

// limits bound a backlog; sizes are in bytes.
type limits struct {
	delay                 time.Duration // how long an item waits for its batch to fill
	batchItems, batchSize int           // per batch
	items, size           int           // waiting in memory
	overflow              Reason        // beyond that; QueueFull by default
}

// backlog owns what one exporter has of the items of a signal, from push until they
// are delivered or dropped: in batches, in memory and on disk. It is full when memory
// is full; then the oldest batch goes. One goroutine takes batches with next and
// returns each with done; another runs keep.
//
// Two locks: disk is held during I/O, mu never. disk is taken first.
type backlog struct {
	limits // those of items and size are guarded by mu
	in     *Intake
	signal Signal
	log    *slog.Logger
	drops  *dropLog
	skip   uint64 // in a replay, the first position that it needs; guarded by in.mu
	// more and crowded hold a token if next or keep has reason to look again.
	more, crowded chan struct{}

	disk     sync.Mutex
	lane     *spool.Lane // nil: memory only
	broken   time.Time   // of the last error of the disk, or zero
	fromDisk bool        // the last batch handed out came from disk

	muted atomic.Int64 // until this Unix time in ns the signal is unsupported

	mu      sync.Mutex
	ready   []*batch // oldest first
	taken   []*batch // from ready, and neither ended, on disk nor put back
	closed  bool
	failing bool // the last attempt failed: all that is due goes to disk
	ended   bool // closed, failing, and all on disk
	book    Stats

	// Of ready. They are written with mu held, and read without.
	queued, bytes atomic.Int64
}

func newBacklog(in *Intake, l limits, drops *dropLog) *backlog {
	return &backlog{limits: l, in: in, signal: in.signal, log: drops.log, drops: drops,
		more: make(chan struct{}, 1), crowded: make(chan struct{}, 1)}
}

// needs reports whether an item or batch is for this exporter. in.mu is held.
func (b *backlog) needs(position uint64, replayed bool) bool { return !replayed || b.skip <= position }

// add takes a closed batch.
func (b *backlog) add(t *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.enter(t.items, t.replayed)
	switch {
	case b.mutedNow():
		b.drop(t.items, Unsupported, "")
		b.release(t)
	case b.closed:
		b.drop(t.items, Shutdown, "")
		b.release(t)
	default:
		b.ready = append(b.ready, t)
		b.count(t, +1)
		b.shrink()
		b.signalBoth()
	}
}

// refuse counts an item that is in no batch.
func (b *backlog) refuse(replayed bool, why Reason, detail string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.enter(1, replayed)
	b.drop(1, why, detail)
}

// next waits for a batch that is full or due, or on disk, and hands it out, to be
// returned with done. It returns nil when ctx ends, or when nothing is left to send
// after close.
func (b *backlog) next(ctx context.Context) *batch {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		got, wait := b.pick()
		if got != nil || wait == 0 {
			return got
		}
		timer.Reset(wait)
		select {
		case <-b.more:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// pick returns a batch, or how long until there may be one; 0 is never. Disk and
// memory take turns, so that what is new is seen soon and the disk drains all the
// same.
func (b *backlog) pick() (*batch, time.Duration) {
	b.disk.Lock()
	defer b.disk.Unlock()
	failing, idle := b.state()
	if failing {
		// A batch from memory that fails would be stored behind newer ones.
		b.store(true)
	}
	if memoryFirst := b.fromDisk && !failing; memoryFirst || idle {
		b.fromDisk = false
		if got, wait := b.takeReady(); got != nil || idle {
			return got, wait
		}
	}
	if got := b.load(); got != nil {
		b.fromDisk = true
		return got, 0
	}
	return b.takeReady()
}

// done ends or returns a batch that next handed out.
func (b *backlog) done(t *batch, v Verdict) {
	b.disk.Lock()
	defer b.disk.Unlock()
	switch {
	case v.Outcome == Retry:
		b.putBack(t, t)
		b.noteFailure()
	case v.Outcome == Split && t.items > 1:
		b.in.lower(t.size / 2)
		first, second := t.split()
		b.putBack(t, first, second)
	case v.Outcome == UnsupportedSignal:
		b.mute(t)
	default:
		b.unload(t)
		b.end(t, v)
	}
	b.signalBoth()
}

// end counts a batch as delivered or dropped.
func (b *backlog) end(t *batch, v Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.land(t)
	dropped, why := v.dropped(t.items)
	b.book.move(t.items-dropped, &b.book.Waiting, &b.book.Delivered)
	b.drop(dropped, why, v.detail())
	if v.Outcome == Delivered {
		b.failing = false
	}
	b.release(t)
}

// noteFailure makes keep store everything. If the backlog is closed, all is stored
// here, and if that works, nothing is left to send in this run.
func (b *backlog) noteFailure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing = true
	if b.closed {
		b.mu.Unlock()
		b.storeAll()
		b.mu.Lock()
		b.ended = b.queued.Load() == 0
	}
}

// mute turns items away for a while. What is in memory is dropped; what is on disk
// stays.
func (b *backlog) mute(t *batch) {
	b.muted.Store(time.Now().Add(muteFor).UnixNano())
	if t.key != "" {
		b.putBack(t, t)
	} else {
		b.end(t, Verdict{Outcome: UnsupportedSignal})
	}
	b.dropQueued(Unsupported, "")
}

func (b *backlog) mutedNow() bool {
	until := b.muted.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// close makes next return nil when nothing is left to send. The intake gives it no
// more batches.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.signalBoth()
}

// abandon stores what is left, or drops it. lastErr is why it was not delivered.
func (b *backlog) abandon(lastErr string) {
	b.disk.Lock()
	defer b.disk.Unlock()
	if !b.broken.IsZero() {
		b.broken = b.broken.Add(-storeAgain) // try the disk once more
	}
	b.storeAll()
	b.dropQueued(Shutdown, lastErr)
}

// dropQueued drops everything in memory.
func (b *backlog) dropQueued(why Reason, detail string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.ready) > 0 {
		b.dropOldest(why, detail)
	}
}

// relink takes over the limits of a destination, and that it may take the signal.
func (b *backlog) relink(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l.to.limits()
	b.drops.relink(l)
	b.muted.Store(0)
	b.signalBoth()
}

// reopen makes a closed backlog take batches again.
func (b *backlog) reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.ended, b.failing = false, false, false
	b.drops.reopen()
}

// stats returns the book, with the batch that is open, and how many items were
// pushed while the intake did not know this exporter.
func (b *backlog) stats() (s Stats, missed uint64) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s = b.book
	if t := b.in.open; t != nil && slices.Contains(b.in.lines, b) && b.needs(t.first, t.replayed) {
		s.enter(t.items, t.replayed)
	}
	return s, b.in.accepted - s.Accepted
}

func (b *backlog) depth() Depth {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Depth{Queued: b.inQueue(), Bytes: b.inBytes(), InFlight: int(b.book.Waiting) - int(b.queued.Load()), Capacity: b.items}
}

// state reports whether the last attempt failed, and whether the disk is to be
// left alone.
func (b *backlog) state() (failing, idle bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failing, b.ended || b.mutedNow()
}

// takeReady returns the oldest batch in memory that is full or due, or how long
// until there may be one; 0 is never.
func (b *backlog) takeReady() (*batch, time.Duration) {
	wait := b.in.sealDue()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended:
		return nil, 0
	case len(b.ready) > 0:
		return b.takeOldest(), 0
	case b.closed:
		return nil, 0
	case b.mutedNow():
		return nil, time.Until(time.Unix(0, b.muted.Load()))
	}
	return nil, wait
}
