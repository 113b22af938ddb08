package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// runService is the service name that the daemon's configuration file sets.
const runService = "e2e-host"

// TestRunInJaeger has `procspan run` observe the host while a few processes
// live and die, and finds them in Jaeger when it has been told to stop.
func TestRunInJaeger(t *testing.T) {
	requireObservable(t)
	jaeger := startJaeger(t)
	daemon := startServer(t, "procspan", procspanBinary(t),
		"run", "--config", procspanConfig(t, jaeger.otlp, runService))
	awaitObserved(t, daemon, jaeger, runService)

	ended := []*outcome{
		runOutcome(t, "true", 0, "true"),
		runOutcome(t, "false", 1, "false"),
		runOutcome(t, "sh", 7, "sh", "-c", "exit 7"),
		runOutcome(t, "sh", 128+int(syscall.SIGTERM), "sh", "-c", "kill -TERM $$"),
		runOutcome(t, "sh", 128+int(syscall.SIGKILL), "sh", "-c", "kill -KILL $$"),
	}
	// A daemon: twice forked, it outlives the shell that it comes from. The test
	// knows of its end by the pipe that it holds on to.
	forked := runOutcome(t, "sh", 3, "sh", "-c", "((sleep 0.2; true) & ); exit 3")

	// What has ended by now must not be lost by the stop.
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s on SIGTERM", status)
	}
	spans, err := jaeger.spans(t.Context(), runService)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range append(ended, forked) {
		s := o.find(t, spans)
		if s == nil {
			continue
		}
		checkSpan(t, s, jaeger.page(t, s.TraceID).Spans[s.SpanID])
		checkResource(t, s, runService)
		o.check(t, s)
		if s.ParentID != "" {
			t.Errorf("%v has the parent %s, want none: its parent is older than procspan", s, s.ParentID)
		}
	}
	checkForked(t, forked, spans, jaeger)
}

// checkForked checks the processes below the shell that forked twice: they
// belong to it although it had ended before them.
func checkForked(t *testing.T, forked *outcome, spans []*span, j *jaeger) {
	t.Helper()
	shell := forked.find(t, spans)
	if shell == nil {
		return
	}
	found := 0
	for _, s := range spans {
		if s.TraceID != shell.TraceID || s == shell {
			continue
		}
		found++
		checkSpan(t, s, j.page(t, s.TraceID).Spans[s.SpanID])
		if s.ParentID != shell.SpanID || s.Name != "sleep" || s.Attributes["process.exit.code"] != int64(0) {
			t.Errorf("%v has the parent %s and exit code %v, want sleep below %v with 0",
				s, s.ParentID, s.Attributes["process.exit.code"], shell)
		}
		if d := s.End.Sub(s.Start); d < 200*time.Millisecond || !s.End.After(shell.End) {
			t.Errorf("%v ends %s after its start, and %s after %v", s, d, s.End.Sub(shell.End), shell)
		}
	}
	if found != 1 {
		t.Errorf("%d processes are below %v, want 1\n%s", found, shell, describe(spans))
	}
}

// outcome is what a test knows about a process that it started.
type outcome struct {
	name      string
	pid, code int
	signal    string // that ended it, or ""
	lasted    period
}

// runOutcome runs a command, which must exit with code, and returns its outcome once
// every holder of the command's output has closed it.
func runOutcome(t *testing.T, name string, code int, command ...string) *outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var output bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnviron(), &output, &output
	begin := time.Now()
	err := cmd.Run()
	o := &outcome{name: name, code: code, lasted: period{begin, time.Now()}}
	if cmd.ProcessState == nil {
		t.Fatalf("run %q: %v", command, err)
	}
	o.pid = cmd.ProcessState.Pid()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	got := status.ExitStatus()
	if status.Signaled() {
		got = 128 + int(status.Signal())
		o.signal = map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGKILL: "SIGKILL"}[status.Signal()]
	}
	if got != code {
		t.Fatalf("%q ends with %d, want %d: %v\n%s", command, got, code, err, output.Bytes())
	}
	return o
}

// find returns the one span of the process, and fails the test if there is
// another number of them.
func (o *outcome) find(t *testing.T, spans []*span) *span {
	t.Helper()
	var found []*span
	for _, s := range spans {
		if s.Attributes["process.pid"] == int64(o.pid) && s.Name == o.name &&
			s.End.After(o.lasted.begin) && s.Start.Before(o.lasted.end) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Errorf("there are %d spans of %s (pid %d, exit %d), want 1", len(found), o.name, o.pid, o.code)
		return nil
	}
	return found[0]
}

// check compares a span with what is known of its process.
func (o *outcome) check(t *testing.T, s *span) {
	t.Helper()
	if got := s.Attributes["process.exit.code"]; got != int64(o.code) {
		t.Errorf("%v: process.exit.code is %v, want %d", s, got, o.code)
	}
	if got, _ := s.Attributes["procspan.exit.signal"].(string); got != o.signal {
		t.Errorf("%v: procspan.exit.signal is %q, want %q", s, got, o.signal)
	}
	if got := s.Attributes["process.parent_pid"]; got != int64(syscall.Getpid()) {
		t.Errorf("%v: process.parent_pid is %v, want %d", s, got, syscall.Getpid())
	}
	checkWithin(t, s, o.lasted)
}

// awaitObserved returns when the daemon observes processes: when one that was
// started for this purpose is in Jaeger.
func awaitObserved(t *testing.T, daemon *server, j *jaeger, service string) {
	t.Helper()
	err := daemon.awaitReady(t.Context(), func(ctx context.Context) error {
		probe := exec.CommandContext(ctx, "true", "are you there")
		if err := probe.Run(); err != nil {
			return permanent(fmt.Errorf("run a probe: %w", err))
		}
		spans, err := j.spans(ctx, service)
		if err != nil {
			return err
		}
		for _, s := range spans {
			if filepath.Base(s.Name) == "true" {
				return nil
			}
		}
		return errors.New("a probing process is not in Jaeger")
	})
	if err != nil {
		t.Fatal(err)
	}
}
