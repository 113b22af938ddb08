package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/procspan/procspan/internal/seglog"
)

// Saved is what an earlier agent left.
type Saved struct {
	// SameBoot says that the machine was not restarted since.
	SameBoot bool
	// Complete says that the snapshot was written to its end.
	Complete bool

	j             *Journal
	boot          uint64
	snapshot      uint64
	missing, torn uint64
}

// Damaged returns how many pieces and entries could not be read so far. One that
// was read twice counts twice.
func (s *Saved) Damaged() uint64 { return s.missing + s.torn }

// Found is a piece or an entry that was left.
type Found struct {
	Kind Kind
	Note []byte

	saved  *Saved
	reader *seglog.Reader
}

// Body returns the body; ok is false if it is damaged. It is to be called before the
// next one is found.
func (f *Found) Body() (body []byte, ok bool) {
	body, err := f.reader.Body()
	if err != nil {
		f.saved.torn++
	}
	return body, err == nil
}

// Load looks for what an earlier agent left; it returns nil if there is nothing.
func (j *Journal) Load() (*Saved, error) {
	var newest, complete head
	reader := seglog.NewReader(j.dir, logName)
	defer reader.Close()
	for {
		h, err := next(reader)
		switch {
		case errors.Is(err, io.EOF):
			s := &Saved{j: j, Complete: complete.snapshot != 0, missing: reader.Missing()}
			if !s.Complete {
				complete = newest
			}
			if complete.snapshot == 0 {
				return nil, nil
			}
			s.boot, s.snapshot = complete.boot, complete.snapshot
			s.SameBoot = s.boot == j.boot
			return s, nil
		case err != nil:
			return nil, fmt.Errorf("read the state: %w", err)
		case h.role == end && h.snapshot >= complete.snapshot:
			complete = h
		case h.role == piece && h.snapshot >= newest.snapshot:
			newest = h
		}
	}
}

// Pieces yields the pieces of the snapshot.
func (s *Saved) Pieces() iter.Seq[*Found] {
	return s.records(func(h head) bool { return h.role == piece && h.snapshot == s.snapshot })
}

// Entries yields the entries since the snapshot.
func (s *Saved) Entries() iter.Seq[*Found] {
	return s.records(func(h head) bool { return h.role == entry && h.snapshot >= s.snapshot && h.boot == s.boot })
}

func (s *Saved) records(wanted func(head) bool) iter.Seq[*Found] {
	return func(yield func(*Found) bool) {
		reader := seglog.NewReader(s.j.dir, logName)
		defer reader.Close()
		for {
			h, err := next(reader)
			if err != nil {
				return
			}
			if wanted(h) && !yield(&Found{h.kind, h.note, s, reader}) {
				return
			}
		}
	}
}

// head is the head of a record.
type head struct {
	role           role
	kind           Kind
	boot, snapshot uint64
	note           []byte
}

// next returns the head of the next record; that of one that is none of ours is zero.
func next(r *seglog.Reader) (h head, err error) {
	_, b, err := r.Next()
	if err != nil || len(b) < headSize {
		return h, err
	}
	return head{
		role: role(b[0]), kind: Kind(b[1]),
		boot:     binary.LittleEndian.Uint64(b[2:]),
		snapshot: binary.LittleEndian.Uint64(b[10:]),
		note:     b[headSize:],
	}, nil
}
