package boottime

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0,
		"monotonic           0         0\nboottime            0         0\n":        0,
		"monotonic         100         5\nboottime        86400         0\n":        24 * time.Hour,
		"monotonic           0         0\nboottime           -5 500000000\n":        -4500 * time.Millisecond,
		"1           0         0\n7           1         2\n":                        time.Second + 2,
		"nonsense\nboottime 1\nboottime 2 0 0\n":                                    0,
		"monotonic 9 9\nboottime        3         0\nboottime        4         0\n": 3 * time.Second,
	} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("offset in %q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"boottime x 0\n", "boottime 0 x\n"} {
		if got, err := parse(text); err == nil {
			t.Errorf("offset in %q is %v, want an error", text, got)
		}
	}
}

// Where nothing is shifted, the time is that of the clock.
func TestNow(t *testing.T) {
	got, err := Now()
	if err != nil {
		t.Fatal(err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Fatal(err)
	}
	want := time.Duration(now.Nano()) - Shift()
	if off := want - time.Duration(got); off < 0 || off > time.Minute {
		t.Errorf("the time since boot is %v, the clock says %v", time.Duration(got), want)
	}
}
