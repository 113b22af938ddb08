package deliver

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/procspan/procspan/otelexport/spool"
)

// This file is the disk of a backlog. Its methods are called with disk held, but
// for keep and those of spool.Listener.

const (
	// storeAgain is how long the disk is left alone after an error.
	storeAgain = 5 * time.Second
	// maxStoring is how many bytes are written in one transaction, and so wait for
	// one fsync.
	maxStoring = 4 << 20
)

// keep stores what should not wait in memory, until ctx ends: while exports fail,
// every batch that is full or due; otherwise the batches by which memory is more
// than half full.
func (b *backlog) keep(ctx context.Context) {
	if b.lane == nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(b.keepOnce())
		select {
		case <-b.crowded:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// keepOnce stores once, and returns how long until there may be more.
func (b *backlog) keepOnce() time.Duration {
	b.disk.Lock()
	defer b.disk.Unlock()
	failing, _ := b.state()
	return b.store(failing)
}

// store writes batches from memory, at most maxStoring bytes: all that are full or
// due, or only those that crowd it. It returns how long until there may be more.
func (b *backlog) store(all bool) time.Duration {
	if !b.diskReady() {
		return storeAgain
	}
	some, wait := b.takeForDisk(all)
	if len(some) == 0 {
		return wait
	}
	if !b.write(some...) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.land(some...)
		b.insert(some...)
		return storeAgain
	}
	return 0
}

// storeAll stores everything. The backlog must be closed: if the disk is slower
// than what comes in, it never ends.
func (b *backlog) storeAll() {
	for b.store(true) == 0 {
	}
}

// takeForDisk takes the oldest batches to store, and returns how long until there
// may be more.
func (b *backlog) takeForDisk(all bool) (some []*batch, wait time.Duration) {
	wait = time.Hour // push will signal before
	if all {
		wait = b.in.sealDue()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes := maxStoring
	for len(b.ready) > 0 && (all || b.inQueue() > b.items/2 || b.inBytes() > b.size/2) {
		if bytes -= b.ready[0].size; bytes < 0 && len(some) > 0 {
			return some, 0
		}
		some = append(some, b.takeOldest())
	}
	return some, wait
}

// diskReady reports whether there is a disk and it did not fail just now.
func (b *backlog) diskReady() bool {
	return b.lane != nil && (b.broken.IsZero() || time.Since(b.broken) >= storeAgain)
}

// write stores batches, all or none, and reports whether it did.
func (b *backlog) write(batches ...*batch) bool {
	if !b.diskReady() {
		return false
	}
	records, items := make([]spool.Record, len(batches)), 0
	for i, t := range batches {
		records[i] = encodeBatch(t)
		items += t.items
	}
	// Count first: the other signal may evict them before Put returns.
	b.stored(items)
	if !b.diskOK(b.lane.Put(records...)) {
		b.stored(-items)
		return false
	}
	if !b.broken.IsZero() {
		b.log.Info("store recovered", "signal", string(b.signal))
		b.broken = time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.land(batches...)
	for _, t := range batches {
		b.release(t)
	}
	return true
}

// stored counts n waiting items as stored; less than 0 takes that back.
func (b *backlog) stored(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.move(n, &b.book.Waiting, &b.book.Stored)
}

// load takes the oldest stored batch, or nil.
func (b *backlog) load() *batch {
	for b.diskReady() {
		key, r, err := b.lane.Take()
		if !b.diskOK(err) || key == "" {
			return nil
		}
		b.stored(-r.Items)
		t, err := decodeBatch(r)
		if err == nil {
			t.key = key
			return t
		}
		// Its checksum was right, so its writer has a bug.
		b.mu.Lock()
		b.drop(r.Items, Invalid, err.Error())
		b.mu.Unlock()
		b.diskOK(b.lane.Remove(key))
	}
	return nil
}

// unload removes a batch from disk if it came from there.
func (b *backlog) unload(t *batch) {
	if t.key != "" {
		b.diskOK(b.lane.Remove(t.key))
	}
}

// putBack returns a batch to where it waited, whole or in parts; if that is memory,
// rather to the disk.
func (b *backlog) putBack(t *batch, parts ...*batch) {
	lost := t.key != "" // by the store
	if lost && b.putBackOnDisk(t, parts) {
		return
	}
	if lost { // else it may be shared
		t.key = ""
	}
	if len(parts) == 1 && b.write(t) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.land(t)
	for _, p := range parts {
		if lost {
			p.first = b.in.pushed.Load()
		}
	}
	b.insert(parts...)
}

// putBackOnDisk reports whether the batch, or its parts, are on disk again.
// Otherwise the store does not have it any more.
func (b *backlog) putBackOnDisk(t *batch, parts []*batch) bool {
	b.stored(t.items)
	if len(parts) == 1 {
		if b.lane.Return(t.key) {
			return true
		}
		b.stored(-t.items)
		return false
	}
	records := make([]spool.Record, len(parts))
	for i, p := range parts {
		records[i] = encodeBatch(p)
	}
	replaced, err := b.lane.Replace(t.key, records...)
	if b.diskOK(err) && replaced {
		return true
	}
	b.stored(-t.items)
	b.unload(t)
	return false
}

// diskOK logs when the disk begins to fail. Only write shows that it recovered.
func (b *backlog) diskOK(err error) bool {
	if err == nil {
		return true
	}
	if b.broken.IsZero() {
		b.log.Warn("store failed, keeping "+string(b.signal)+" in memory", "error", err, "hint", diskHint(err))
	}
	b.broken = time.Now()
	return false
}

// Found implements spool.Listener.
func (b *backlog) Found(items int) {
	b.mu.Lock()
	b.book.restore(items, &b.book.Stored)
	b.mu.Unlock()
	b.log.Info("found stored "+string(b.signal)+" of an earlier run", b.signal.key(), items)
}

// Lost implements spool.Listener.
func (b *backlog) Lost(items int, loss spool.Loss) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.drop(items, &b.book.Stored, storeReason(loss))
	b.drops.add(storeReason(loss), items, "")
}

func storeReason(loss spool.Loss) Reason {
	switch loss {
	case spool.Full:
		return StoreFull
	case spool.Expired:
		return StoreExpired
	}
	return StoreCorrupt
}

// diskHint says what to do about a store that fails.
func diskHint(err error) string {
	is := func(errs ...error) bool {
		return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return "free space on the file system of delivery.directory, or lower delivery.max_size"
	case is(syscall.EROFS, syscall.EACCES, syscall.EPERM):
		return "make delivery.directory writable for the user that procspan runs as"
	}
	return "check the disk of delivery.directory"
}

// openStore returns the configured store, or nil.
func openStore(o Options) (*spool.Store, error) {
	if o.Store.Directory == "" {
		return nil, nil
	}
	return spool.Open(spool.Options{
		Directory: o.Store.Directory,
		MaxSize:   o.Store.MaxSize,
		MaxAge:    o.Store.MaxAge,
		Version:   storedVersion,
		Log:       o.Log,
	})
}
