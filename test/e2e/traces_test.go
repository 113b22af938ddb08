package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// The service names of the daemons of TestTraces.
const (
	runTraces       = "e2e-traces"
	longLivedTraces = "e2e-long-lived"
)

// TestTraces shows in Jaeger what procspan makes of what hosts do: which trace a
// process is in, and what it hangs on. There is one daemon or none at a time,
// as two would both tell of the same processes.
func TestTraces(t *testing.T) {
	requireObservable(t)
	for _, tool := range []string{"bash", "make", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: install it (Debian: apt-get install bash make perl-base)", err)
		}
	}
	b := &bench{jaeger: startJaeger(t), procspan: procspanBinary(t)}
	// What the test itself starts comes from a process that is older than
	// procspan, and so is in a trace of its own: "long_lived of ?".
	t.Run("run", func(t *testing.T) {
		b.observe(t, runTraces)
		t.Run("terminal", b.testTerminal)
		t.Run("session", b.testSession)
		t.Run("cgroup", b.testCgroup)
		t.Run("missing parent", b.testWarning)
		t.Run("traceparent", b.testTraceparent)
		t.Run("traceparent by env", b.testTraceparentByEnv)
		t.Run("traceparent inherited", b.testInherited)
	})
	t.Run("long-lived", b.testLongLived)
	t.Run("exec", func(t *testing.T) {
		t.Run("instrumented", b.testInstrumented)
		t.Run("traceparent", b.testExecTraceparent)
		t.Run("not sampled", b.testExecNotSampled)
	})
}

// bench is what the tests of traces share.
type bench struct {
	jaeger   *jaeger
	procspan string // the binary
}

// observe has `procspan run`, with more options of its own, observe the host
// until the test ends.
func (b *bench) observe(t *testing.T, service string, options ...string) {
	t.Helper()
	config := procspanConfig(t, b.jaeger.otlp, service, options...)
	daemon := startServer(t, "procspan", b.procspan, "run", "--config", config)
	awaitObserved(t, daemon, b.jaeger, service)
}

// testTerminal works in an interactive shell: each command line is a trace, and
// whole as soon as its commands have ended.
func (b *bench) testTerminal(t *testing.T) {
	dir := t.TempDir()
	terminal := openTerminal(t, dir)
	terminal.enter(t, "/bin/true")
	terminal.enter(t, "cat /dev/null | sort | wc -l")
	terminal.enter(t, "sh -c '/bin/true; ls; exit'")
	const jobs = `
trace
  cat (job of %[1]s)
  sort (job of %[1]s)
  wc (job of %[1]s)
trace
  sh (job of %[1]s)
    ls
    true
trace
  true (job of %[1]s)
`
	b.jaeger.awaitForest(t, fmt.Sprintf(jobs, "?"), runTraces, dir)

	terminal.leave(t)
	f := b.jaeger.awaitForest(t, "\ntrace\n  bash (session of ?)"+fmt.Sprintf(jobs, "bash"), runTraces, dir)
	if s := f.find(t, "bash"); s.Attributes["process.pid"] != int64(terminal.cmd.Process.Pid) {
		t.Errorf("the commands are linked to %v, want the shell, process %d", s, terminal.cmd.Process.Pid)
	}
}

// testSession does what cron does: a process in a session of its own for each
// job.
func (b *bench) testSession(t *testing.T) {
	dir := t.TempDir()
	const cron = `
		use POSIX;
		for (1, 2) {
			if (!fork) { POSIX::setsid(); exec "sh", "-c", "/bin/true; ls; exit" }
			wait;
		}`
	mustRun(t, dir, "perl", "-e", cron)
	b.jaeger.awaitForest(t, `
trace
  perl (long_lived of ?)
trace
  sh (session of perl)
    ls
    true
trace
  sh (session of perl)
    ls
    true
`, runTraces, dir)
}

// testCgroup has a shell put a child into another cgroup before that executes
// its command, as one does that starts containers or services.
func (b *bench) testCgroup(t *testing.T) {
	inEachHierarchy(t, func(t *testing.T, hierarchy string) {
		dir := t.TempDir()
		mustRun(t, dir, "sh", "-c", `(echo 0 >"$1/cgroup.procs" && exec sh -c "/bin/true; ls; exit"); ls; exit`,
			"sh", newCgroup(t, hierarchy))
		b.jaeger.awaitForest(t, `
trace
  sh (cgroup of sh)
    ls
    true
trace
  sh (long_lived of ?)
    ls
`, runTraces, dir)
	})
}

