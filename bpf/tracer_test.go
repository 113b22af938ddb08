package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/procspan/procspan/process"
)

// whole adds to options what all tests have.
func whole(o Options) Options {
	if o.RingSize == 0 {
		o.RingSize = 4 << 20
	}
	o.ArgsMaxBytes, o.WorkingDirectory = 4096, true
	return o
}

// tracer opens a tracer, or skips where this machine cannot have one, which fails in CI.
func tracer(t *testing.T, o Options) *Tracer {
	t.Helper()
	tr, err := Open(whole(o))
	skipUnsupported(t, err)
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func skipUnsupported(t *testing.T, err error) {
	t.Helper()
	var unsupported *Error
	var refused *ebpf.VerifierError // a bug, wherever it happens
	if errors.As(err, &unsupported) && !errors.As(err, &refused) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rest reads all records in the ring.
func rest(t *testing.T, tr *Tracer) []process.Event {
	t.Helper()
	var all []process.Event
	for {
		var ev process.Event
		err := tr.Read(time.Now(), &ev)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ev)
	}
}

func lost(t *testing.T, tr *Tracer, reason string) uint64 {
	t.Helper()
	losses, err := tr.Losses()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range losses {
		if l.Reason == reason {
			return l.Count
		}
	}
	t.Fatalf("no loss is called %q", reason)
	return 0
}

// of returns the events of one pid.
func of(events []process.Event, pid int) []process.Event {
	var found []process.Event
	for _, ev := range events {
		if ev.ID.PID == uint32(pid) {
			found = append(found, ev)
		}
	}
	return found
}

func TestEvents(t *testing.T) {
	tr := tracer(t, Options{})
	cmd := self("exit 3")
	cmd.Dir = "/"
	_ = cmd.Run() // exits with 3
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.ProcessState.Pid()
	got := of(rest(t, tr), pid)
	if len(got) != 3 || got[0].Kind != process.Fork || got[1].Kind != process.Exec || got[2].Kind != process.Exit {
		t.Fatalf("events of pid %d: %+v, want fork, exec, exit", pid, got)
	}
	fork, run, exit := got[0], got[1], got[2]
	if fork.ID != run.ID || run.ID != exit.ID {
		t.Errorf("ids differ: %v, %v, %v", fork.ID, run.ID, exit.ID)
	}
	if fork.ID.Start > fork.At || fork.At > run.At || run.At > exit.At {
		t.Errorf("times are not in order: start %d, fork %d, exec %d, exit %d", fork.ID.Start, fork.At, run.At, exit.At)
	}
	for _, ev := range got {
		if ev.Parent.PID != uint32(os.Getpid()) {
			t.Errorf("parent of the %v is %d, want %d", ev.Kind, ev.Parent.PID, os.Getpid())
		}
	}
	executable, err := filepath.EvalSymlinks(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	want := process.Image{
		Filename: cmd.Path, Executable: executable, WorkingDirectory: "/",
		Args: cmd.Path + "\x00be\x00exit 3\x00", ArgsCount: 3,
	}
	if run.Image != want {
		t.Errorf("image is\n%+v, want\n%+v", run.Image, want)
	}
	if run.ExecID != fork.ExecID+1 || exit.ExecID != run.ExecID {
		t.Errorf("exec ids are %d, %d, %d, want n, n+1, n+1", fork.ExecID, run.ExecID, exit.ExecID)
	}
	if !run.FirstExec || !exit.Execed || exit.Status != 3<<8 {
		t.Errorf("first exec %t, execed %t, status %#x; want true, true, 0x300", run.FirstExec, exit.Execed, int(exit.Status))
	}
}

func TestOnlyDescendants(t *testing.T) {
	// Started before, so its children are no descendants of followed forks.
	stranger := self("late parent")
	in, err := stranger.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	tr := tracer(t, Options{OnlyDescendants: true})
	if _, err := in.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	_ = self("parent").Run() // exits with 3
	in.Close()
	if err := stranger.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	events := rest(t, tr)
	execs := map[string]int{}
	for _, ev := range events {
		if ev.Kind == process.Exec {
			_, what, _ := strings.Cut(ev.Image.Args, "\x00be\x00")
			execs[what]++
		}
		if ev.Parent.PID == uint32(stranger.Process.Pid) || ev.ID.PID == uint32(stranger.Process.Pid) {
			t.Errorf("a stranger's event came: %+v", ev)
		}
	}
	if execs["parent\x00"] != 1 || execs["exit 0\x00"] != 1 || len(execs) != 2 {
		t.Errorf("execs %v, want the parent and its exit 0 once each", execs)
	}
	// Only this process is left in the map followed.
	var pid uint32
	var value uint8
	entries := tr.objects.Followed.Iterate()
	for entries.Next(&pid, &value) {
		if pid != uint32(os.Getpid()) {
			t.Errorf("pid %d is still followed", pid)
		}
	}
}

func TestRunning(t *testing.T) {
	tr := tracer(t, Options{})
	child := self("idle")
	in := ready(t, child)
	defer func() {
		in.Close()
		_ = child.Wait()
	}()
	listed, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	all, err := tr.Running()
	if err != nil {
		t.Fatal(err)
	}
	living := map[uint32]process.Living{}
	for _, p := range all {
		living[p.ID.PID] = p
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	exited := map[uint32]bool{}
	for _, ev := range rest(t, tr) {
		exited[ev.ID.PID] = exited[ev.ID.PID] || ev.Kind == process.Exit
		if ev.ID.PID == uint32(child.Process.Pid) && living[ev.ID.PID].ID != ev.ID {
			t.Errorf("the list has %v, the events have %v", living[ev.ID.PID].ID, ev.ID)
		}
	}
	for _, entry := range listed {
		pid, err := strconv.ParseUint(entry.Name(), 10, 32)
		if err != nil || pid == 1 { // see Living
			continue
		}
		if _, ok := living[uint32(pid)]; !ok && !exited[uint32(pid)] && !zombie(pid) {
			t.Errorf("pid %d is in /proc, but neither in the list nor did it exit", pid)
		}
	}
	got := living[uint32(child.Process.Pid)]
	if !got.Execed || got.KernelThread || got.Parent.PID != uint32(os.Getpid()) {
		t.Errorf("the child is %+v, want an execed child of pid %d", got, os.Getpid())
	}
	if p := living[2]; !p.KernelThread || p.Execed {
		t.Errorf("pid 2 is %+v, want a kernel thread", p)
	}
}

// zombie reports whether the process has ended, at the latest now.
func zombie(pid uint64) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// Without a reader events are lost, and the counters say exactly how many of each
// kind.
func TestLossesAreCounted(t *testing.T) {
	tr := tracer(t, Options{RingSize: os.Getpagesize(), OnlyDescendants: true})
	const processes = 50
	for range processes {
		if err := self("exit 0").Run(); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	read := map[process.Kind]uint64{}
	for _, ev := range rest(t, tr) {
		read[ev.Kind]++
	}
	for kind, reason := range map[process.Kind]string{
		process.Exec: "exec: ring buffer full",
		process.Exit: "exit: ring buffer full",
		process.Fork: "fork: ring buffer full",
	} {
		n := lost(t, tr, reason)
		// Go's runtime forks once more, to see whether pidfds work.
		if total := read[kind] + n; n == 0 || total < processes || total > processes+1 {
			t.Errorf("%v: %d read and %d lost of %d", kind, read[kind], n, processes)
		}
	}
}

// Every process ends once, however many of its threads exit at the same time, also
// without group_dead.
func TestOneExitPerProcess(t *testing.T) {
	for _, groupDead := range []bool{true, false} {
		t.Run(fmt.Sprintf("group_dead=%t", groupDead), func(t *testing.T) {
			has, err := probe()
			skipUnsupported(t, err)
			if groupDead && !has.groupDead {
				t.Skip("this kernel's exit tracepoint has no group_dead")
			}
			has.groupDead = groupDead
			tr, err := open(Options{RingSize: 4 << 20, OnlyDescendants: true}, has)
			skipUnsupported(t, err)
			defer tr.Close()
			processes := 200
			if *emulated {
				processes = 20 // half a second each; test/scenario has 500 that are faster
			}
			want := map[uint32]bool{}
			for range processes {
				cmd := self("race to exit")
				_ = cmd.Run() // exits with 5
				if code := cmd.ProcessState.ExitCode(); code != 5 {
					t.Fatalf("exit code %d, want 5", code)
				}
				want[uint32(cmd.ProcessState.Pid())] = true
			}
			if err := tr.Detach(); err != nil {
				t.Fatal(err)
			}
			exits := map[process.ID]int{}
			for _, ev := range rest(t, tr) {
				if ev.Kind != process.Exit || !want[ev.ID.PID] {
					continue
				}
				exits[ev.ID]++
				if exits[ev.ID] > 1 {
					t.Errorf("%v ended %d times", ev.ID, exits[ev.ID])
				}
				if ev.Status.ExitCode() != 5 {
					t.Errorf("%v ended with %d, want 5", ev.ID, ev.Status.ExitCode())
				}
			}
			if len(exits) != processes {
				t.Errorf("%d processes ended, want %d", len(exits), processes)
			}
		})
	}
}

// The programs work without pointer casts.
func TestWithoutCasts(t *testing.T) {
	has, err := probe()
	skipUnsupported(t, err)
	has.rdonlyCast = false
	tr, err := open(Options{RingSize: 4 << 20, OnlyDescendants: true}, has)
	skipUnsupported(t, err)
	defer tr.Close()
	cmd := self("exit 3")
	_ = cmd.Run() // exits with 3
	living, err := tr.Running()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(living, func(p process.Living) bool { return p.ID.PID == uint32(os.Getpid()) && p.Execed }) {
		t.Errorf("pid %d is not among the living: %+v", os.Getpid(), living)
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	var kinds []process.Kind
	for _, ev := range of(rest(t, tr), cmd.ProcessState.Pid()) {
		kinds = append(kinds, ev.Kind)
	}
	if want := []process.Kind{process.Fork, process.Exec, process.Exit}; !slices.Equal(kinds, want) {
		t.Errorf("events of pid %d: %v, want %v", cmd.ProcessState.Pid(), kinds, want)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	_, err := Open(Options{RingSize: 1 << 20, ArgsMaxBytes: maxArgs + 1})
	if err == nil || !strings.Contains(err.Error(), "0 to 32768 bytes (got 32769)") {
		t.Errorf("error %v, want one that names the range", err)
	}
}

func TestCloseTwice(t *testing.T) {
	tr := tracer(t, Options{})
	for range 2 {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
}
