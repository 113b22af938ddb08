package otlp

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

// fakeClocks are the two clocks of a machine, in ns.
type fakeClocks struct {
	boot, offset int64
	brackets     []int64 // how long the next readings take; then 100 ns
	err          error
}

func (f *fakeClocks) read() (clockReading, error) {
	took := int64(100)
	if len(f.brackets) > 0 {
		took, f.brackets = f.brackets[0], f.brackets[1:]
	}
	// The wall clock is read late, so that a long bracket gives a wrong offset.
	r := clockReading{before: f.boot, wall: f.boot + took + f.offset, after: f.boot + took}
	f.boot += took
	return r, f.err
}

// testClock stands still at a known offset: boot was on 1 Jan 2026.
func testClock(t testing.TB) (*Clock, *fakeClocks) {
	t.Helper()
	f := &fakeClocks{offset: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() - 50}
	c, err := newClock(f.read)
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

const (
	second = process.Time(time.Second)
	hour   = int64(time.Hour)
)

func TestClockHistory(t *testing.T) {
	c, f := testClock(t)
	zero := int64(c.Unix(0))
	at := func(s process.Time) int64 { return int64(c.Unix(s*second)) - zero - int64(s*second) } // offset at s seconds
	step := func(s, by int64) {
		f.boot, f.offset = s*int64(time.Second), f.offset+by
		c.Sample()
	}
	step(10, 0)
	step(20, hour)
	step(30, -3*hour)
	for _, tc := range []struct {
		at   process.Time
		want int64
	}{{0, 0}, {10, 0}, {19, 0}, {21, hour}, {29, hour}, {31, -2 * hour}, {1000, -2 * hour}} {
		if got := at(tc.at); got != tc.want {
			t.Errorf("offset at %d s: got %v, want %v", tc.at, time.Duration(got), time.Duration(tc.want))
		}
	}
}

// Within a trace nothing may start before what started it, wherever the wall
// clock goes.
func TestClockKeepsTheOrderOfATrace(t *testing.T) {
	c, f := testClock(t)
	for _, step := range []struct{ at, by int64 }{{20, hour}, {40, -2 * hour}, {60, hour / 2}, {80, -hour}} {
		f.boot, f.offset = step.at*int64(time.Second), f.offset+step.by
		c.Sample()
	}
	for root := range process.Time(100) {
		before := uint64(0)
		for at := root; at < 100; at++ {
			now := c.UnixSince(at*second, root*second)
			if now <= before {
				t.Fatalf("trace of %d s: %d s is at %d, not after %d", root, at, now, before)
			}
			before = now
		}
		if got, want := c.UnixSince(root*second, root*second), c.Unix(root*second); got != want {
			t.Errorf("a trace's beginning at %d s: got %d, want the wall time then, %d", root, got, want)
		}
	}
}

func TestClockIgnoresNoise(t *testing.T) {
	c, f := testClock(t)
	f.offset += clockTolerance - 1000
	c.Sample()
	if len(c.pieces) != 1 {
		t.Errorf("a change of less than %v counts as a step", time.Duration(clockTolerance))
	}
	f.offset += 2000 // small steps add up
	c.Sample()
	if len(c.pieces) != 2 {
		t.Errorf("two small changes of together more than %v do not count as a step", time.Duration(clockTolerance))
	}
}

func TestClockTakesTheQuickestComparison(t *testing.T) {
	c, f := testClock(t)
	f.brackets = []int64{int64(time.Second), int64(time.Second), 100, int64(time.Second)}
	f.offset += hour
	c.Sample()
	if got, want := c.pieces[1].offset-c.pieces[0].offset, hour; got != want {
		t.Errorf("step: got %v, want %v", time.Duration(got), time.Duration(want))
	}
}

func TestClockIsBounded(t *testing.T) {
	c, f := testClock(t)
	for range 10 * clockPieces {
		f.boot += int64(time.Second)
		f.offset += hour
		c.Sample()
	}
	if got := len(c.pieces); got != clockPieces {
		t.Errorf("got %d pieces, want %d", got, clockPieces)
	}
}

func TestClockErrors(t *testing.T) {
	f := &fakeClocks{err: errors.New("no clock")}
	if _, err := newClock(f.read); !errors.Is(err, f.err) {
		t.Errorf("got %v, want %v", err, f.err)
	}
	c, f := testClock(t)
	want := c.Unix(second)
	f.err, f.offset = errors.New("no clock"), 0
	c.Sample()
	if got := c.Unix(second); got != want {
		t.Errorf("after a failed sample: got %d, want %d", got, want)
	}
}

func TestClockSaturates(t *testing.T) {
	c, _ := testClock(t)
	if got := c.Unix(math.MaxUint64); got != math.MaxInt64 {
		t.Errorf("got %d, want %d", got, int64(math.MaxInt64))
	}
	c.pieces[0].offset = -hour
	if got := c.Unix(second); got != 0 {
		t.Errorf("before 1970: got %d, want 0", got)
	}
}

// A span keeps its true length when the clock is stepped while it lasts.
func TestSpanLengthIsTrue(t *testing.T) {
	c, f := testClock(t)
	f.boot, f.offset = 20*int64(time.Second), f.offset-hour
	c.Sample()
	e := NewEncoder(Options{Clock: c, Capture: fullCapture})
	s := spanOf(t, e, &process.Lifetime{ID: process.ID{PID: 1, Start: 9 * second}, Start: 10 * second, End: 30 * second})
	if got, want := s.EndTimeUnixNano-s.StartTimeUnixNano, uint64(20*second); got != want {
		t.Errorf("got %v, want %v", time.Duration(got), time.Duration(want))
	}
}

func TestRealClock(t *testing.T) {
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	r, err := readClocks()
	if err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	if now := time.Unix(0, int64(c.Unix(process.Time(r.after)))); now.Before(before.Add(-time.Second)) || now.After(after.Add(time.Second)) {
		t.Errorf("it was %v, want between %v and %v, give or take a second", now, before, after)
	}
}

func BenchmarkClockSample(b *testing.B) {
	c, err := NewClock()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Sample()
	}
}

// A clock of the agent that takes over converts each moment as the one before did,
// and sees a step that was made while there was none.
func TestClockRestored(t *testing.T) {
	before, f := testClock(t)
	f.boot += int64(10 * second)
	f.offset += hour
	before.Sample()
	f.boot += int64(10 * second)
	f.offset += 200 // noise
	after, err := newClock(f.read)
	if err != nil {
		t.Fatal(err)
	}
	if before.Unix(15*second) == after.Unix(15*second) {
		t.Fatal("the two do not differ: this tests nothing")
	}
	history := before.AppendHistory(nil)
	if err := after.RestoreHistory(history); err != nil {
		t.Fatal(err)
	}
	for _, at := range []process.Time{0, 5 * second, 15 * second, 30 * second} {
		if got, want := after.Unix(at), before.Unix(at); got != want {
			t.Errorf("%d s: got %d, want %d as before", at/second, got, want)
		}
	}
	f.boot += int64(10 * second)
	f.offset += hour
	if err := after.RestoreHistory(history); err != nil {
		t.Fatal(err)
	}
	if got, want := after.Unix(40*second)-before.Unix(40*second), uint64(hour); got-want+1000 > 2000 {
		t.Errorf("after a step of an hour it is %d ns ahead, want %d", got, want)
	}
	for _, bad := range [][]byte{nil, history[:15], make([]byte, 16*(clockPieces+1))} {
		if err := after.RestoreHistory(bad); err == nil {
			t.Errorf("%d bytes are taken for a history", len(bad))
		}
	}
}