// testWarning shows that Jaeger does complain where a trace is not whole: what
// the other tests want it to be silent about. This one continues a span that
// Jaeger never gets.
func (b *bench) testWarning(t *testing.T) {
	dir := t.TempDir()
	lost := newRemote()
	mustRun(t, dir, "env", "TRACEPARENT="+lost.traceparent("01"), "ls")
	b.jaeger.awaitRaw(t, "trace\n  ls (traceparent of ?) under ?\n", runTraces, dir)
	f, err := b.jaeger.forest(t.Context(), false, runTraces, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if s := f.find(t, "ls"); s.TraceID != lost.TraceID || s.ParentID != lost.SpanID {
		t.Errorf("%v is in trace %s under %s, want %v", s, s.TraceID, s.ParentID, lost)
	}
	want := []string{
		"ls, API v3: parent span ID=" + lost.SpanID + " is not in the trace; skipping clock skew adjustment",
		"ls, page: invalid parent span IDs=" + lost.SpanID + "; skipping clock skew adjustment",
	}
	if got := f.warnings(); !slices.Equal(got, want) {
		t.Errorf("where a parent is missing Jaeger warns\n%q, want\n%q", got, want)
	}
}

// testTraceparent runs make under a span of another program.
func (b *bench) testTraceparent(t *testing.T) {
	dir := t.TempDir()
	writeMakefile(t, dir, "all: below", "\t@/bin/true; ls; exit", "below:", "\t@$(MAKE) -s leaf", "leaf:", "\t@/bin/true")
	build := newRemote()
	build.send(t, b.jaeger.otlp)
	mustRun(t, dir, "sh", "-c", `TRACEPARENT="$1" make -s; exit`, "sh", build.traceparent("01"))
	b.jaeger.awaitForest(t, `
trace
  build
    make (traceparent of sh)
      make
        true
      sh
        ls
        true
trace
  sh (long_lived of ?)
`, runTraces, dir)
}

// testTraceparentByEnv has a process take up a TRACEPARENT by a second exec.
func (b *bench) testTraceparentByEnv(t *testing.T) {
	dir := t.TempDir()
	build := newRemote()
	build.send(t, b.jaeger.otlp)
	mustRun(t, dir, "env", "TRACEPARENT="+build.traceparent("01"), "sh", "-c", "/bin/true; ls; exit")
	b.jaeger.awaitForest(t, `
trace
  build
    sh (traceparent of ?)
      ls
      true
`, runTraces, dir)
}

// testInherited has 500 processes inherit the value that make was given. It was
// meant for make: they hang on the processes that started them.
func (b *bench) testInherited(t *testing.T) {
	dir := t.TempDir()
	writeMakefile(t, dir,
		"units := $(foreach i,0 1 2 3 4,$(foreach j,0 1 2 3 4 5 6 7 8 9,unit-$i$j))",
		"all:", "\t@$(MAKE) -s $(units)",
		"$(units):", "\t@./unit.sh")
	writeScript(t, dir, "unit.sh", "for i in 1 2 3; do ./part.sh; done")
	writeScript(t, dir, "part.sh", "/bin/true; /bin/true; exit")
	build := newRemote()
	build.send(t, b.jaeger.otlp)
	mustRun(t, dir, "env", "TRACEPARENT="+build.traceparent("01"), "make", "-s", "-j2")
	b.jaeger.awaitForest(t, `
trace
  build
    make (traceparent of ?)
      make
        50x unit.sh
          3x part.sh
            2x true
`, runTraces, dir)
}

// testLongLived has a server start children while it is young and when it is
// not. Jaeger knows of them before it does of the server.
func (b *bench) testLongLived(t *testing.T) {
	const longLivedAfter = 3 * time.Second // in which the server starts its first child, on a busy machine as well
	b.observe(t, longLivedTraces, fmt.Sprintf("traces: {long_lived_after: %s}", longLivedAfter))
	early := t.TempDir()
	late := filepath.Join(early, "late")
	if err := os.Mkdir(late, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "while read command; do $command; done")
	cmd.Dir, cmd.Env = early, cleanEnviron()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	requests, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	t.Cleanup(func() {
		requests.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	born := time.Now() // at the latest

	fmt.Fprintln(requests, "/bin/true")
	b.jaeger.awaitRaw(t, "trace\n  true under ?\n", longLivedTraces, early)
	err = poll(t.Context(), readTimeout, func(context.Context) error {
		if time.Since(born) < longLivedAfter {
			return errors.New("the server is not long-lived yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(requests, "cd late\nls\nsort /dev/null\n")
	b.jaeger.awaitForest(t, `
trace
  ls (long_lived of ?)
trace
  sort (long_lived of ?)
`, longLivedTraces, late)

	requests.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	b.jaeger.awaitForest(t, `
trace
  ls (long_lived of sh)
trace
  sh (long_lived of ?)
    true
trace
  sort (long_lived of sh)
`, longLivedTraces, early, late)
}

// remote is a span of another program.
type remote spanContext

func newRemote() remote {
	id := make([]byte, 24)
	rand.Read(id)
	return remote{hex.EncodeToString(id[:16]), hex.EncodeToString(id[16:])}
}

// traceparent is the value by which others continue the span.
func (r remote) traceparent(flags string) string {
	return fmt.Sprintf("00-%s-%s-%s", r.TraceID, r.SpanID, flags)
}

// send sends the span, "build", to Jaeger: around now, so that all that continues
// it lies within.
func (r remote) send(t *testing.T, otlp string) {
	t.Helper()
	trace, err1 := hex.DecodeString(r.TraceID)
	id, err2 := hex.DecodeString(r.SpanID)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sendSpans(t, otlp, "ci", &tracepb.Span{
		TraceId: trace, SpanId: id, Name: "build",
		StartTimeUnixNano: uint64(now.Add(-time.Hour).UnixNano()),
		EndTimeUnixNano:   uint64(now.Add(time.Hour).UnixNano()),
	})
}

// mustRun runs a command, which must succeed, to its end in dir.
func mustRun(t *testing.T, dir string, command ...string) {
	t.Helper()
	if code, output := runCommand(t, dir, command...); code != 0 {
		t.Fatalf("%q ends with %d\n%s", command, code, output)
	}
}

// writeMakefile writes dir's Makefile.
func writeMakefile(t *testing.T, dir string, lines ...string) {
	t.Helper()
	write(t, filepath.Join(dir, "Makefile"), strings.Join(lines, "\n")+"\n", 0o644)
}

// writeScript writes a shell script into dir.
func writeScript(t *testing.T, dir, name, text string) {
	t.Helper()
	write(t, filepath.Join(dir, name), "#!/bin/sh\n"+text+"\n", 0o755)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
