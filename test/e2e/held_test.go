package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held is a process that lives until its standard input is closed, or the test
// ends.
type held struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	begin time.Time
}

// startHeld starts a command that reads its standard input.
func startHeld(t *testing.T, command ...string) *held {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = cleanEnviron()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &held{cmd: cmd, input: input, begin: time.Now()}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", command, err)
	}
	t.Cleanup(func() {
		input.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return h
}

func (h *held) pid() int { return h.cmd.Process.Pid }

// await returns when the process has become the program of this name.
func (h *held) await(t *testing.T, name string) {
	t.Helper()
	err := poll(t.Context(), startTimeout, func(context.Context) error {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", h.pid()))
		if err != nil {
			return permanent(err)
		}
		if got := strings.TrimSpace(string(comm)); got != name {
			return fmt.Errorf("process %d is %s, want %s", h.pid(), got, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// end closes its input and returns its outcome. It must exit with 0.
func (h *held) end(t *testing.T, name string) *outcome {
	t.Helper()
	h.input.Close()
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("%s ends with %v", name, err)
	}
	return &outcome{name: name, pid: h.pid(), lasted: period{h.begin, time.Now()}}
}
