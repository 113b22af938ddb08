//go:build guest

package scenario

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of this file do to the machine what only a virtual one of their own
// may suffer. They have the build tag guest, and run by make test-kernels.

// await returns the span of a process that has ended.
func (o *observer) await(t *testing.T, pid int) Span {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	s, err := o.sink.Await(ctx, pid, func(Span) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The wall clock steps while processes run: a span keeps the start it had, its
// length is the true one, and what starts afterwards has the new time, within
// the second in which the agent looks at the clock.
func TestClockStep(t *testing.T) {
	o := observe(t)
	wall, boot := unixTime(t, unix.CLOCK_REALTIME), unixTime(t, unix.CLOCK_BOOTTIME)
	t.Cleanup(func() { setClock(t, wall+unixTime(t, unix.CLOCK_BOOTTIME)-boot) })
	for _, step := range []time.Duration{time.Hour, -2 * time.Hour} {
		cmd := role(o.exe, "idle")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		begin, before := unixTime(t, unix.CLOCK_BOOTTIME), unixTime(t, unix.CLOCK_REALTIME)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		setClock(t, unixTime(t, unix.CLOCK_REALTIME)+step)
		stdin.Close()
		_ = cmd.Wait() // exits with 3
		longest := unixTime(t, unix.CLOCK_BOOTTIME) - begin
		s := o.await(t, cmd.Process.Pid)
		started, lasted := time.Duration(s.StartTimeUnixNano), time.Duration(s.EndTimeUnixNano-s.StartTimeUnixNano)
		if started < before-time.Millisecond || started > before+longest {
			t.Errorf("a step of %s: the process started %s after it was forked", step, started-before)
		}
		if lasted <= 0 || lasted > longest {
			t.Errorf("a step of %s: the process lasted %s, want more than 0 and at most %s", step, lasted, longest)
		}
		o.awaitNewTime(t, step)
	}
}

// awaitNewTime starts processes until one has the time that the clock shows.
func (o *observer) awaitNewTime(t *testing.T, step time.Duration) {
	t.Helper()
	for giveUp := time.Now().Add(deadline); time.Now().Before(giveUp); {
		cmd := role(o.exe, "nest 0")
		before := unixTime(t, unix.CLOCK_REALTIME)
		_ = cmd.Run() // exits with 5
		after := unixTime(t, unix.CLOCK_REALTIME)
		started := time.Duration(o.await(t, cmd.Process.Pid).StartTimeUnixNano)
		if started >= before-time.Second && started <= after+time.Second {
			return
		}
	}
	t.Errorf("a step of %s: no process has the new time", step)
}

// unixTime reads a clock.
func unixTime(t *testing.T, clock int32) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

func setClock(t *testing.T, wall time.Duration) {
	t.Helper()
	ts := unix.NsecToTimespec(int64(wall))
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		t.Fatal(err)
	}
}

// Arguments and environment of 2 MiB, as much as the kernel takes, with what a
// terminal or a decoder may trip over in them.
func TestTwoMebibytes(t *testing.T) {
	o := observeApart(t)
	const each, n = 100 << 10, 9
	nasty := strings.Repeat("\x1b[2J\xff\n", each/6)
	var args []string
	for range n {
		args = append(args, nasty)
	}
	cmd := role(o.exe, "nest 0", args...)
	for i := range n {
		cmd.Env = append(cmd.Env, "NASTY"+strconv.Itoa(i)+"="+nasty)
	}
	_ = cmd.Run() // exits with 5
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Fatalf("exit code %d, want 5", code)
	}
	s := o.await(t, cmd.Process.Pid)
	if got := s.Attr("process.args_count"); got != int64(n+1) {
		t.Errorf("process.args_count is %v, want %d", got, n+1)
	}
	if got := s.Attr("procspan.args.truncated"); got != true {
		t.Errorf("procspan.args.truncated is %v, want true", got)
	}
	if got := s.Attr("process.exit.code"); got != int64(5) {
		t.Errorf("process.exit.code is %v, want 5", got)
	}
}

