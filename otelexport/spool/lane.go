package spool

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxDone is how many removals wait at most until they are made good.
const maxDone = 32

// Listener is told what becomes of a lane's items without its doing. It is
// called by the goroutine of any lane, and must not use the store.
type Listener interface {
	// Found says that items are in the store that were not known of: those of an
	// earlier run, or of a Put that failed after it had written.
	Found(items int)
	// Lost says that items in the store are no more.
	Lost(items int, why Loss)
}

// Loss says why the store gave items up.
type Loss int

// The reasons there are.
const (
	Full    Loss = iota // MaxSize was reached; these were the oldest
	Expired             // older than MaxAge
	Corrupt             // the file was, and is set aside; or somebody removed it
)

// Record is what is kept.
type Record struct {
	Items int
	Data  []byte
}

// Lane is an order of records. It is for one goroutine. A record that was taken
// is held: it is neither taken again nor given up, until it is returned or
// removed.
type Lane struct {
	store    *Store
	name     []byte
	listener Listener

	// All are guarded by the store's mu.
	items int      // in the file, less held and done
	held  string   // key of the record that was taken, or ""
	kept  int      // items of it
	done  []string // keys that are removed, but not yet from the file
}

// Lane returns the lane of a name. It is called once for each that there ever
// was, before any is used.
func (s *Store) Lane(name string, listener Listener) *Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Lane{store: s, name: []byte(name), listener: listener}
	s.lanes = append(s.lanes, l)
	return l
}

// Put appends records, all or none. When it returns nil they are on the disk.
// For them, the oldest of all lanes may have to go.
func (l *Lane) Put(all ...Record) error {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again(func() error {
		return s.update(func(tx *bolt.Tx, c *changes) error {
			var need int64
			for _, r := range all {
				need += r.size(keySize)
			}
			if err := s.makeRoom(tx, need, c); err != nil {
				return err
			}
			now := time.Now()
			for i, r := range all {
				if err := l.write(tx, newKey(s.last+uint64(i)+1), now, r, c); err != nil {
					return err
				}
			}
			c.added += uint64(len(all))
			return nil
		})
	})
}

// Take returns the oldest record and holds it; the key is "" when there is none.
func (l *Lane) Take() (key string, r Record, err error) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.open(false); err != nil || l.items == 0 {
			return "", Record{}, err
		}
		var first stored
		err := s.do(s.db.View, func(tx *bolt.Tx) (err error) {
			first, err = l.first(tx)
			if err == nil && !first.before(s.oldest()) {
				r, err = first.record()
			}
			return err
		})
		switch {
		case corrupt(err):
			continue // it was set aside
		case err != nil:
			return "", Record{}, err
		case first.key == nil:
			return "", Record{}, nil
		case first.before(s.oldest()):
			if err := s.update(func(tx *bolt.Tx, c *changes) error { return s.expire(tx, c) }); err != nil && !corrupt(err) {
				return "", Record{}, err
			}
			continue
		}
		l.held, l.kept = string(first.key), r.Items
		l.items -= r.Items
		return l.held, r, nil
	}
}

// Remove ends the hold of a record for good. An error says that removals could
// not be made good yet; it is tried again with the next change.
func (l *Lane) Remove(key string) error {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.held != key {
		return nil // it was set aside
	}
	l.held = ""
	l.done = append(l.done, key)
	if s.drained() {
		return s.discard()
	}
	if len(l.done) < maxDone {
		return nil
	}
	if err := s.open(false); err != nil || s.db == nil {
		return err
	}
	return s.update(func(*bolt.Tx, *changes) error { return nil })
}

// Return ends the hold of a record, which is then the oldest again. It reports
// whether the store still has it.
func (l *Lane) Return(key string) bool {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.held != key {
		return false
	}
	l.held = ""
	l.items += l.kept
	return true
}

// Replace puts others in the place of a record that is held, all or none, as old
// as it is. It reports false when the store has that record no more.
func (l *Lane) Replace(key string, all ...Record) (bool, error) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(false); err != nil || l.held != key {
		return false, err
	}
	err := s.update(func(tx *bolt.Tx, c *changes) error {
		was, err := l.at(tx, []byte(key))
		if err != nil {
			return err
		}
		if err := l.delete(tx, key, c); err != nil {
			return err
		}
		for i, r := range all {
			// It sorts behind the key, and before the one that follows.
			if err := l.write(tx, append([]byte(key), byte(i)), was.put, r, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	l.held = ""
	return true, nil
}

// Clear removes all records of the lane but the one that is held, and returns how
// many items that were.
func (l *Lane) Clear() (items int, err error) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(false); err != nil || s.db == nil {
		return 0, err
	}
	items = l.items
	err = s.update(func(tx *bolt.Tx, c *changes) error {
		for {
			r, err := l.first(tx)
			if err != nil || r.key == nil {
				return err
			}
			if err := l.delete(tx, string(r.key), c); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return 0, err
	}
	l.items = 0
	if s.drained() {
		err = s.discard()
	}
	return items, err
}

// again runs f on the open file, and once more on a new one if it turns out
// corrupt.
func (s *Store) again(f func() error) error {
	for first := true; ; first = false {
		if err := s.open(true); err != nil {
			return err
		}
		if err := f(); !first || !corrupt(err) {
			return err
		}
	}
}

// drained reports whether nothing waits in the file.
func (s *Store) drained() bool {
	return !slices.ContainsFunc(s.lanes, func(l *Lane) bool { return l.items > 0 || l.held != "" })
}

// skips reports whether the record is none that waits.
func (l *Lane) skips(key []byte) bool {
	return string(key) == l.held || slices.Contains(l.done, string(key))
}

// counted takes note of how many items wait in the file.
func (l *Lane) counted(items int) {
	if more := items - l.items; more > 0 {
		l.listener.Found(more)
	} else if more < 0 {
		l.listener.Lost(-more, Corrupt)
	}
	l.items = items
}

// first returns the oldest record that waits; its key is nil when there is none.
func (l *Lane) first(tx *bolt.Tx) (stored, error) {
	bucket := tx.Bucket(l.name)
	if bucket == nil {
		return stored{}, nil
	}
	for r, err := range records(bucket) {
		if err != nil || !l.skips(r.key) {
			return r, err
		}
	}
	return stored{}, nil
}

// at returns the record of a key.
func (l *Lane) at(tx *bolt.Tx, key []byte) (stored, error) {
	bucket := tx.Bucket(l.name)
	if bucket == nil {
		return stored{}, &corruption{fmt.Errorf("it has no %s", l.name)}
	}
	return read(bucket, key)
}

func (l *Lane) write(tx *bolt.Tx, key []byte, put time.Time, r Record, c *changes) error {
	bucket, err := tx.CreateBucketIfNotExists(l.name)
	if err != nil {
		return err
	}
	// A bucket for each, because then the record has pages of its own: in a common
	// one, each new value would have its neighbours written again.
	own, err := bucket.CreateBucket(key)
	if err != nil {
		return err
	}
	if err := own.Put(valueKey, encode(l.store.o.Version, put, r)); err != nil {
		return err
	}
	c.bytes += r.size(len(key))
	c.add(l, r.Items)
	return nil
}

// delete takes a record out. Whose items it takes away is the caller's to say:
// those of held and removed records count no more.
func (l *Lane) delete(tx *bolt.Tx, key string, c *changes) error {
	r, err := l.at(tx, []byte(key))
	if err != nil {
		return err
	}
	c.bytes -= r.size
	return tx.Bucket(l.name).DeleteBucket(bytes.Clone(r.key))
}
