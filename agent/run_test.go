package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/test/noleak"
	"github.com/procspan/procspan/test/syncbuffer"
)

// needRoot skips where the kernel refuses tracing; in CI that is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI runs this as root, and this is not root")
	}
	t.Skip("not root: tracing needs CAP_BPF and CAP_PERFMON")
}

// buffer is a console, and a log, that can be read meanwhile.
type buffer = syncbuffer.Buffer

// options are those of an agent without an exporter, and what it writes.
func options() (o Options, console, log *buffer) {
	console, log = new(buffer), new(buffer)
	return Options{
		Config:  config.Default(),
		Version: "test",
		Log:     newLog(log),
		Console: console,
	}, console, log
}

func newLog(to io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

// unreachable are options of an agent whose collector is away.
func unreachable() (o Options, log *buffer) {
	o, _, log = options()
	traces := config.DefaultTraces()
	traces.Pipelines[0].Exporter.OTLPGRPC.Target, traces.Pipelines[0].Exporter.OTLPGRPC.Insecure = "127.0.0.1:1", true
	o.Config.Traces = &traces
	return o, log
}

func TestRunSeesAllAfterReady(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	o, console, log := options()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}

	// It started and ended while the agent ran: both are shown, although the
	// agent is told to stop at once.
	file := t.TempDir() + "/agent-probe"
	if err := os.Symlink("/bin/true", file); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(file).Run(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("a stop that was asked for: %v", err)
	}
	for _, want := range []string{"TIME ", file} {
		if n := strings.Count(console.String(), want); n != 1 {
			t.Errorf("%q is there %d times, want once, in\n%s", want, n, console)
		}
	}
	if !strings.Contains(log.String(), "msg=stopped") {
		t.Errorf("no word about the stop in\n%s", log)
	}
}

// The ledger is of spans, and adds up where there are log records only.
func TestLedgerOfLogRecordsOnly(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	o, _, log := options()
	logs := config.DefaultLogs()
	logs.Pipelines[0].Exporter.OTLPGRPC.Target, logs.Pipelines[0].Exporter.OTLPGRPC.Insecure = "127.0.0.1:1", true
	o.Config.Logs = &logs
	hurry, second := context.WithCancel(t.Context())
	second()
	o.Hurry = hurry
	ctx, cancel := context.WithCancel(t.Context())
	o.Ready = func() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Error(err)
		}
		cancel()
	}
	if err := Run(ctx, o); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Contains(text, "does not add up") || strings.Count(text, "msg=ledger") != 1 || !strings.Contains(text, " no_exporter=") {
		t.Errorf("want a ledger that adds up, with what no span is sent of:\n%s", text)
	}
}

// brokenAfter is a console that fails after so many lines.
type brokenAfter struct{ lines int }

var errBroken = errors.New("broken")

func (b *brokenAfter) Write(p []byte) (int, error) {
	// Lines, not writes: those that wait together are written together.
	if b.lines -= bytes.Count(p, []byte{'\n'}); b.lines < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestRunEndsWhenTheConsoleFails(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	for name, console := range map[string]io.Writer{"at once": &brokenAfter{0}, "later": &brokenAfter{2}} {
		t.Run(name, func(t *testing.T) {
			o, _, _ := options()
			o.Console = console
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			o.Ready = func() {
				for range 3 {
					if err := exec.Command("/bin/true").Run(); err != nil {
						t.Error(err)
					}
				}
			}
			err := Run(ctx, o)
			if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "write the live table") {
				t.Errorf("got %v, want that the table could not be written", err)
			}
			if ctx.Err() != nil {
				t.Error("it went on all the same")
			}
		})
	}
}

func TestHurryCutsTheFlushShort(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	o, log := unreachable()
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	o.Hurry = hurry
	ending := filepath.Join(t.TempDir(), "ending")
	code, err := Exec(o, command.Command{Path: "/bin/sh", Args: []string{"sh", "-c", `: >"$0"; exit 3`, ending}})
	if err != nil || code != 3 {
		t.Errorf("got %d, %v; want 3", code, err)
	}
	wrote, err := os.Stat(ending)
	if err != nil {
		t.Fatal(err)
	}
	// The whole flush takes that long, and comes after the end of the command.
	if took := time.Since(wrote.ModTime()); took >= flushWithin {
		t.Errorf("it took %s from the end of the command", took)
	}
	if !strings.Contains(log.String(), "reason=shutdown spans=1") {
		t.Errorf("what was lost is not counted in\n%s", log)
	}
}

func TestExecOfWhatCannotStart(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	for path, want := range map[string]int{"/no/such/file": 127, "/etc/passwd": 126, "/etc": 126} {
		o, console, _ := options()
		_, err := Exec(o, command.Command{Path: path, Args: []string{path}})
		var start *command.StartError
		if !errors.As(err, &start) || start.Code != want {
			t.Errorf("%s: got %v, want a StartError of code %d", path, err, want)
		}
		if console.String() != "" {
			t.Errorf("%s: nothing ran, and this was shown:\n%s", path, console)
		}
	}
}

func TestDiagnose(t *testing.T) {
	needRoot(t)
	defer noleak.Verify(t)
	o, _ := unreachable()
	seen := make(map[string]bool)
	for _, f := range Diagnose(o) {
		seen[f.What] = true
		if (f.Found == "") == (f.Err == nil) {
			t.Errorf("%s: found %q, error %v; want one of them", f.What, f.Found, f.Err)
		}
		if f.Err != nil && f.Fatal {
			t.Errorf("%s: the agent could not run: %v", f.What, f.Err)
		}
		if f.What == "exporter" && (f.Err == nil || !strings.Contains(f.Err.Error(), "127.0.0.1:1")) {
			t.Errorf("exporter: got %v, want that 127.0.0.1:1 does not answer", f.Err)
		}
	}
	for _, what := range []string{"kernel", "privileges", "BPF programs", "running processes", "observation", "pid namespace", "exporter"} {
		if !seen[what] {
			t.Errorf("nothing about %s", what)
		}
	}

	// What makes the exporter impossible is fatal.
	o.Config.Traces.Pipelines[0].Exporter.OTLPGRPC.Insecure = false
	o.Config.Traces.Pipelines[0].Exporter.OTLPGRPC.TLS.CAFile = "/no/such/file"
	findings := Diagnose(o)
	if f := findings[len(findings)-1]; f.What != "exporter" || f.Err == nil || !f.Fatal {
		t.Errorf("a missing file of authorities: got %+v", f)
	}
}
