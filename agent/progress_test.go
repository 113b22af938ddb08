package agent

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// pty returns the two sides of a pseudo-terminal: what the person sees, and where
// programs write.
func pty(t *testing.T) (person, programs *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { programs.Close() })
	return person, programs
}

// shown returns what the person has seen.
func shown(t *testing.T, person *os.File) string {
	t.Helper()
	var all []byte
	for b := make([]byte, 4096); ; {
		ready := []unix.PollFd{{Fd: int32(person.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, 0); err != nil || n == 0 {
			return string(all)
		}
		n, err := person.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b[:n]...)
	}
}

// silence makes the terminal's last write this long ago.
func silence(t *testing.T, programs *os.File, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	if err := os.Chtimes(programs.Name(), at, at); err != nil {
		t.Fatal(err)
	}
}

// The title is written while the command is silent, and never else.
func TestProgress(t *testing.T) {
	person, programs := pty(t)
	p := newProgress(programs, "ma\x1bke")
	p.foreground = func(int) bool { return true } // the test has no terminal of its own
	p.begin = time.Now().Add(-90 * time.Second)
	p.note(process.Stats{Seen: 1204, Running: 8})
	const output = "half of \x1b[3"
	programs.WriteString(output)
	p.look(time.Now())
	if got := shown(t, person); got != output {
		t.Errorf("the command has written just now: %q", got)
	}
	silence(t, programs, time.Minute)
	p.look(time.Now())
	if got, want := shown(t, person), "\x1b[22;2t\x1b]2;ma\\x1bke: 1204 processes, 8 running, 1m30s\x07"; got != want {
		t.Errorf("after a minute of silence: %q, want %q", got, want)
	}
	p.look(time.Now())
	if got := shown(t, person); got != "" {
		t.Errorf("right after the title: %q", got)
	}
	silence(t, programs, time.Minute)
	p.foreground = func(int) bool { return false }
	p.look(time.Now())
	if got := shown(t, person); got != "" {
		t.Errorf("in the background: %q", got)
	}
	p.leave()
	if got := shown(t, person); got != "\x1b[23;2t" {
		t.Errorf("at the end: %q", got)
	}
}

// What is not shown costs nothing and leaves nothing.
func TestNoProgress(t *testing.T) {
	none := startProgress(nil, "make")
	none.note(process.Stats{Seen: 1})
	none.stop()
	person, programs := pty(t)
	short := startProgress(programs, "true")
	short.stop()
	if got := shown(t, person); got != "" {
		t.Errorf("a short command leaves %q", got)
	}
}
