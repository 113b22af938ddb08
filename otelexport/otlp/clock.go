package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/internal/boottime"
	"github.com/procspan/procspan/process"
)

const (
	// clockTries is the number of comparisons per sample. The quickest one counts:
	// an interruption between its readings only makes the others worse.
	clockTries = 8
	// clockTolerance, in ns, is how far the offset must change, beyond the
	// uncertainty of the comparison, to count as a step of the wall clock. Linux
	// slews CLOCK_REALTIME and CLOCK_BOOTTIME together (adjtime and NTP change the
	// rate of both), so between steps a difference is noise: far below a
	// microsecond on an idle machine. A millisecond is above that noise, and below
	// what NTP promises between machines. The offset is compared with the one in
	// force, not with the last sample, so small steps add up.
	clockTolerance = 1_000_000
	// clockPieces bounds the history: no sane wall clock steps more often within a
	// trace.
	clockPieces = 64
)

// Clock converts kernel time to Unix time.
// It remembers when the wall clock was stepped, and converts each moment with the
// offset in force at that moment.
//
// One goroutine converts and calls Sample.
type Clock struct {
	read   func() (clockReading, error)
	pieces []clockPiece // oldest first, never empty
}

// clockPiece is the offset, in ns, of wall time to kernel time, from a moment on.
type clockPiece struct {
	from   process.Time
	offset int64
}

// clockReading is the wall clock, in Unix ns, read between two readings of the
// time since boot, in ns.
type clockReading struct {
	before, wall, after int64
}

// NewClock returns a clock with the current offset.
func NewClock() (*Clock, error) {
	return newClock(readClocks)
}

func newClock(read func() (clockReading, error)) (*Clock, error) {
	c := &Clock{read: read}
	now, err := c.compare()
	if err != nil {
		return nil, fmt.Errorf("read clocks: %w", err)
	}
	c.pieces = append(c.pieces, clockPiece{offset: now.offset()})
	return c, nil
}

// AppendHistory appends the clock's state, for RestoreHistory.
func (c *Clock) AppendHistory(b []byte) []byte {
	for _, p := range c.pieces {
		b = binary.LittleEndian.AppendUint64(b, uint64(p.from))
		b = binary.LittleEndian.AppendUint64(b, uint64(p.offset))
	}
	return b
}

// RestoreHistory restores the state of another clock of this boot, whose
// AppendHistory returned b, so that both convert alike.
func (c *Clock) RestoreHistory(b []byte) error {
	const size = 16
	if len(b) == 0 || len(b)%size != 0 || len(b)/size > clockPieces {
		return fmt.Errorf("restore clock: invalid history of %d bytes", len(b))
	}
	c.pieces = c.pieces[:0]
	for ; len(b) > 0; b = b[size:] {
		c.pieces = append(c.pieces, clockPiece{process.Time(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))})
	}
	c.Sample() // the wall clock may have been stepped since
	return nil
}

// Sample compares the clocks. Called once a second, it dates a step of the wall
// clock to within that second.
func (c *Clock) Sample() {
	now, err := c.compare()
	if err != nil {
		return // the known offset stays in force
	}
	change := now.offset() - c.pieces[len(c.pieces)-1].offset
	if max(change, -change) <= clockTolerance+now.bracket() {
		return
	}
	if len(c.pieces) == clockPieces {
		c.pieces = append(c.pieces[:0], c.pieces[1:]...)
	}
	// No later moment has been converted yet, so no earlier conversion is
	// contradicted.
	c.pieces = append(c.pieces, clockPiece{from: process.Time(now.after), offset: now.offset()})
}

// Unix converts a moment to Unix ns.
func (c *Clock) Unix(at process.Time) uint64 {
	return c.UnixSince(at, at)
}

// UnixSince converts a moment of a trace that began at start, and keeps the order
// of the trace's moments. It ignores backward steps of the wall clock after
// start, which would show effects before their causes; such a trace runs ahead of
// the wall clock until it ends. A forward step counts from when it happened.
func (c *Clock) UnixSince(at, start process.Time) uint64 {
	offset := c.pieces[0].offset
	for _, p := range c.pieces[1:] {
		if p.from > at {
			break
		}
		if p.from <= start {
			offset = p.offset
		} else {
			offset = max(offset, p.offset)
		}
	}
	return saturate(uint64(at.Add(time.Duration(offset)))) // not before 1970
}

// saturate limits n to what an int64 holds; in Unix ns that is a moment in 2262.
func saturate(n uint64) uint64 { return min(n, math.MaxInt64) }

func (c *Clock) compare() (clockReading, error) {
	var best clockReading
	for i := range clockTries {
		r, err := c.read()
		if err != nil {
			return clockReading{}, err
		}
		if i == 0 || r.bracket() < best.bracket() {
			best = r
		}
	}
	return best, nil
}

// bracket is how long the comparison took, which bounds the offset's error.
func (r clockReading) bracket() int64 { return r.after - r.before }

func (r clockReading) offset() int64 { return r.wall - (r.before + r.bracket()/2) }

func readClocks() (clockReading, error) {
	before, err := boottime.Now()
	if err != nil {
		return clockReading{}, err
	}
	var wall unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		return clockReading{}, fmt.Errorf("read CLOCK_REALTIME: %w", err)
	}
	after, err := boottime.Now()
	if err != nil {
		return clockReading{}, err
	}
	return clockReading{int64(before), wall.Nano(), int64(after)}, nil
}
