package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/procspan/procspan/agent"
)

// roleVariable makes this binary play a part in a test of hostile processes.
const roleVariable = "SCENARIO_ROLE"

// role returns a command that plays a part: "agent TARGET", "idle",
// "bomb", "threads N", "rewrite" or "nest N".
func role(exe, what string, args ...string) *exec.Cmd {
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+what)
	return cmd
}

// playRole returns the exit code.
func playRole(what string) int {
	what, arg, _ := strings.Cut(what, " ")
	switch what {
	case "agent": // until SIGTERM
		return runAgent(arg)
	case "idle": // until the end of the input
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 3
	case "bomb": // processes that start as many as they can
		for {
			_ = role("/proc/self/exe", "bomb").Start() // fails when there is no room
		}
	case "threads": // so many at once, then the end of all
		n, _ := strconv.Atoi(arg)
		debug.SetMaxThreads(2 * n)
		var ready sync.WaitGroup
		for range n {
			ready.Add(1)
			go func() {
				runtime.LockOSThread()
				ready.Done()
				select {}
			}()
		}
		ready.Wait()
		tasks, _ := os.ReadDir("/proc/self/task")
		if len(tasks) < n {
			return 1
		}
		return 6
	case "rewrite": // its own arguments
		for _, arg := range os.Args[1:] {
			for i := range len(arg) { // Go's strings point to the kernel's memory
				*(*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(arg)), i)) = 'X'
			}
		}
		line, _ := os.ReadFile("/proc/self/cmdline")
		if !strings.HasSuffix(string(line), "\x00XXXX\x00") {
			return 1
		}
		return 7
	case "nest": // in one more pid namespace each
		n, _ := strconv.Atoi(arg)
		if n == 0 {
			return 5
		}
		child := role("/proc/self/exe", "nest "+strconv.Itoa(n-1))
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		var exit *exec.ExitError
		if err := child.Run(); errors.As(err, &exit) {
			return exit.ExitCode()
		}
	}
	return 1
}

// runAgent is the agent, which sends to target. It says on file descriptor 3 that
// it is ready, and on standard error what is worse than information.
func runAgent(target string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ready := os.NewFile(3, "ready")
	err := agent.Run(ctx, agent.Options{
		Config: agentConfig(target), Version: "test",
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Ready: func() { _, _ = ready.Write([]byte{0}) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
