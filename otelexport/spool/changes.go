package spool

import (
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// changes are what a transaction makes of the store. They count when it is on
// the disk.
type changes struct {
	added uint64 // numbers of keys
	bytes int64
	items map[*Lane]int // that wait, more or less than before
	lost  []loss
}

type loss struct {
	lane  *Lane
	items int
	why   Loss
}

func (c *changes) add(l *Lane, items int) {
	if c.items == nil {
		c.items = map[*Lane]int{}
	}
	c.items[l] += items
}

// apply takes note of what has become of a transaction.
func (s *Store) apply(c changes) {
	s.last += c.added
	s.bytes += c.bytes
	for l, items := range c.items {
		l.items += items
	}
	for _, lost := range c.lost {
		lost.lane.listener.Lost(lost.items, lost.why)
	}
}

// oldest is when a record must have been put to be kept.
func (s *Store) oldest() time.Time { return time.Now().Add(-s.o.MaxAge) }

// expire gives up the records that are too old. Each lane is looked at by itself:
// where the clock was set, what is older need not have the earlier time.
func (s *Store) expire(tx *bolt.Tx, c *changes) error {
	limit := s.oldest()
	for _, l := range s.lanes {
		for {
			r, err := l.first(tx)
			if err != nil {
				return err
			}
			if r.key == nil || !r.before(limit) {
				break
			}
			if err := s.giveUp(tx, l, r, Expired, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeRoom gives up records until there is room for some more bytes.
func (s *Store) makeRoom(tx *bolt.Tx, need int64, c *changes) error {
	if err := s.expire(tx, c); err != nil {
		return err
	}
	for s.bytes+c.bytes+need > s.o.MaxSize {
		l, r, err := s.first(tx)
		if err != nil || l == nil {
			return err
		}
		if err := s.giveUp(tx, l, r, Full, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) giveUp(tx *bolt.Tx, l *Lane, r stored, why Loss, c *changes) error {
	items := r.items
	if err := l.delete(tx, string(r.key), c); err != nil {
		return err
	}
	c.add(l, -items)
	at := slices.IndexFunc(c.lost, func(x loss) bool { return x.lane == l && x.why == why })
	if at < 0 {
		at = len(c.lost)
		c.lost = append(c.lost, loss{lane: l, why: why})
	}
	c.lost[at].items += items
	return nil
}

// first returns the oldest record of all lanes that waits, and its lane, or nil.
func (s *Store) first(tx *bolt.Tx) (of *Lane, oldest stored, err error) {
	for _, l := range s.lanes {
		r, err := l.first(tx)
		if err != nil {
			return nil, stored{}, err
		}
		if r.key != nil && (of == nil || string(r.key) < string(oldest.key)) {
			of, oldest = l, r
		}
	}
	return of, oldest, nil
}
