package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// stuckProc is a flow with a /proc in which reading the first of three processes never
// ends, as where its arguments are on a FUSE file system.
func stuckProc(t *testing.T) (f *flow, running []process.Living, log *buffer) {
	t.Helper()
	log = &buffer{}
	f = &flow{log: newLog(log), out: &slowOutput{}, procRoot: t.TempDir(), argsMaxBytes: 100}
	f.list = func() ([]process.Living, error) { return running, nil }
	for pid := uint32(2); pid < 5; pid++ {
		running = append(running, process.Living{ID: process.ID{PID: pid, Start: 1}, Execed: true})
	}
	dir := filepath.Join(f.procRoot, "2")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	arguments := filepath.Join(dir, "cmdline")
	if err := unix.Mkfifo(arguments, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(arguments, os.O_RDWR, 0) // that writes nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // lets the readers go, those that have not begun as well
		os.Remove(arguments)
		writer.Close()
	})
	return f, running, log
}

// A process that cannot be read to its end holds up neither the others nor the agent.
func TestAdoptStuckProcess(t *testing.T) {
	f, running, log := stuckProc(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.look(nil, running, patience)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it waits for the process")
	}
	if text := log.String(); !strings.Contains(text, "cannot read all running processes from /proc; the rest have no details") || !strings.Contains(text, "count=1") {
		t.Errorf("it logged:\n%s", text)
	}
}

// An agent that is stopped while it reads processes stops.
func TestAdoptStops(t *testing.T) {
	f, running, _ := stuckProc(t)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.look(stop, running, patience)
	}()
	close(stop)
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it waits for pid " + strconv.Itoa(int(running[0].ID.PID)))
	}
}
