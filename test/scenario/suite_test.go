package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/scenario/raw"
)

func TestMain(m *testing.M) {
	if err := enterCgroup(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if code, handled := Main(os.Args[1:]); handled {
		os.Exit(code)
	}
	if what := os.Getenv(roleVariable); what != "" {
		os.Exit(playRole(what))
	}
	os.Exit(m.Run())
}

// deadline bounds every wait of the tests. It is reached only when something
// is wrong, however busy the machine is.
const deadline = 3 * time.Minute

// need fails the test for an error; for one that says that this machine lacks
// something it skips, but never in CI, which has everything.
func need(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	lacking := errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, os.ErrPermission)
	if lacking && os.Getenv("CI") != "true" {
		t.Skipf("not supported here: %v", err)
	}
	t.Fatal(err)
}

// observer is the agent under test, its sink, and what it logged.
type observer struct {
	sink     *Sink
	exe      string
	sentinel string // a program that ends with sentinelCode
	mu       sync.Mutex
	alarms   []string
	expected string
	counter  int
}

// ownExe returns the file of this test: the scenarios are in it.
func ownExe(t *testing.T) string {
	t.Helper()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func newObserver(t *testing.T) *observer {
	t.Helper()
	sink, err := NewSink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	sentinel := filepath.Join(t.TempDir(), "sentinel")
	if err := os.WriteFile(sentinel, raw.ELF(func(b *raw.Block) { b.ExitGroup(sentinelCode) }), 0o755); err != nil {
		t.Fatal(err)
	}
	return &observer{sink: sink, exe: ownExe(t), sentinel: sentinel}
}

// expect has the test fail unless the agent logs lines that begin so. Without,
// it fails for every line.
func (o *observer) expect(alarm string) { o.expected = alarm }

// harmless are the beginnings of what the agent may log at any time. A connection
// may take long on a busy guest. The others any process of the host may cause:
// nothing is lost by TRACEPARENT, and what is known of the scenarios' own processes is
// compared.
var harmless = []string{
	"WARN export failed, will retry ", "WARN TRACEPARENT ", "WARN cannot read all running processes from /proc;",
	"ERROR lost reason=usage:", "ERROR lost reason=cgroup path:", "ERROR lost reason=TRACESTATE:",
}

// checkAlarms fails the test for what the agent logged, or did not log.
func (o *observer) checkAlarms(t *testing.T) {
	t.Helper()
	missing := o.expected != ""
	for _, line := range o.alarms {
		if o.expected != "" && strings.HasPrefix(line, o.expected) {
			missing = false
			continue
		}
		if !slices.ContainsFunc(harmless, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			t.Errorf("the agent logged: %s", line)
		}
	}
	if missing {
		t.Errorf("the agent did not log: %s", o.expected)
	}
}

// observe runs the agent, its configuration changed by change, until the test
// ends. It fails the test when the agent logs a warning or an error: everything
// lost is logged.
func observe(t *testing.T, change ...func(*config.Config)) *observer {
	t.Helper()
	o := newObserver(t)
	c := agentConfig(o.sink.Target())
	for _, f := range change {
		f(&c)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- agent.Run(ctx, agent.Options{
			Config: c, Version: "test", Log: slog.New(alarm{o, slog.NewTextHandler(io.Discard, nil)}),
			Ready: func() { close(ready) },
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		stop()
		need(t, err)
		t.Fatal("the agent ended before it was ready")
	case <-time.After(deadline):
		t.Fatal("the agent is not ready")
	}
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the agent ended with %v", err)
			}
		case <-time.After(deadline):
			t.Error("the agent does not end")
		}
		o.checkAlarms(t)
	})
	return o
}

