package bpf

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/scenario/raw"
)

// forked runs body in a child made by a fork, or one of the other clones, and waits
// for it.
func forked(t *testing.T, clone uintptr, body func(*raw.Block, raw.Cell)) (pid int) {
	t.Helper()
	shared, err := raw.Share()
	must(t, err)
	defer func() { must(t, shared.Close()) }()
	b, err := raw.New(64 << 10)
	must(t, err)
	defer func() { must(t, b.Free()) }()
	cells := shared.Cells(4)
	b.Clone(cells, clone, func(child *raw.Block) { body(child, cells.At(2)) })
	b.Wait(cells, cells.At(1))
	b.Run()
	return int(cells.Get())
}

// What a process uses before its first exec stands in the exec, and the exit has it
// as well. The peak RSS of the image alone stands in the exit, where the kernel
// still has it.
func TestUsageBeforeExec(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	defer null.Close()
	const wrote = 3 << 20
	write := func(b *raw.Block) {
		for range 3 {
			b.Must("write", unix.SYS_WRITE, raw.N(null.Fd()), b.Bytes("x"), raw.N(wrote/3))
		}
	}
	exec := func(b *raw.Block) { b.Exec(exiter(t), []string{"exiter"}, nil) }
	for _, tc := range []struct {
		name  string
		clone uintptr
		body  func(*raw.Block, raw.Cell)
	}{
		{"fork", raw.Fork, func(b *raw.Block, _ raw.Cell) { write(b); exec(b) }},
		{"vfork", raw.Vfork, func(b *raw.Block, _ raw.Cell) { write(b); exec(b) }},
		{"exec by a thread", raw.Fork, func(b *raw.Block, tid raw.Cell) {
			b.Thread(tid, func(b *raw.Block) { write(b); exec(b) })
			b.Nap(60_000)
		}},
		{"after a thread", raw.Fork, func(b *raw.Block, tid raw.Cell) {
			b.Thread(tid, func(b *raw.Block) { write(b); b.Open(tid.At(1)); b.Exit(0) })
			b.Await(tid.At(1))
			exec(b)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pid := forked(t, tc.clone, tc.body)
			var before, whole process.Usage
			for _, ev := range of(rest(t, tr), pid) {
				switch ev.Kind {
				case process.Exec:
					before = ev.Usage
				case process.Exit:
					whole = ev.Usage
				}
			}
			own := whole.Since(before)
			if before.WriteChars < wrote || before.WriteChars > wrote+1024 || own.WriteChars > 1024 {
				t.Errorf("%d characters written before the exec and %d after, want %d and none", before.WriteChars, own.WriteChars, wrote)
			}
			if before.MinorFaults == 0 {
				t.Errorf("used before the exec: %+v, want faults", before)
			}
			// The program is one page of code; this binary, many MiB.
			if own.MinorFaults > 50 || own.MinorFaults == 0 {
				t.Errorf("%d faults after the exec, want 1 to 50", own.MinorFaults)
			}
			if own.UserTime+own.SystemTime > 50*time.Millisecond && !*emulated {
				t.Errorf("%v of CPU after the exec, want less than 50 ms", own.UserTime+own.SystemTime)
			}
			if own.PeakRSS > 1<<20 { // it may not be known
				t.Errorf("peak RSS %d after %d before, want less than 1 MiB", own.PeakRSS, before.PeakRSS)
			}
		})
	}
}

// The CPU time before an exec stands in the exec.
func TestCPUTimeBeforeExec(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	cmd := self("burn and exec")
	out, err := cmd.Output()
	must(t, err)
	shown, err := strconv.ParseInt(string(out), 10, 64)
	must(t, err)
	must(t, tr.Detach())
	var before process.Usage
	for _, ev := range of(rest(t, tr), cmd.Process.Pid) {
		if ev.Kind == process.Exec {
			before = ev.Usage
		}
	}
	// What runs between its look and the exec is a few system calls.
	const tick = 10 * time.Millisecond
	cpu, own := before.UserTime+before.SystemTime, time.Duration(shown)
	if own <= 0 || cpu < own-tick || cpu > own+own/2+tick && !*emulated {
		t.Errorf("%v of CPU before the last exec, and the program itself saw %v just before", cpu, own)
	}
}

// A child of a large process does not get its parent's peak RSS.
func TestPeakRSSBeforeExec(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	has, err := probe()
	skipUnsupported(t, err)
	const large = 64 << 20
	memory := touch(large)
	defer func() { must(t, unix.Munmap(memory)) }()
	path, err := os.Executable()
	must(t, err)
	for name, clone := range map[string]uintptr{"fork": raw.Fork, "vfork": raw.Vfork} {
		pid := forked(t, clone, func(b *raw.Block, _ raw.Cell) { b.Exec(path, []string{path, "be", "exit 0"}, nil) })
		var before, whole process.Usage
		for _, ev := range of(rest(t, tr), pid) {
			switch ev.Kind {
			case process.Exec:
				before = ev.Usage
			case process.Exit:
				whole = ev.Usage
			}
		}
		if before.PeakRSS < large {
			t.Errorf("%s: peak RSS before the exec is %d, want %d or more", name, before.PeakRSS, large)
		}
		peak := whole.Since(before).PeakRSS
		if has.groupDead && (peak < 1<<20 || peak >= large) || !has.groupDead && peak != 0 {
			t.Errorf("%s: peak RSS %d after %d before, want its own if the exit comes before exit_mm (%t)", name, peak, before.PeakRSS, has.groupDead)
		}
	}
}

