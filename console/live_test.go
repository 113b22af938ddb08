package console

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/golden"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wall has the machine booted at 12:00:00.
func wall(at process.Time) time.Time {
	return time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC).Add(at.Sub(0))
}

const ms = process.Time(time.Millisecond)

func TestLive(t *testing.T) {
	var b strings.Builder
	live := NewLive(&b, wall)
	if err := live.Heading(); err != nil {
		t.Fatal(err)
	}
	execs := []process.Event{
		{At: 1 * ms, ID: process.ID{PID: 4242}, Parent: process.ID{PID: 1}, Comm: "make", Image: process.Image{Filename: "/usr/bin/make", Executable: "/usr/bin/gmake"}},
		{At: 59_999 * ms, ID: process.ID{PID: 4194304}, Parent: process.ID{PID: 4194303}, Comm: "fifteen-letters", Image: process.Image{Executable: "/opt/known by proc"}},
		{At: 60_000 * ms, ID: process.ID{PID: 8}, Comm: "日本語", Image: process.Image{Filename: "/opt/日本語"}},
		{At: 3_600_000 * ms, ID: process.ID{PID: 7}, Comm: "\x1b[2J\n", Image: process.Image{Filename: "/tmp/\x1b]0;owned\x07\u202egpj.sh"}},
	}
	for i := range execs {
		if err := live.Exec(&execs[i]); err != nil {
			t.Fatal(err)
		}
	}
	exits := []process.Lifetime{
		{ID: process.ID{PID: 4242}, ParentPID: 1, Start: 1 * ms, End: 13 * ms, Comm: "make"},
		{ID: process.ID{PID: 4243}, ParentPID: 4242, Start: 1 * ms, End: 1501 * ms, Comm: "cc", Status: 1 << 8},
		{ID: process.ID{PID: 4244}, ParentPID: 4242, Start: 5 * ms, End: 5 * ms, Comm: "as", Status: 9},
		{ID: process.ID{PID: 4245}, ParentPID: 4242, Start: 5 * ms, End: 300_005 * ms, Comm: "ld", Status: 11 | 0x80},
		{ID: process.ID{PID: 2}, ParentPID: 1, Start: 1 * ms, End: 86_400_000 * ms, StartEstimated: true, Comm: "old\x7f", Status: 143 << 8},
		{ID: process.ID{PID: 4246}, ParentPID: 4242, Start: 1 * ms, End: 6 * ms, EndEstimated: true},
	}
	for i := range exits {
		if err := live.Exit(&exits[i]); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, "live", b.String(), *update)
}

var errBroken = errors.New("broken pipe")

// brokenAfter fails after so many writes.
type brokenAfter int

func (n *brokenAfter) Write(p []byte) (int, error) {
	if *n--; *n < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestLiveOnABrokenPipe(t *testing.T) {
	w := brokenAfter(0)
	live := NewLive(&w, wall)
	if err := live.Heading(); !errors.Is(err, errBroken) {
		t.Errorf("Heading: error %v, want %v", err, errBroken)
	}
	if err := live.Exec(&process.Event{}); !errors.Is(err, errBroken) {
		t.Errorf("Exec: error %v, want %v", err, errBroken)
	}
	if err := live.Exit(&process.Lifetime{}); !errors.Is(err, errBroken) {
		t.Errorf("Exit: error %v, want %v", err, errBroken)
	}
}
