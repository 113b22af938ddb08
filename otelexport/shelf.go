package otelexport

import (
	"errors"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/procspan/procspan/otelexport/spool"
)

const (
	// storeAgain is how long after an error of the disk the store is left alone.
	storeAgain = 5 * time.Second
	// maxStoring is how many bytes of batches go to the disk in one transaction,
	// and so wait in memory for one fsync.
	maxStoring = 4 << 20
)

// shelf is where batches of one signal wait on disk. What it has belongs to the
// store: of each batch, the queue counts where it is. It is for the delivery's
// goroutine. A shelf without a lane has nothing and takes nothing.
type shelf struct {
	signal signal
	lane   *spool.Lane
	queue  *queue
	log    *slog.Logger
	losses *losses

	broken time.Time // of the last error, or zero
}

// newShelf returns the shelf of a signal in a store, which may be nil.
func newShelf(s signal, store *spool.Store, q *queue, l *losses) *shelf {
	sh := &shelf{signal: s, queue: q, losses: l, log: l.log}
	if store != nil {
		sh.lane = store.Lane(s.key(), sh)
	}
	return sh
}

// Found implements spool.Listener.
func (s *shelf) Found(items int) {
	s.queue.found(items)
	s.log.Info(string(s.signal)+" of earlier were found in the store", s.signal.key(), items)
}

// Lost implements spool.Listener.
func (s *shelf) Lost(items int, why spool.Loss) {
	s.queue.dropStored(items, storeReason(why))
	s.losses.add(storeReason(why), items, "")
}

// ready reports whether there is a store, and no error was met just now.
func (s *shelf) ready() bool {
	return s.lane != nil && (s.broken.IsZero() || time.Since(s.broken) >= storeAgain)
}

// retry has the next use not wait until an error of the disk is old enough.
func (s *shelf) retry() {
	if !s.broken.IsZero() {
		s.broken = s.broken.Add(-storeAgain)
	}
}

// put takes batches that were taken from the queue to the disk, all or none, and
// reports whether it did.
func (s *shelf) put(batches ...*batch) bool {
	if !s.ready() {
		return false
	}
	records := make([]spool.Record, len(batches))
	for i, b := range batches {
		records[i] = encodeBatch(b)
	}
	// They count as stored first: the other signal may need their room at once.
	s.queue.store(batches...)
	err := s.lane.Put(records...)
	if !s.did(err) {
		s.queue.unstore(batches...)
		return false
	}
	if !s.broken.IsZero() {
		s.log.Info("the store works again", "for", s.signal.key())
		s.broken = time.Time{}
	}
	for _, b := range batches {
		s.queue.reuse(b)
	}
	return true
}

// take returns the oldest batch, to be settled, dropped or given back, or nil.
func (s *shelf) take() *batch {
	for s.ready() {
		key, r, err := s.lane.Take()
		if !s.did(err) || key == "" {
			return nil
		}
		s.queue.unstore(&batch{items: r.Items})
		b, err := decodeBatch(r)
		if err == nil {
			b.key = key
			return b
		}
		// Its checksum was right, so it is a bug of whoever wrote it.
		s.queue.drop(&batch{items: r.Items}, invalid)
		s.losses.add(invalid, r.Items, err.Error())
		s.did(s.lane.Remove(key))
	}
	return nil
}

// remove takes out a batch that was taken from here, for good.
func (s *shelf) remove(b *batch) {
	if b.key != "" {
		s.did(s.lane.Remove(b.key))
	}
}

// giveBack puts a batch that was taken from here back to its place, whole or in
// parts, and reports whether it did. Otherwise the store has it no more.
func (s *shelf) giveBack(b *batch, parts ...*batch) bool {
	if b.key == "" {
		return false
	}
	s.queue.store(parts...)
	if len(parts) == 1 {
		has := s.lane.Return(b.key)
		if !has {
			s.queue.unstore(parts...)
		}
		return has
	}
	records := make([]spool.Record, len(parts))
	for i, p := range parts {
		records[i] = encodeBatch(p)
	}
	replaced, err := s.lane.Replace(b.key, records...)
	if !s.did(err) || !replaced {
		s.queue.unstore(parts...)
		s.remove(b)
		return false
	}
	return true
}

// clear drops all there is.
func (s *shelf) clear(why reason) {
	if s.lane == nil {
		return
	}
	items, err := s.lane.Clear()
	s.queue.dropStored(items, why)
	s.did(err)
}

// did says it when the disk begins to fail. Only a put shows that it works again.
func (s *shelf) did(err error) (ok bool) {
	if err == nil {
		return true
	}
	if s.broken.IsZero() {
		s.log.Warn("the store fails; "+string(s.signal)+" wait in memory meanwhile", "error", err, "cure", diskCure(err))
	}
	s.broken = time.Now()
	return false
}

// diskCure says what to do about a store that fails.
func diskCure(err error) string {
	is := func(errs ...error) bool {
		return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return "make room on the file system of delivery.directory, or lower delivery.max_size"
	case is(syscall.EROFS, syscall.EACCES, syscall.EPERM):
		return "make delivery.directory writable for the user that procspan runs as"
	}
	return "check the disk that delivery.directory is on"
}