// The peak RSS of the image alone is what /proc shows.
func TestImagePeakRSS(t *testing.T) {
	has, err := probe()
	skipUnsupported(t, err)
	tr := tracer(t, Options{OnlyDescendants: true})
	cmd := self("peak")
	out, err := cmd.Output()
	must(t, err)
	shown, err := strconv.ParseUint(string(out), 10, 64)
	must(t, err)
	got := exitOf(t, tr, cmd.Process.Pid).Usage.ImagePeakRSS
	if !has.groupDead {
		if got != 0 {
			t.Errorf("%d bytes, want none: the memory is gone at the exit", got)
		}
		return
	}
	// /proc rounds; what the process does after it looked adds some.
	if got+1<<20 < shown || got > shown+4<<20 || got < touched {
		t.Errorf("%d bytes, /proc shows %d", got, shown)
	}
}

// peak touches memory, gives it back, and says how much was resident at most.
func peak() {
	touch(touched)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		os.Exit(4)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		os.Exit(4)
	}
	fmt.Print(kib << 10)
}

// The time that threads waited for a CPU is what /proc shows of each, and what they
// wait after it was read: on a busy machine that may be long, but not each time.
func TestRunDelay(t *testing.T) {
	var got, shown time.Duration
	tr := tracer(t, Options{OnlyDescendants: true})
	for range 10 {
		cmd := self("contend")
		out, err := cmd.Output()
		must(t, err)
		shown, err = time.ParseDuration(string(out))
		must(t, err)
		usage := exitOf(t, tr, cmd.Process.Pid).Usage
		if _, err := os.Stat("/proc/self/schedstat"); usage.RunDelayKnown != (err == nil) {
			t.Fatalf("known: %t, but /proc/self/schedstat: %v", usage.RunDelayKnown, err)
		}
		if got = usage.RunDelay; got < shown {
			t.Fatalf("waited %v for a CPU, the threads say %v", got, shown)
		}
		if got <= shown*5/4+20*time.Millisecond {
			return
		}
	}
	t.Errorf("waited %v for a CPU, the threads say %v", got, shown)
}

// contend computes in four threads on one CPU, says how long all threads of the process
// have waited for one, and lets the four end.
func contend() {
	runtime.GOMAXPROCS(8)
	var one unix.CPUSet
	if unix.SchedGetaffinity(0, &one) != nil {
		os.Exit(4)
	}
	for cpu := range 1024 {
		if one.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
			break
		}
	}
	var computed, end sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		computed.Add(1)
		end.Go(func() {
			runtime.LockOSThread() // and it ends with the goroutine
			// So that others on this machine add next to nothing.
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20)
			if unix.SchedSetaffinity(0, &one) != nil {
				os.Exit(4)
			}
			burn(50 * time.Millisecond)
			computed.Done()
			<-over
		})
	}
	computed.Wait()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		os.Exit(4)
	}
	var sum time.Duration
	for _, thread := range threads {
		schedstat, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/schedstat")
		if err == nil { // ran, waited, times
			n, _ := strconv.ParseInt(strings.Fields(string(schedstat))[1], 10, 64)
			sum += time.Duration(n)
		}
	}
	fmt.Print(sum)
	close(over)
	end.Wait()
}

// Whether the parent is blocked in a wait call when a process ends.
func TestParentWaiting(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	waited := self("exit 0")
	must(t, waited.Run())
	read := self("idle")
	out, err := read.StdoutPipe()
	must(t, err)
	in, err := read.StdinPipe()
	must(t, err)
	must(t, read.Start())
	_, err = out.Read(make([]byte, 1)) // it runs
	must(t, err)
	in.Close()
	_, _ = out.Read(make([]byte, 1)) // it ends: files are closed after the tracepoint
	_ = read.Wait()
	must(t, tr.Detach())
	all := rest(t, tr)
	for pid, want := range map[int]process.Answer{waited.Process.Pid: process.Yes, read.Process.Pid: process.No} {
		i := slices.IndexFunc(all, func(ev process.Event) bool { return ev.Kind == process.Exit && ev.ID.PID == uint32(pid) })
		if i < 0 || all[i].ParentWaiting != want {
			t.Errorf("pid %d: %+v, want an exit with %v", pid, all, want)
		}
	}
}

// A process that never executes a program shows at its exit what others show at
// their exec.
func TestForkedExit(t *testing.T) {
	own := groupsNow(t, os.Getpid())
	tr := tracer(t, Options{OnlyDescendants: true})
	pid := forked(t, raw.Fork, func(b *raw.Block, _ raw.Cell) {
		b.Must("setsid", unix.SYS_SETSID)
		b.Must("setresgid", unix.SYS_SETRESGID, raw.N(5678), raw.N(5678), raw.N(5678))
		b.Must("setresuid", unix.SYS_SETRESUID, raw.N(1234), raw.N(1234), raw.N(1234))
		b.ExitGroup(9)
	})
	got := exitOf(t, tr, pid)
	groups := process.Groups{Session: uint32(pid), Group: uint32(pid), Cgroup: own.Cgroup}
	credentials := process.Credentials{
		RealUser: 1234, EffectiveUser: 1234, SavedUser: 1234,
		RealGroup: 5678, EffectiveGroup: 5678, SavedGroup: 5678,
	}
	if got.Execed || got.Status.ExitCode() != 9 || got.Comm == "" {
		t.Errorf("got %+v, want exit 9 without an exec", got)
	}
	if got.Groups != groups || got.Credentials != credentials || got.VPID != uint32(pid) {
		t.Errorf("%+v, %+v, pid %d; want %+v, %+v, %d", got.Groups, got.Credentials, got.VPID, groups, credentials, pid)
	}
	if got.Usage.UserTime+got.Usage.SystemTime == 0 {
		t.Errorf("usage %+v, want CPU time since the fork", got.Usage)
	}
}
