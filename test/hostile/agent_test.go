package hostile

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/test/scenario"
	"github.com/procspan/procspan/test/syncbuffer"
)

const (
	agentID = 65533
	// startTime is within what the agent has to observe, however busy the machine.
	startTime = 30 * time.Second
	// stopTime is its unit's TimeoutStopSec.
	stopTime = 15 * time.Second
)

// agent is one that runs as its unit says.
type agent struct {
	t       *testing.T
	dir     string
	cmd     *exec.Cmd
	log     syncbuffer.Buffer
	sink    *scenario.Sink
	exited  chan struct{}
	stopped bool
	// mostMemory is what it may need at most, a part of its unit's MemoryMax.
	mostMemory int
}

// startAgent starts the agent, and returns when it observes. options is YAML below
// distribution.procspan, rest is more at the top.
func startAgent(t *testing.T, dir, options, rest string) *agent {
	t.Helper()
	sink, err := scenario.NewSink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	a := &agent{t: t, dir: dir, sink: sink, exited: make(chan struct{}), mostMemory: 300 << 20}
	put(t, filepath.Join(dir, "procspan.yaml"), fmt.Sprintf(`file_format: "1.0"
tracer_provider: {processors: [{batch: {schedule_delay: 50, exporter: {otlp_grpc: {endpoint: "http://%s"}}}}]}
distribution: {procspan: {%s}}
%s`, sink.Target(), options, rest), 0o644)
	unit := readUnit(t)
	// prlimit sets its own limits: those of another process need a capability that
	// root of a container may lack.
	a.cmd = exec.Command("prlimit", "--core=0:0", fmt.Sprintf("--nofile=%[1]d:%[1]d", unit.files), "--",
		filepath.Join(dir, "procspan"), "run", "--config", filepath.Join(dir, "procspan.yaml"))
	a.cmd.Dir, a.cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	a.cmd.Stdout, a.cmd.Stderr = &a.log, &a.log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: agentID, Gid: agentID},
		AmbientCaps: unit.capabilities,
		Pdeathsig:   syscall.SIGKILL,
	}
	begin := time.Now()
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, a.cmd.Process.Pid, unit.nice); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = a.cmd.Wait() // as stop sees
		close(a.exited)
	}()
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Logf("the agent's log:\n%s", a.log.String())
		}
	})
	a.await("msg=observing", startTime)
	t.Logf("observing after %s, with %d KiB", time.Since(begin).Round(time.Millisecond), a.memory()>>10)
	return a
}

// await returns when the agent has logged a text.
func (a *agent) await(text string, most time.Duration) {
	a.t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for giveUp := time.After(most); !strings.Contains(a.log.String(), text); {
		select {
		case <-a.exited:
			a.t.Fatalf("the agent has ended: %v", a.cmd.ProcessState)
		case <-giveUp:
			a.t.Fatalf("the agent does not say %q in %s", text, most)
		case <-every.C:
		}
	}
}

// memory is the most that the agent has had resident, in bytes.
func (a *agent) memory() int {
	a.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		a.t.Fatalf("there is no VmHWM: the agent has ended")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		a.t.Fatal(err)
	}
	return n << 10
}

// check holds that the agent still observes and delivers, has used little memory,
// and ends when it is asked to.
func (a *agent) check() {
	a.t.Helper()
	a.span(exec.Command("/bin/true", "still there"))
	if got := a.memory(); got > a.mostMemory {
		a.t.Errorf("the agent has used %d MiB, want %d at most", got>>20, a.mostMemory>>20)
	}
	if status := a.stop(); status != "exit status 0" {
		a.t.Errorf("the agent ends with %s", status)
	}
}

// span runs a command to its end, and returns its span.
func (a *agent) span(cmd *exec.Cmd) scenario.Span {
	a.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return a.spanOf(cmd.Process.Pid)
}

// spanOf waits for the span of a process that has ended.
func (a *agent) spanOf(pid int) scenario.Span {
	a.t.Helper()
	timeout := time.AfterFunc(deadline, a.sink.Close)
	defer timeout.Stop()
	span, err := a.sink.Await(a.t.Context(), pid, func(scenario.Span) bool { return true })
	if err != nil {
		a.t.Fatal(err)
	}
	return span
}

// stop ends the agent by SIGTERM, and returns how it ended.
func (a *agent) stop() string {
	if !a.stopped {
		a.stopped = true
		_ = a.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-a.exited:
		return a.cmd.ProcessState.String()
	case <-time.After(stopTime):
		_ = a.cmd.Process.Kill()
		<-a.exited
		return "SIGKILL: SIGTERM did not end it in " + stopTime.String()
	}
}

// unit is what these tests take from the agent's unit.
type unit struct {
	capabilities []uintptr
	files        uint64
	nice         int
}

func readUnit(t *testing.T) (u unit) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/procspan.service")
	if err != nil {
		t.Fatal(err)
	}
	value := func(key string) string {
		_, after, found := bytes.Cut(text, []byte("\n"+key+"="))
		line, _, _ := bytes.Cut(after, []byte("\n"))
		if !found {
			t.Fatalf("the unit has no %s", key)
		}
		return string(line)
	}
	numbers := map[string]uintptr{
		"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON,
		"CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
	}
	for _, name := range strings.Fields(value("AmbientCapabilities")) {
		number, known := numbers[name]
		if !known {
			t.Fatalf("the unit has %s, which this test does not know", name)
		}
		u.capabilities = append(u.capabilities, number)
	}
	if u.files, err = strconv.ParseUint(value("LimitNOFILE"), 10, 64); err != nil {
		t.Fatal(err)
	}
	if u.nice, err = strconv.Atoi(value("Nice")); err != nil {
		t.Fatal(err)
	}
	return u
}
