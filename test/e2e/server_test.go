package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout bounds how long a server may take until it is ready.
	startTimeout = 60 * time.Second
	// stopTimeout bounds a server's graceful stop, however busy the machine; then it is
	// killed. procspan flushes for 10 s at most.
	stopTimeout = 60 * time.Second
	// pollInterval is the pause between two polls.
	pollInterval = 50 * time.Millisecond
)

// errPortTaken says that another program took one of a server's ports between
// freePorts and the server's own bind. A retry helps.
var errPortTaken = errors.New("a port was taken by another program")

// server is a program that runs beside a test until the test ends it.
type server struct {
	name   string
	cmd    *exec.Cmd
	log    string        // path of stdout and stderr
	exited chan struct{} // closed when the process has been reaped
}

// startServer starts a program whose output goes to a file. The server ends
// with the test, and with the test binary should that be killed.
func startServer(t *testing.T, name, path string, args ...string) *server {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatalf("create the log of %s: %v", name, err)
	}
	defer log.Close()

	cmd := exec.Command(path, args...)
	cmd.Env = cleanEnviron()
	cmd.Dir = t.TempDir()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	s := &server{name: name, cmd: cmd, log: log.Name(), exited: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, s.logTail())
		}
	})
	return s
}

// stop ends the server by SIGTERM, or by SIGKILL after stopTimeout, and returns its
// exit status in os/exec's words. Later calls return the same.
func (s *server) stop() string {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		s.cmd.Process.Kill()
		<-s.exited
		return fmt.Sprintf("killed, as SIGTERM did not end it in %s", stopTimeout)
	}
	return s.cmd.ProcessState.String()
}

// printed returns what the server has printed.
func (s *server) printed() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// logTail returns the end of it.
func (s *server) logTail() string {
	const limit = 8 << 10
	text := s.printed()
	return text[max(0, len(text)-limit):]
}

// awaitReady polls probe until it returns nil. It fails at once when the server
// has ended, and with the probe's last error when startTimeout has passed.
func (s *server) awaitReady(ctx context.Context, probe func(context.Context) error) error {
	err := poll(ctx, startTimeout, func(ctx context.Context) error {
		select {
		case <-s.exited:
			return permanent(fmt.Errorf("it ended: %v", s.cmd.ProcessState))
		default:
			return probe(ctx)
		}
	})
	switch {
	case err == nil:
		return nil
	case bytes.Contains([]byte(s.logTail()), []byte("address already in use")):
		return fmt.Errorf("start %s: %w", s.name, errPortTaken)
	default:
		return fmt.Errorf("start %s: %w\n%s", s.name, err, s.logTail())
	}
}

// withFreePorts calls start with n free ports, and again with others if a port
// was taken in between.
func withFreePorts(t *testing.T, n int, start func(ports []int) error) {
	t.Helper()
	var err error
	for range 3 {
		if err = start(freePorts(t, n)); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// freePorts returns n different TCP ports that were free on 127.0.0.1.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		defer listener.Close() // held until all are found, so that they differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// permanentError ends a poll: a retry cannot help.
type permanentError struct{ error }

func permanent(err error) error { return permanentError{err} }

// poll calls try until it returns nil or a permanent error, and returns try's
// last error once timeout has passed.
func poll(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		var final permanentError
		if errors.As(err, &final) {
			return final.error
		}
		// A try that the deadline cut short says less than the one before it.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (waited %s)", last, timeout)
		case <-time.After(pollInterval):
		}
	}
}

// cleanEnviron is a short environment, the same wherever the tests run: no
// OTEL_* or TRACEPARENT that would configure procspan, no MAKEFLAGS of a make
// that started go test, no SUDO_* that would have procspan change its user.
func cleanEnviron() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"TMPDIR=" + os.TempDir(),
		"LANG=C",
	}
}
