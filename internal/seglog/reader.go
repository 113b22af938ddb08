package seglog

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/procspan/procspan/internal/safedir"
)

// Reader reads the records of a log one after the other, from the oldest segment that
// there is at the first Next to the end of the newest. It needs no Log. It is for one
// goroutine.
type Reader struct {
	dir      *safedir.Dir
	log      string
	listed   bool
	segments []name // that are still to be read
	next     uint64 // number of the next record; 0: the oldest one
	missing  uint64

	file    *os.File // nil: no segment is open
	scanner *scanner
	limit   uint64 // first number behind the segment, as far as it is known
	current header
}

// NewReader returns a reader of a log.
func NewReader(dir *safedir.Dir, log string) *Reader { return &Reader{dir: dir, log: log} }

// Close closes the reader.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Missing returns how many records Next has passed over because their headers are
// damaged or their segments gone.
func (r *Reader) Missing() uint64 { return r.missing }

// Next returns the position and the head of the next record; the head is valid
// until the next call. After the last record it returns io.EOF.
func (r *Reader) Next() (Position, []byte, error) {
	for {
		if err := r.open(); err != nil {
			return Position{}, nil, err
		}
		h, ok := r.scanner.next()
		if !ok {
			if err := r.Close(); err != nil {
				return Position{}, nil, err
			}
			continue
		}
		if h.number < r.next || h.number >= r.limit {
			continue // its Append failed, and it could not be cut off
		}
		r.missing += h.number - r.next
		r.next = h.number + 1
		r.current = h
		return Position{h.number, h.start}, h.head, nil
	}
}

// Body returns the body of the record that Next returned, or ErrDamaged.
func (r *Reader) Body() ([]byte, error) { return r.current.read(r.file) }

// Size returns how many bytes the record that Next returned takes.
func (r *Reader) Size() int64 { return r.current.end - r.current.start }

// open opens the next segment, unless one is open.
func (r *Reader) open() (err error) {
	if !r.listed {
		if r.segments, err = list(r.dir, r.log); err != nil {
			return err
		}
		r.listed = true
	}
	for r.file == nil {
		if len(r.segments) == 0 {
			return io.EOF
		}
		n := r.segments[0]
		r.segments, r.limit = r.segments[1:], math.MaxUint64
		r.file, r.scanner, err = openSegment(r.dir, n, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody removed it
		}
		if err != nil {
			return err
		}
		if len(r.segments) > 0 {
			r.limit = r.segments[0].first
		}
		if r.next > 0 && r.next < n.first {
			r.missing += n.first - r.next
		}
		r.next = max(r.next, n.first)
	}
	return nil
}
