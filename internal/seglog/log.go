package seglog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"syscall"

	"github.com/procspan/procspan/internal/safedir"
)

// Options describe a log.
type Options struct {
	// Dir is where the segments are. Several logs can share it.
	Dir *safedir.Dir
	// Log is what the names of the segments begin with.
	Log string
	// SegmentSize is the size in bytes from which on a segment takes no more
	// records.
	SegmentSize int64
	// Sync makes Append return when its records are on the disk.
	Sync bool
}

// Record is what is appended. The head is for what the reader of a log needs to
// know without reading the body; its bytes are checked on their own.
type Record struct {
	Head, Body []byte
}

// Size returns how many bytes a record takes in a segment.
func (r Record) Size() int64 { return int64(fixedSize + len(r.Head) + 4 + len(r.Body)) }

// Position is where a record is.
type Position struct {
	Number uint64 // of the record
	offset int64  // in its segment
}

// segment is a file of a log.
type segment struct {
	name
	size  int64
	dirty bool // not all of it is on the disk
	full  bool // it takes no more records
}

// Log is the writer of a log, for one goroutine.
type Log struct {
	o        Options
	segments []*segment // oldest first
	file     *os.File   // the last of them; nil: there is none
	header   []byte     // memory
	next     uint64     // number of the next record
	torn     bool       // there are bytes beyond the end of the last segment
	renamed  bool       // the directory is not on the disk
	spares   []string   // files of dropped segments
}

// Open opens a log, which is empty if it has no segments.
func Open(o Options) (*Log, error) {
	l := &Log{o: o, next: 1}
	names, err := list(o.Dir, o.Log)
	if err != nil {
		return nil, err
	}
	l.findSpares()
	for i, n := range names {
		if err := l.open(n, i == len(names)-1); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// open adds a segment. It looks for the end of the last one.
func (l *Log) open(n name, last bool) error {
	file, s, err := openSegment(l.o.Dir, n, os.O_RDWR)
	if err != nil {
		return err
	}
	// What an earlier process appended may not be on the disk.
	l.segments = append(l.segments, &segment{name: n, size: s.size, dirty: true})
	if !last {
		return file.Close()
	}
	l.file, l.next = file, n.first
	for h, ok := s.next(); ok; h, ok = s.next() {
		l.next = max(l.next, h.number+1)
	}
	l.torn = s.at < s.size
	l.last().size, l.last().full = s.at, s.at >= l.o.SegmentSize
	l.repair()
	return nil
}

func (l *Log) last() *segment { return l.segments[len(l.segments)-1] }

// Close closes the log. It does not sync it.
func (l *Log) Close() (err error) {
	if l.file != nil {
		err = l.file.Close()
	}
	l.file = nil
	return err
}

// repair cuts what is behind the end of the last segment, and reports whether
// there is nothing any more.
func (l *Log) repair() bool {
	if l.torn && l.file.Truncate(l.last().size) == nil {
		l.torn = false
	}
	return !l.torn
}

// Append appends records and returns where they are. After an error, none of them
// is in the log.
func (l *Log) Append(records ...Record) ([]Position, error) {
	for _, r := range records {
		if len(r.Head) > maxHead || len(r.Body) > maxBody {
			return nil, fmt.Errorf("a record has %d and %d bytes; the limits are %d and %d", len(r.Head), len(r.Body), maxHead, maxBody)
		}
	}
	if l.file == nil || !l.repair() || l.last().full || l.removed() {
		if _, err := l.Begin(); err != nil {
			return nil, err
		}
	}
	to := l.last()
	positions := make([]Position, 0, len(records))
	at := to.size
	l.torn, to.dirty = true, true
	var err error
	write := func(b []byte, at int64) {
		if err == nil {
			_, err = l.file.WriteAt(b, at)
		}
	}
	// A process can be killed at any byte. The header of a record is written when its body
	// has been: without, what a spare file holds might pass for the rest of the body.
	for i, r := range records {
		p := Position{l.next + uint64(i), at}
		positions = append(positions, p)
		l.header = appendHeader(l.header[:0], to.mark, at, p.Number, r.Head, r.Body)
		write(r.Body, at+int64(len(l.header)))
		write(l.header, at)
		at += r.Size()
	}
	if err == nil && l.o.Sync {
		// After a failed fsync, a second one on the same file proves nothing.
		err = l.Sync()
		to.full = err != nil
	}
	if err != nil {
		l.repair()
		return nil, err
	}
	l.torn = false
	l.next += uint64(len(records))
	to.size = at
	to.full = at >= l.o.SegmentSize
	return positions, nil
}

// removed reports whether somebody removed the last segment: what is appended to
// it would be gone with the process.
func (l *Log) removed() bool {
	info, err := l.file.Stat()
	return err == nil && info.Sys().(*syscall.Stat_t).Nlink == 0
}

// Begin begins a new segment, so that Drop can remove everything before it. It
// returns the number of the segment's first record.
func (l *Log) Begin() (uint64, error) {
	n := newName(l.o.Log, l.next)
	file, err := l.create(n.String())
	if err != nil {
		return 0, err
	}
	if l.file != nil && l.last().size == 0 && l.o.Dir.Remove(l.last().String()) == nil {
		l.segments = l.segments[:len(l.segments)-1]
	}
	_ = l.Close() // its data is written, and sync opens it again
	l.file, l.torn, l.renamed = file, false, true
	l.segments = append(l.segments, &segment{name: n})
	return l.next, nil
}

// Sync makes everything that was appended durable. After an error, what was
// appended since the last Sync may be lost in a power cut, even if a later Sync
// succeeds.
func (l *Log) Sync() error {
	for i, s := range l.segments {
		if !s.dirty {
			continue
		}
		file := l.file
		if i < len(l.segments)-1 {
			var err error
			file, err = l.o.Dir.OpenFile(s.String(), os.O_RDWR)
			if errors.Is(err, fs.ErrNotExist) {
				continue // somebody removed it
			}
			if err != nil {
				return err
			}
		}
		err := file.Sync()
		if file != l.file {
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return err
		}
		s.dirty = false
	}
	if !l.renamed {
		return nil
	}
	err := l.o.Dir.Sync()
	l.renamed = err != nil
	return err
}

// Read returns the record at a position. It returns ErrDamaged if its bytes are
// not those that were appended.
func (l *Log) Read(p Position) (Record, error) {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].first > p.Number })
	if i == 0 || p.Number >= l.next {
		return Record{}, fmt.Errorf("the log has no record %d", p.Number)
	}
	file, s, err := openSegment(l.o.Dir, l.segments[i-1].name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if err != nil {
		return Record{}, err
	}
	defer file.Close()
	h, ok := s.header(p.offset)
	if !ok || h.number != p.Number {
		return Record{}, ErrDamaged
	}
	body, err := h.read(file)
	return Record{h.head, body}, err
}

