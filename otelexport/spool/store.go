package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// fileName is what the store's file is called in its directory.
const fileName = "store.db"

// pageSize of the file, in bytes. Larger than the system's, so that a store of
// gigabytes has a short list of free pages: it is kept in memory, and written
// with each transaction.
const pageSize = 32 << 10

// Options are what a Store is made from.
type Options struct {
	// Directory is made, for its owner alone, if there is none.
	Directory string
	// MaxSize bounds the records, in bytes; the oldest go first. The file is
	// somewhat larger.
	MaxSize int64
	// MaxAge is how long after its Put a record is kept, by the wall clock.
	MaxAge time.Duration
	// Version is that of what the caller puts into records: a file with records
	// of another one is set aside.
	Version byte
	// Log is told of what was set aside.
	Log *slog.Logger
}

// InUseError says that another process has the store.
type InUseError struct{ Directory string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("open the store in %s: another procspan uses this directory; stop it, or give each its own in delivery.directory", e.Directory)
}

// Store is a file of records. Its lanes may be used by one goroutine each; none
// waits for anything but the disk.
type Store struct {
	o         Options
	path      string
	directory *os.File // locked

	mu     sync.Mutex
	db     *bolt.DB // nil: not open
	file   *os.File // that of db
	absent bool     // there is no file, and nobody else makes one
	last   uint64   // number in the newest key
	bytes  int64    // of all records in the file
	mapped int64    // bytes of the file that bbolt has mapped at least
	lanes  []*Lane
}

// Open takes possession of a directory. What is in it is read when a lane is
// first used. An error is final: the directory cannot be used, or another
// process does (*InUseError).
func Open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Directory, 0o700); err != nil {
		return nil, fmt.Errorf("create the store's directory: %w; name one in delivery.directory that can be made, or leave it away", err)
	}
	directory, err := os.Open(o.Directory)
	if err != nil {
		return nil, fmt.Errorf("open the store's directory: %w; make it readable for the user that procspan runs as", err)
	}
	if err := unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		directory.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &InUseError{o.Directory}
		}
		return nil, fmt.Errorf("lock the store's directory %s: %w; name one on a local file system in delivery.directory", o.Directory, err)
	}
	return &Store{o: o, path: filepath.Join(o.Directory, fileName), directory: directory}, nil
}

// Close makes removals good and lets go of the directory. What waits, waits for
// the next Open. It is for the end: no lane may be used any more.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.db != nil {
		err = s.update(func(tx *bolt.Tx, c *changes) error { return nil }) // the removals
	}
	return errors.Join(err, s.shut(), s.directory.Close())
}

// open opens the file, and reads what it holds. Where there is none, it makes
// one if asked to, and else leaves the store closed. One that is corrupt is set
// aside.
func (s *Store) open(create bool) error {
	if s.db != nil || s.absent && !create {
		return nil
	}
	err := guard(func() error { return s.load(create) })
	if !corrupt(err) {
		return err
	}
	if err := s.setAside(err); err != nil || !create {
		return err
	}
	return guard(func() error { return s.load(create) })
}

func (s *Store) load(create bool) error {
	err := check(s.path)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh:
		s.absent = true
		s.forgotten() // somebody may have removed it
		if !create {
			return nil
		}
	case err != nil:
		return err
	}
	db, err := bolt.Open(s.path, 0o600, &bolt.Options{
		// The directory's lock keeps other agents away; this one stops whoever
		// looks into the file with a tool.
		Timeout:      100 * time.Millisecond,
		PageSize:     pageSize,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			s.file = f
			return f, err
		},
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", s.path, err)
	}
	s.db = db
	if err := s.scan(); err != nil {
		if !corrupt(err) {
			err = errors.Join(err, s.shut())
		}
		return err
	}
	s.absent = false
	if fresh {
		return s.directory.Sync() // so that its name survives a power cut, too
	}
	return nil
}

