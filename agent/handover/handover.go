// Package handover keeps on disk what the next agent needs in order to resume.
//
// In go the pieces of a snapshot, all of one moment, and the entries of a journal:
// everything that happened after that moment. Out come the pieces of the newest
// complete snapshot and every entry after it, in order. The caller defines what
// they mean.
//
// The rules of this room:
//
//   - Entries can be appended while a snapshot is being written: they come after it.
//     Until it is complete, the previous snapshot and every entry since remain.
//   - A damaged piece or entry costs itself and nothing else; see [Saved.Damaged].
//   - Nothing is synced: the log survives the death of the process, and a power cut
//     ends the boot that it belongs to.
package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/internal/seglog"
)

// Kind says what a piece or an entry is. The caller defines it.
type Kind byte

// Item is a piece of a snapshot or an entry of the journal. Its note, of at most
// MaxNote bytes, can be read without the body.
type Item struct {
	Kind Kind
	Note []byte
	Body []byte
}

// MaxNote is the length of the longest note.
const MaxNote = 255 - headSize

// role says what a record of the log is.
type role byte

const (
	piece role = iota + 1
	end        // of a snapshot
	entry
)

const (
	logName = "handover"
	// segmentSize bounds how much Drop removes at a time.
	segmentSize = 4 << 20
)

// Journal writes snapshots and entries. It is for one goroutine.
type Journal struct {
	dir  *safedir.Dir
	log  *seglog.Log
	boot uint64 // a hash of its id

	// snapshot is the number that the last snapshot begins at, which is its name;
	// pieces and entries are how many bytes were appended to it and since it began.
	snapshot        uint64
	pieces, entries int64
	heads           []byte
	records         []seglog.Record
}

// Open opens the journal in a directory, which it creates if it does not exist and
// locks against other agents. boot is the id of this boot of the machine.
func Open(path, boot string) (*Journal, error) {
	doing := "use the state directory " + path
	dir, err := safedir.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; set daemon.state_directory to one that procspan may write to", doing, err)
	}
	err = dir.Lock()
	if errors.Is(err, safedir.ErrInUse) {
		err = fmt.Errorf("%w; stop that procspan first", err)
	}
	var log *seglog.Log
	if err == nil {
		log, err = seglog.Open(seglog.Options{Dir: dir, Log: logName, SegmentSize: segmentSize})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", doing, err), dir.Close())
	}
	hash := fnv.New64a()
	hash.Write([]byte(boot))
	return &Journal{dir: dir, log: log, boot: hash.Sum64()}, nil
}

// Close closes the journal and unlocks its directory.
func (j *Journal) Close() error {
	return errors.Join(j.log.Free(), j.log.Close(), j.dir.Close())
}

// Begin begins a snapshot. Piece adds to it, Commit completes it.
func (j *Journal) Begin() error {
	number, err := j.log.Begin()
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	j.snapshot, j.pieces, j.entries = number, 0, 0
	return nil
}

// Piece adds a piece to the snapshot.
func (j *Journal) Piece(p Item) error {
	j.pieces += int64(len(p.Body))
	return j.append(piece, p)
}

// Commit completes the snapshot. What it replaces is removed by Drop.
func (j *Journal) Commit() error { return j.append(end, Item{}) }

// Drop removes a part of what the last complete snapshot replaces, and reports
// whether there may be more of it. Its files are written over by so many bytes of entries
// and the next snapshot.
func (j *Journal) Drop(entries int64) (more bool, err error) {
	return j.log.DropOldest(j.snapshot, int((entries+j.pieces)/segmentSize)+1)
}

// Append appends entries: all of them or none.
func (j *Journal) Append(entries ...Item) error {
	for _, e := range entries {
		j.entries += int64(len(e.Body) + headSize)
	}
	return j.append(entry, entries...)
}

// Sizes returns how many bytes the last snapshot has, and the entries since.
func (j *Journal) Sizes() (snapshot, entries int64) { return j.pieces, j.entries }

// Clear removes everything: the next thing to write is a snapshot.
func (j *Journal) Clear() error { return errors.Join(j.log.Drop(j.log.Next()), j.log.Free()) }

// The head of a record is its role, its kind, the boot and the snapshot that it
// belongs to or comes after, and the note.
const headSize = 1 + 1 + 8 + 8

func (j *Journal) append(as role, items ...Item) error {
	j.heads, j.records = j.heads[:0], j.records[:0]
	for _, item := range items {
		from := len(j.heads)
		j.heads = append(j.heads, byte(as), byte(item.Kind))
		j.heads = binary.LittleEndian.AppendUint64(j.heads, j.boot)
		j.heads = binary.LittleEndian.AppendUint64(j.heads, j.snapshot)
		j.heads = append(j.heads, item.Note...)
		j.records = append(j.records, seglog.Record{Head: j.heads[from:len(j.heads):len(j.heads)], Body: item.Body})
	}
	_, err := j.log.Append(j.records...)
	clear(j.records)
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}