// Ten thousand threads that end at once are one process that ends.
func TestTenThousandThreads(t *testing.T) {
	for file, value := range map[string]string{"pid_max": "40000", "threads-max": "40000"} {
		path := "/proc/sys/kernel/" + file
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, value)
		t.Cleanup(func() { write(t, path, string(before)) })
	}
	o := observeApart(t)
	cmd := role(o.exe, "threads 10000")
	cmd.Stderr = t.Output()
	_ = cmd.Run() // exits with 6
	if code := cmd.ProcessState.ExitCode(); code != 6 {
		t.Fatalf("exit code %d, want 6", code)
	}
	o.await(t, cmd.Process.Pid)
	o.settle(t)
	spans := o.sink.OfPID(cmd.Process.Pid)
	if len(spans) != 1 || spans[0].Attr("process.exit.code") != int64(6) {
		t.Errorf("its spans are %v, want one with exit code 6", spans)
	}
}

// What a process makes of its own arguments later does not change what it was
// started with.
func TestRewrittenArguments(t *testing.T) {
	o := observe(t)
	cmd := role(o.exe, "rewrite", "true")
	_ = cmd.Run() // exits with 7
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Fatalf("exit code %d, want 7", code)
	}
	got, _ := o.await(t, cmd.Process.Pid).Attr("process.command_args").([]string)
	if want := []string{o.exe, "true"}; !slices.Equal(got, want) {
		t.Errorf("process.command_args is %q, want %q", got, want)
	}
}

// Pid namespaces nested five deep: the spans nest as the processes do, by their
// pids in the initial one.
func TestNestedPidNamespaces(t *testing.T) {
	o := observe(t)
	cmd := role(o.exe, "nest 5")
	_ = cmd.Run() // exits with 5
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Fatalf("exit code %d, want 5", code)
	}
	top := o.await(t, cmd.Process.Pid)
	tree := o.sink.OfTrace(top.Trace())
	if len(tree) != 6 {
		t.Fatalf("the trace has %d spans, want 6", len(tree))
	}
	children, pids := make(map[string]Span), make(map[int]bool)
	for _, s := range tree {
		children[s.Parent()] = s
		pids[s.PID] = true
		if got := s.Attr("process.exit.code"); got != int64(5) {
			t.Errorf("process.exit.code is %v, want 5", got)
		}
	}
	depth := 0
	for s, ok := top, true; ok; s, ok = children[s.ID()] {
		if depth++; depth > 6 {
			break
		}
	}
	if depth != 6 || len(pids) != 6 {
		t.Errorf("the spans nest %d deep and have %d pids, want 6 and 6", depth, len(pids))
	}
}

// A fork bomb in a cgroup with a limit of pids: nothing of it is lost, told
// twice or in the way of others.
func TestForkBomb(t *testing.T) {
	o := observeApart(t)
	c := newCgroup(t)
	c.limit(t, 150)
	before := o.sink.Count()
	cmd := role(o.exe, "bomb")
	cmd.Stderr = t.Output()
	c.enter(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for giveUp := time.Now().Add(deadline); !c.full(t); {
		if time.Now().After(giveUp) {
			t.Error("the bomb does not fill its cgroup")
			break
		}
	}
	o.settle(t) // while it rages
	c.kill(t)
	_ = cmd.Wait() // killed
	o.settle(t)
	killed := o.await(t, cmd.Process.Pid)
	if got := killed.Attr("procspan.exit.signal"); got != "SIGKILL" {
		t.Errorf("procspan.exit.signal of the first is %v, want SIGKILL", got)
	}
	ids := make(map[string]bool)
	tree := o.sink.OfTrace(killed.Trace())
	for _, s := range tree {
		if ids[s.ID()] {
			t.Errorf("pid %d has its span twice", s.PID)
		}
		ids[s.ID()] = true
	}
	if len(tree) < 10 || len(tree) > o.sink.Count()-before {
		t.Errorf("the bomb has %d spans of %d, want all of its processes", len(tree), o.sink.Count()-before)
	}
}