// scan counts what the file holds, and tells the lanes where it is not what they
// know of.
func (s *Store) scan() error {
	var bytes int64
	var last uint64
	found := make([]int, len(s.lanes))
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			at := s.lane(name)
			for r, err := range records(bucket) {
				if err != nil {
					return err
				}
				if r.version != s.o.Version {
					return &corruption{fmt.Errorf("its records have the format %d, and this procspan knows %d", r.version, s.o.Version)}
				}
				bytes += r.size
				last = max(last, r.number())
				if at >= 0 && !s.lanes[at].skips(r.key) {
					found[at] += r.items
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.bytes, s.last = bytes, max(last, s.last)
	for i, l := range s.lanes {
		l.counted(found[i])
	}
	return nil
}

// lane returns the index of the lane of a name, or -1.
func (s *Store) lane(name []byte) int {
	for i, l := range s.lanes {
		if string(l.name) == string(name) {
			return i
		}
	}
	return -1
}

// shut closes the file. The next use opens it again.
func (s *Store) shut() error {
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db, s.file = nil, nil
	if err := guard(db.Close); err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}

// discard removes the file, in which nothing waits any more.
func (s *Store) discard() error {
	if err := s.shut(); err != nil {
		return err
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the empty store: %w", err)
	}
	s.absent = true
	s.forgotten()
	return nil
}

// forgotten is the state without a file.
func (s *Store) forgotten() {
	s.bytes = 0
	for _, l := range s.lanes {
		l.held, l.done = "", nil
		l.counted(0)
	}
}

// setAside gives the file another name, tells why, and forgets what it held.
func (s *Store) setAside(why error) error {
	var f *fault
	switch {
	case errors.As(why, &f) && s.file != nil:
		// bbolt may hold its own locks for ever: Close would wait for them. Its
		// mapping stays, which costs addresses and no memory.
		s.file.Close()
		s.db, s.file = nil, nil
	default:
		_ = s.shut() // why says more
	}
	aside := s.path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(s.path, aside); err != nil {
		return fmt.Errorf("set the corrupt store aside (%v): %w; remove it by hand", why, err)
	}
	s.o.Log.Error("the store is corrupt and was set aside; a new one is begun when it is needed", "path", aside, "error", why,
		"cure", "check the disk; nothing reads the file any more, remove it when you have seen it")
	s.absent = true
	s.forgotten()
	return s.directory.Sync()
}

// update changes the file: first come the removals, then f. What f gives up or
// adds goes into the changes, which count when the disk has them.
func (s *Store) update(f func(*bolt.Tx, *changes) error) error {
	var c changes
	err := s.do(s.db.Update, func(tx *bolt.Tx) error {
		c = changes{}
		for _, l := range s.lanes {
			for _, key := range l.done {
				// After an error, some may be gone already.
				if bucket := tx.Bucket(l.name); bucket == nil || bucket.Bucket([]byte(key)) == nil {
					continue
				}
				if err := l.delete(tx, key, &c); err != nil {
					return err
				}
			}
		}
		return f(tx, &c)
	})
	if err != nil {
		return err
	}
	for _, l := range s.lanes {
		l.done = l.done[:0]
	}
	s.apply(c)
	return nil
}

// do runs a transaction. The file is not left in doubt: one that is corrupt is
// set aside, and after any other error it is read anew with the next use.
func (s *Store) do(run func(func(*bolt.Tx) error) error, f func(*bolt.Tx) error) error {
	err := guard(func() error {
		return run(func(tx *bolt.Tx) error {
			s.mapped = tx.Size()
			return f(tx)
		})
	})
	switch {
	case err == nil:
		s.unmap()
	case corrupt(err):
		if failed := s.setAside(err); failed != nil {
			err = failed
		}
	default:
		err = errors.Join(err, s.shut())
	}
	return err
}

// unmap lets the kernel take back the memory of what was read: bbolt maps the
// file, and what was ever looked at would count as the program's.
//
// The range must lie within the mapping, or it takes away somebody else's memory.
// The file can be longer than the mapping; the pages in use, which are what a
// transaction's size is, never are.
func (s *Store) unmap() {
	// It is advice, and the worst answer is that it was not taken.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.db.Info().Data, uintptr(s.mapped), unix.MADV_DONTNEED)
}
