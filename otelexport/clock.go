package otelexport

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

const (
	// clockTries is how often the two clocks are compared for one sample. The
	// comparison that took the shortest time counts: an interruption between
	// its readings makes the others worse, never better.
	clockTries = 8
	// clockTolerance in ns is by how much the offset has to change, beyond what
	// the comparison itself leaves open, to count as a step of the wall clock.
	// Linux slews CLOCK_REALTIME and CLOCK_BOOTTIME together (adjtime and NTP
	// change the rate of both), so between steps their offset is constant and
	// a difference is noise: far below a microsecond on an idle machine. A
	// millisecond is more than that noise, and less than what NTP promises
	// between machines. The comparison is with the offset in force and not with
	// the last sample, so small steps cannot add up unseen.
	clockTolerance = 1_000_000
	// clockPieces bounds the history. A wall clock that steps more often than
	// this within a trace is past helping.
	clockPieces = 64
)

// Clock converts kernel time, in ns since boot (CLOCK_BOOTTIME), to Unix time.
// It remembers when the wall clock was stepped, so that a moment is converted
// with the offset that was in force then, however late it is converted.
//
// It is for one goroutine: whoever converts also calls Sample.
type Clock struct {
	read   func() (clockReading, error)
	pieces []clockPiece // oldest first, never empty
}

// clockPiece says that from a moment on (ns since boot) wall time was so many
// ns ahead of the time since boot.
type clockPiece struct {
	from   uint64
	offset int64
}

// clockReading is the wall clock, in Unix ns, read between two readings of the
// time since boot, in ns.
type clockReading struct {
	before, wall, after int64
}

// NewClock returns a clock that knows the present offset.
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

// AppendHistory appends what the clock remembers, for RestoreHistory.
func (c *Clock) AppendHistory(b []byte) []byte {
	for _, p := range c.pieces {
		b = binary.LittleEndian.AppendUint64(b, p.from)
		b = binary.LittleEndian.AppendUint64(b, uint64(p.offset))
	}
	return b
}

// RestoreHistory has the clock convert each moment as another one of this boot
// did, whose AppendHistory returned b. It returns an error where that cannot be.
func (c *Clock) RestoreHistory(b []byte) error {
	const size = 16
	if len(b) == 0 || len(b)%size != 0 || len(b)/size > clockPieces {
		return fmt.Errorf("restore the clock: %d bytes are no history", len(b))
	}
	c.pieces = c.pieces[:0]
	for ; len(b) > 0; b = b[size:] {
		c.pieces = append(c.pieces, clockPiece{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))})
	}
	c.Sample() // the wall clock may have been stepped since
	return nil
}

// Sample compares the clocks again. Called about once a second, it dates a step
// of the wall clock to within that second.
func (c *Clock) Sample() {
	now, err := c.compare()
	if err != nil {
		return // it worked at the start; the offset known stays in force
	}
	change := now.offset() - c.pieces[len(c.pieces)-1].offset
	if max(change, -change) <= clockTolerance+now.bracket() {
		return
	}
	if len(c.pieces) == clockPieces {
		c.pieces = append(c.pieces[:0], c.pieces[1:]...)
	}
	// No moment after this one has been converted yet, so no conversion made
	// before is contradicted.
	c.pieces = append(c.pieces, clockPiece{from: uint64(now.after), offset: now.offset()})
}

// Unix converts a moment with the offset in force then, to Unix ns.
func (c *Clock) Unix(at uint64) uint64 {
	return c.UnixSince(at, at)
}

// UnixSince converts a moment of something that began at start, such as a
// trace. It keeps the order of its moments: a step of the wall clock backwards
// after start is left out, because it would show effects before their causes;
// such a trace runs ahead of the wall clock until it ends. A step forwards
// counts from the moment it happened.
func (c *Clock) UnixSince(at, start uint64) uint64 {
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
	if offset < 0 && at < uint64(-offset) {
		return 0 // before 1970
	}
	if offset < 0 {
		return saturate(at - uint64(-offset))
	}
	return addTime(at, uint64(offset))
}

// addTime adds two spans of ns and stops at the last moment that an int64 of
// Unix ns can hold, in 2262.
func addTime(a, b uint64) uint64 {
	return saturate(saturate(a) + saturate(b))
}

func saturate(ns uint64) uint64 { return min(ns, math.MaxInt64) }

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

// bracket is how long the comparison took: the offset is known to within it.
func (r clockReading) bracket() int64 { return r.after - r.before }

func (r clockReading) offset() int64 { return r.wall - (r.before + r.bracket()/2) }

func readClocks() (clockReading, error) {
	var before, wall, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &before); err != nil {
		return clockReading{}, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		return clockReading{}, fmt.Errorf("read CLOCK_REALTIME: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &after); err != nil {
		return clockReading{}, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return clockReading{before.Nano(), wall.Nano(), after.Nano()}, nil
}
