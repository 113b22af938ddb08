package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/procspan/procspan/internal/safedir"
)

// oldStore is the file of a store that this package cannot read, and setAside is
// its name afterwards. There is one at most.
const (
	oldStore = "store.db"
	setAside = "store.db.unused"
)

// maxSegment is the size of a segment in bytes, unless a sixteenth of the store
// is less.
const maxSegment = 16 << 20

// Options describe a Store.
type Options struct {
	// Directory is created with mode 0700 if it does not exist.
	Directory string
	// MaxSize limits the records that wait, in bytes; the oldest go first. The
	// files are larger by up to a segment for each lane.
	MaxSize int64
	// MaxAge is how long after its Put a record is kept, by the wall clock.
	MaxAge time.Duration
	// Version is the format of the records' data. Records of another one are
	// dropped.
	Version byte
	// Log reports what was damaged or set aside.
	Log *slog.Logger
}

// InUseError means that another process uses the store.
type InUseError struct{ Directory string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("open the store in %s: in use by another procspan; stop it, or set another delivery.directory", e.Directory)
}

// Store is a directory with a log for each lane. Each lane is for one goroutine;
// none waits for anything but the disk.
type Store struct {
	o   Options
	dir *safedir.Dir // locked

	mu    sync.Mutex
	bytes int64 // of the records that wait
	lanes []*Lane
}

// Open locks a directory. Its contents are read when a lane is first used. An
// error is final: the directory cannot be used, or another process uses it
// (*InUseError).
func Open(o Options) (*Store, error) {
	dir, err := safedir.Open(o.Directory)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w; set delivery.directory to one that procspan may use, or omit it", err)
	}
	if err := dir.Lock(); err != nil {
		dir.Close()
		if errors.Is(err, safedir.ErrInUse) {
			return nil, &InUseError{o.Directory}
		}
		return nil, fmt.Errorf("lock the store in %s: %w; set delivery.directory to one on a local file system", o.Directory, err)
	}
	return &Store{o: o, dir: dir}, nil
}

// Lane returns the lane of a name. It is called once for each name. Lanes that were
// ever used must be known before any lane is used, so that all together keep to the
// limits.
func (s *Store) Lane(name string, listener Listener) *Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Lane{store: s, name: name, listener: listener}
	s.lanes = append(s.lanes, l)
	return l
}

// Close writes the removals and unlocks the directory. No lane may be used any
// more; what waits is there for the next Open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, l := range s.lanes {
		if l.log != nil {
			err = errors.Join(err, l.persist(), l.log.Close())
		}
	}
	return errors.Join(err, s.dir.Close())
}

// load reads the lanes that were not read yet, and drops what is too old.
func (s *Store) load() error {
	for _, l := range s.lanes {
		if l.log != nil {
			continue
		}
		if err := s.setAside(); err != nil {
			return err
		}
		if err := l.load(); err != nil {
			return err
		}
	}
	oldest := time.Now().Add(-s.o.MaxAge)
	for _, l := range s.lanes {
		// Each lane by itself: if the clock was set, the oldest record need not
		// have the earliest time.
		items := 0
		for e := l.oldest(); e != nil && e.put.Before(oldest); e = l.oldest() {
			items += l.lose()
		}
		l.lost(items, Expired)
	}
	return nil
}

// setAside renames a store that this package cannot read.
func (s *Store) setAside() error {
	names, err := s.dir.Names()
	if err != nil || !slices.Contains(names, oldStore) {
		return err
	}
	if err := s.dir.Rename(oldStore, setAside); err != nil {
		return fmt.Errorf("set an old store aside: %w; remove it", err)
	}
	s.o.Log.Warn("store of an older format set aside", "path", s.dir.Path()+"/"+setAside, "hint", "nothing reads this file; remove it")
	return nil
}

// makeRoom drops the oldest records of all lanes until the rest is within the limit.
func (s *Store) makeRoom() {
	lost := make([]int, len(s.lanes)) // items
	for s.bytes > s.o.MaxSize {
		of := -1
		for i, l := range s.lanes {
			if e := l.oldest(); e != nil && (of < 0 || e.put.Before(s.lanes[of].oldest().put)) {
				of = i
			}
		}
		if of < 0 {
			break
		}
		lost[of] += s.lanes[of].lose()
	}
	for i, l := range s.lanes {
		l.lost(lost[i], Full)
	}
}