func agentConfig(target string) config.Config {
	c := config.Default()
	c.Capture.Forks = process.ForksOff // TestForks has it
	c.Capture.Args, c.Capture.Attributes = config.ArgsFull, []config.AttributeName{"full"}
	c.TracePolicy.MaxSpans, c.TracePolicy.MaxBytes = 1_000_000, 1<<30 // a load is one trace
	traces := config.DefaultTraces()
	traces.Pipelines[0].Exporter.OTLPGRPC.Target = target
	traces.Pipelines[0].Batch.ScheduleDelay = 50 * time.Millisecond
	// A batch that is sent twice is no fault, but would be compared as one.
	traces.Pipelines[0].Batch.ExportTimeout = deadline
	traces.Pipelines[0].Exporter.OTLPGRPC.Timeout = deadline
	c.Traces = &traces
	return c
}

// alarm is a slog handler that keeps what is worse than information.
type alarm struct {
	o *observer
	slog.Handler
}

func (a alarm) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return nil
	}
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(attr slog.Attr) bool {
		line += " " + attr.String()
		return true
	})
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	a.o.alarms = append(a.o.alarms, line)
	return nil
}

func (a alarm) WithAttrs(list []slog.Attr) slog.Handler { return alarm{a.o, a.Handler.WithAttrs(list)} }

// play is a scenario being played by a process of its own.
type play struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	self   Process
	truths chan []Process
}

// start begins a scenario in a new directory.
func start(t *testing.T, exe, name string, args ...string) *play {
	t.Helper()
	// t.TempDir is closed to other users, as the scenario setuid needs it not to be.
	dir, err := os.MkdirTemp("", "scenario-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	report, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &play{name: name, cmd: exec.Command(exe, append([]string{"scenario", name}, args...)...), truths: make(chan []Process, 1)}
	p.cmd.Dir, p.cmd.Stderr, p.cmd.ExtraFiles = dir, t.Output(), []*os.File{write}
	p.stdin, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	begin := now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() {
		defer report.Close()
		var all []Process
		for decoder := json.NewDecoder(report); ; {
			var p Process
			if decoder.Decode(&p) != nil { // the end, or what check will miss
				break
			}
			all = append(all, p)
		}
		p.truths <- all
	}()
	p.self = Process{
		PID: p.cmd.Process.Pid, ParentPID: os.Getpid(), Executable: exe, Directory: dir,
		Created: Moment{NotBefore: begin, NotAfter: now()}, Started: Moment{NotBefore: begin},
	}
	for _, arg := range p.cmd.Args {
		p.self.Args = append(p.self.Args, []byte(arg))
	}
	return p
}

// finish lets the scenario come to its end and returns the truth.
func (p *play) finish(t *testing.T) []Process {
	t.Helper()
	p.stdin.Close()
	kill := time.AfterFunc(limit+deadline, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	truths := <-p.truths
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("scenario %s: %v", p.name, err)
	}
	end := now()
	for i := range truths {
		if truths[i].Label != "scenario" {
			continue
		}
		self := p.self
		self.Label, self.Older, self.Shown = "scenario", truths[i].Older, truths[i].Shown
		self.Started.NotAfter = truths[i].Started.NotAfter
		self.Ended = Moment{truths[i].Ended.NotBefore, end}
		truths[i] = self
		return truths
	}
	t.Fatalf("scenario %s did not report itself", p.name)
	return nil
}

// play plays a scenario from begin to end.
func (o *observer) play(t *testing.T, name string, args ...string) []Process {
	t.Helper()
	return start(t, o.exe, name, args...).finish(t)
}

const sentinelCode = 4

// settle returns when the sink has every span of the processes that have ended:
// spans keep the order of the ends, so that of a later process tells. That one
// fails, because there are configurations under which the others get no span.
func (o *observer) settle(t *testing.T) {
	t.Helper()
	o.counter++
	mark := strconv.Itoa(o.counter)
	cmd := exec.Command(o.sentinel, mark)
	cmd.Stderr = t.Output()
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != sentinelCode {
		t.Fatalf("the sentinel ended with %d, want %d", code, sentinelCode)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if _, err := o.sink.Await(ctx, cmd.Process.Pid, func(s Span) bool {
		args, _ := s.Attr("process.command_args").([]string)
		return slices.Equal(args, []string{o.sentinel, mark})
	}); err != nil {
		t.Fatalf("wait for the sentinel: %v", err)
	}
}
