//go:build guest

package scenario

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// memoryLimit is how much memory the agent may have had at most, in kB. Measured
// are 28 to 43 MB, and with the ring buffer, 16 MiB mapped twice, 63 to 76: Linux
// counts it at once since 6.2, before that late or never.
const memoryLimit = 100 << 10

// peakMemory is the line of /proc/PID/status that says how much it was.
var peakMemory = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// observeApart runs the agent as observe does, but as a process of its own, and
// fails the test also when that took too much memory.
func observeApart(t *testing.T) *observer {
	t.Helper()
	o := newObserver(t)
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := role(o.exe, "agent "+o.sink.Target())
	var said bytes.Buffer
	cmd.Stderr, cmd.ExtraFiles = &said, []*os.File{theirs}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkMemory(t, cmd.Process.Pid)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(deadline, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the agent ended with %v", err)
		}
		for line := range strings.Lines(said.String()) {
			if !strings.Contains(line, `msg="export failed, will retry"`) {
				t.Errorf("the agent logged: %s", line)
			}
		}
	})
	if err := ready.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatalf("wait for the agent to be ready: %v", err)
	}
	return o
}

// checkMemory compares what the agent has had at most with the limit.
func checkMemory(t *testing.T, pid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return
	}
	found := peakMemory.FindSubmatch(status)
	if found == nil { // as that of a zombie
		t.Error("how much memory the agent took is not known: it has ended")
		return
	}
	peak, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Error(err)
	}
	t.Logf("the agent took %d kB of memory at most", peak)
	if peak > memoryLimit {
		t.Errorf("the agent took %d kB of memory, want at most %d", peak, memoryLimit)
	}
}