// Next returns the number of the next record.
func (l *Log) Next() uint64 { return l.next }

// Size returns how many bytes the segments have.
func (l *Log) Size() (bytes int64) {
	for _, s := range l.segments {
		bytes += s.size
	}
	return bytes
}

// Drop removes the segments all of whose records are before a number.
func (l *Log) Drop(before uint64) error {
	for {
		if more, err := l.DropOldest(before, 0); !more {
			return err
		}
	}
}

// DropOldest removes the oldest segment if all of its records are before a number,
// and reports whether it did. Removing a large file takes time. If there are fewer spare
// files than so many, it becomes one, which a new segment writes over: on a tmpfs, new
// pages cost more than what is written to them.
func (l *Log) DropOldest(before uint64, spares int) (dropped bool, err error) {
	if len(l.segments) == 0 || l.end(0) > before {
		return false, nil
	}
	err = l.removeOldest(spares)
	return err == nil, err
}

// end returns the number of the record behind a segment.
func (l *Log) end(i int) uint64 {
	if i == len(l.segments)-1 {
		return l.next
	}
	return l.segments[i+1].first
}

func (l *Log) removeOldest(spares int) error {
	if err := l.dispose(l.segments[0].String(), spares); err != nil {
		return err
	}
	l.renamed = true
	if len(l.segments) == 1 {
		_ = l.Close() // it is gone
		l.torn = false
	}
	l.segments = slices.Delete(l.segments, 0, 1)
	return nil
}
