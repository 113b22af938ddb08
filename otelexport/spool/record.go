package spool

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/procspan/procspan/internal/safedir"
	"github.com/procspan/procspan/internal/seglog"
)

// The heads of a log's records, in little-endian. That of a removal is its kind
// alone; the numbers and items of the removed records are the body, as uvarints.
//
//	kind 1 | version 1 | put 8 (Unix, ns) | items 4 | before 8 | place
const (
	kindRecord  = 'r'
	kindRemoval = 'd'
	headSize    = 1 + 1 + 8 + 4 + 8
)

// entry is a record that waits.
type entry struct {
	at     seglog.Position
	place  string // its order in the lane
	put    time.Time
	items  int
	before uint64 // items that were put into the log before it
	size   int64  // in the log
}

// The place of a record follows from its number, big-endian. A record that replaces
// others is placed behind them: by its index among those that do, and their count.
const (
	placeSize = 8
	partSize  = 2 + 2
)

func partOf(place string, i, n int) string {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte(place), uint16(i)), uint16(n)))
}

// replaced returns the place of the record that this one replaces with n-1 others,
// or "".
func (e *entry) replaced() (place string, n int) {
	if len(e.place) == placeSize {
		return "", 0
	}
	at := len(e.place) - partSize
	return e.place[:at], int(binary.BigEndian.Uint16([]byte(e.place[at+2:])))
}

func (e *entry) head(version byte) []byte {
	b := []byte{kindRecord, version}
	b = binary.LittleEndian.AppendUint64(b, uint64(e.put.UnixNano()))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.items))
	b = binary.LittleEndian.AppendUint64(b, e.before)
	return append(b, e.place...)
}

// setPosition completes an entry that was appended.
func (e *entry) setPosition(at seglog.Position) {
	e.at = at
	if e.place == "" {
		e.place = string(binary.BigEndian.AppendUint64(nil, at.Number))
	}
}

func parseHead(b []byte, at seglog.Position) entry {
	e := entry{
		put:    time.Unix(0, int64(binary.LittleEndian.Uint64(b[2:]))),
		items:  int(binary.LittleEndian.Uint32(b[10:])),
		before: binary.LittleEndian.Uint64(b[14:]),
		place:  string(b[headSize:]),
	}
	e.setPosition(at)
	return e
}

type removal struct {
	number uint64
	items  int
}

func removals(all []removal) seglog.Record {
	r := seglog.Record{Head: []byte{kindRemoval}}
	for _, gone := range all {
		r.Body = binary.AppendUvarint(r.Body, gone.number)
		r.Body = binary.AppendUvarint(r.Body, uint64(gone.items))
	}
	return r
}

// contents are what a log holds.
type contents struct {
	waiting []entry // by place
	total   uint64  // items that were ever put
	damaged int     // records
	missing int     // items of those, without what was removed
}

// read reads the heads of a log's records. Their data is checked when it is taken.
func read(dir *safedir.Dir, log string, version byte) (c contents, err error) {
	r := seglog.NewReader(dir, log)
	defer r.Close()
	removed, known := map[uint64]int{}, false
	for {
		at, head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, err
		}
		switch {
		case len(head) == 1 && head[0] == kindRemoval:
			body, err := r.Body()
			if err != nil {
				c.damaged++ // and what it removed comes again
			}
			for len(body) > 0 {
				var number, items uint64
				number, body = uvarint(body)
				items, body = uvarint(body)
				removed[number] = int(items)
			}
		case len(head) >= headSize && head[0] == kindRecord && head[1] == version:
			e := parseHead(head, at)
			e.size = r.Size()
			if known && e.before > c.total {
				c.missing += int(e.before - c.total)
			}
			known, c.total = true, e.before+uint64(e.items)
			c.waiting = append(c.waiting, e)
		default:
			c.damaged++
		}
	}
	c.damaged += int(r.Missing())
	c.missing = max(0, c.missing-c.unknown(removed)) // they were removed before
	replaced := c.replaced()
	c.waiting = slices.DeleteFunc(c.waiting, func(e entry) bool {
		_, gone := removed[e.at.Number]
		return gone || replaced[e.place]
	})
	slices.SortStableFunc(c.waiting, func(a, b entry) int { return strings.Compare(a.place, b.place) })
	return c, nil
}

// unknown returns how many items of those that were removed are of no record that
// was read.
func (c *contents) unknown(removed map[uint64]int) (items int) {
	if len(c.waiting) == 0 {
		return 0
	}
	for number, n := range removed {
		_, known := slices.BinarySearchFunc(c.waiting, number, func(e entry, number uint64) int { return cmp.Compare(e.at.Number, number) })
		if !known && number > c.waiting[0].at.Number {
			items += n
		}
	}
	return items
}

// replaced returns the places of the records all of whose replacements are there.
// A process that died between Replace and the removal leaves both.
func (c *contents) replaced() map[string]bool {
	seen, parts, all := map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, e := range c.waiting {
		if place, n := e.replaced(); n > 0 && !seen[e.place] {
			seen[e.place] = true
			parts[place]++
			all[place] = parts[place] == n
		}
	}
	return all
}

func uvarint(b []byte) (uint64, []byte) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil
	}
	return v, b[n:]
}
