package spool

import (
	"errors"
	"slices"
	"time"

	"github.com/procspan/procspan/internal/seglog"
)

// maxRemoved is how many removals are written together.
const maxRemoved = 32

// Listener learns what happens to a lane's items other than by its methods. It is
// called by the goroutine of any lane, and must not use the store.
type Listener interface {
	// Found reports items that an earlier process stored.
	Found(items int)
	// Lost reports stored items that are gone.
	Lost(items int, why Loss)
}

// Loss is why stored items are gone.
type Loss int

const (
	Full    Loss = iota // the oldest ones, when MaxSize was reached
	Expired             // older than MaxAge
	Corrupt             // damaged, or removed by somebody
)

// Record is what is stored.
type Record struct {
	Items int
	Data  []byte
}

// Lane is an order of records, for one goroutine. A record that was taken is held:
// it is neither taken again nor dropped, until it is returned or removed.
type Lane struct {
	store    *Store
	name     string
	listener Listener

	// All are guarded by the store's mu.
	log     *seglog.Log // nil: not read yet
	queue   []entry     // what waits, by place
	held    bool        // the first of the queue is
	total   uint64      // items that were ever put into the log
	removed []removal   // not written yet
}

// Put appends records, all or none. When it returns nil they are on the disk. The
// oldest records of all lanes may have to go.
func (l *Lane) Put(all ...Record) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.store.load(); err != nil {
		return err
	}
	added, err := l.append(time.Now(), "", all)
	if err != nil {
		return err
	}
	l.queue = append(l.queue, added...)
	l.store.makeRoom()
	return nil
}

// append writes records, and the removals that are not written yet. The records
// are placed by their numbers, or behind a place.
func (l *Lane) append(put time.Time, behind string, all []Record) ([]entry, error) {
	added, records := make([]entry, len(all)), make([]seglog.Record, len(all), len(all)+1)
	total := l.total
	for i, r := range all {
		e := entry{put: put, items: r.Items, before: total}
		if behind != "" {
			e.place = partOf(behind, i, len(all))
		}
		total += uint64(r.Items)
		records[i] = seglog.Record{Head: e.head(l.store.o.Version), Body: r.Data}
		e.size = records[i].Size()
		added[i] = e
	}
	if len(l.removed) > 0 {
		records = append(records, removals(l.removed))
	}
	positions, err := l.log.Append(records...)
	if err != nil {
		return nil, err
	}
	for i := range added {
		added[i].setPosition(positions[i])
		l.store.bytes += added[i].size
	}
	l.total, l.removed = total, nil
	return added, nil
}

// Take returns the oldest record and holds it. The key is "" if there is none.
func (l *Lane) Take() (key string, r Record, err error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if err := l.store.load(); err != nil {
		return "", Record{}, err
	}
	for len(l.queue) > 0 {
		e := l.queue[0]
		stored, err := l.log.Read(e.at)
		if errors.Is(err, seglog.ErrDamaged) {
			l.store.o.Log.Error("stored record is damaged, skipped", "lane", l.name, "items", e.items, "error", err, "hint", "check the disk")
			l.lost(l.lose(), Corrupt)
			continue
		}
		if err != nil {
			return "", Record{}, err
		}
		l.held = true
		return e.place, Record{e.items, stored.Body}, nil
	}
	return "", Record{}, nil
}

// Remove ends the hold of a record and removes it. After an error, the removal is
// written with the next change.
func (l *Lane) Remove(key string) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if !l.holds(key) {
		return nil
	}
	l.held = false
	err := l.drop(0)
	if len(l.removed) >= maxRemoved {
		err = errors.Join(err, l.persist())
	}
	return err
}

// Return ends the hold of a record, which is then the oldest again. It reports
// whether the store has it.
func (l *Lane) Return(key string) bool {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if !l.holds(key) {
		return false
	}
	l.held = false
	return true
}

// Replace puts other records in the place of one that is held, all or none and as
// old as it is. It reports whether the store had that record.
func (l *Lane) Replace(key string, all ...Record) (bool, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if !l.holds(key) {
		return false, nil
	}
	// The removal is written later: a power cut could leave it without the records.
	added, err := l.append(l.queue[0].put, key, all)
	if err != nil {
		return false, err
	}
	l.held = false
	l.queue = slices.Insert(l.queue, 1, added...)
	_ = l.drop(0) // the next removal removes what this one could not
	return true, nil
}

func (l *Lane) holds(key string) bool { return l.held && l.queue[0].place == key }

// first is the index of the oldest record that is not held.
func (l *Lane) first() int {
	if l.held {
		return 1
	}
	return 0
}

// oldest returns the oldest record that is not held, or nil.
func (l *Lane) oldest() *entry {
	if i := l.first(); i < len(l.queue) {
		return &l.queue[i]
	}
	return nil
}

// lose drops the oldest record that is not held, and returns its items.
func (l *Lane) lose() (items int) {
	items = l.oldest().items
	_ = l.drop(l.first()) // the next removal removes what this one could not
	return items
}

// lost reports items to the listener.
func (l *Lane) lost(items int, why Loss) {
	if items > 0 {
		l.listener.Lost(items, why)
	}
}

// drop removes a record, and the segments in which nothing waits any more.
func (l *Lane) drop(i int) error {
	e := l.queue[i]
	l.queue[i] = l.queue[0] // i is 0 or 1
	l.queue = l.queue[1:]
	l.store.bytes -= e.size
	l.removed = append(l.removed, removal{e.at.Number, e.items})
	// Only records that replaced another have numbers out of order. They come first.
	oldest := l.log.Next()
	for _, e := range l.queue {
		oldest = min(oldest, e.at.Number)
		if len(e.place) == placeSize {
			break
		}
	}
	if len(l.queue) == 0 {
		l.removed = nil // no record is left to come again
	}
	return l.log.Drop(oldest)
}

// persist writes the removals.
func (l *Lane) persist() error {
	if len(l.removed) == 0 {
		return nil
	}
	_, err := l.append(time.Time{}, "", nil)
	return err
}

// load reads the log.
func (l *Lane) load() (err error) {
	o := &l.store.o
	log, err := seglog.Open(seglog.Options{Dir: l.store.dir, Log: l.name, SegmentSize: min(maxSegment, o.MaxSize/16), Sync: true})
	if err != nil {
		return err
	}
	c, err := read(l.store.dir, l.name, o.Version)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	l.log, l.queue, l.total = log, c.waiting, c.total
	items := 0
	for _, e := range l.queue {
		l.store.bytes += e.size
		items += e.items
	}
	if found := items + c.missing; found > 0 {
		l.listener.Found(found)
	}
	if c.damaged > 0 {
		o.Log.Error("stored records are damaged or of another format, skipped", "lane", l.name, "records", c.damaged, "items", c.missing, "hint", "check the disk")
	}
	l.lost(c.missing, Corrupt)
	if len(l.queue) == 0 {
		return log.Drop(log.Next())
	}
	return nil
}
