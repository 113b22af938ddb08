package bpf

import (
	"flag"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/scenario/raw"
)

// emulated: a CPU may stall at any time, which the kernel and the programs count as
// CPU time, each at other moments, so CPU times cannot be compared.
var emulated = flag.Bool("emulated", false, "this machine is emulated")

// The usage in an exit equals that of wait4, except for what the process uses after
// the tracepoint.
func TestUsage(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	for _, what := range []string{
		"exit 0", "burn 1ms", "burn 10ms", "burn 100ms",
		"burn in threads", "leader first", "touch", "write", "sleep",
	} {
		t.Run(what, func(t *testing.T) {
			cmd := self(what)
			cmd.Dir = t.TempDir()
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			got := exitOf(t, tr, cmd.ProcessState.Pid()).Usage
			waited := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			for name, pair := range map[string][2]uint64{
				"peak RSS":     {got.PeakRSS, uint64(waited.Maxrss) << 10},
				"minor faults": {got.MinorFaults, uint64(waited.Minflt)},
				"major faults": {got.MajorFaults, uint64(waited.Majflt)},
				// wait4 rounds down to sectors, as does each thread that ends.
				"sectors read":    {got.ReadBytes >> 9, uint64(waited.Inblock)},
				"sectors written": {got.WriteBytes >> 9, uint64(waited.Oublock)},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %d, want %d", name, pair[0], pair[1])
				}
			}
			// The process is switched away from a last time, and may be before.
			if n := uint64(waited.Nvcsw); got.Voluntary > n || got.Voluntary+20 < n {
				t.Errorf("%d voluntary switches, want %d", got.Voluntary, n)
			}
			if n := uint64(waited.Nivcsw); got.Involuntary > n || got.Involuntary+50 < n {
				t.Errorf("%d involuntary switches, want %d", got.Involuntary, n)
			}
			// The process ends after its exit was seen, which is not in it; with much
			// memory, on a slow machine, that takes a while. What a hypervisor took
			// may be in it.
			cpu := got.UserTime + got.SystemTime
			want := time.Duration(waited.Utime.Nano() + waited.Stime.Nano())
			if !*emulated && (cpu > want+time.Millisecond || cpu+want/2+5*time.Millisecond < want) {
				t.Errorf("CPU time %v, want %v", cpu, want)
			}
			switch what {
			case "burn 100ms":
				user := time.Duration(waited.Utime.Nano())
				if *emulated {
					return
				}
				if cpu+20*time.Millisecond < want || (got.UserTime-user).Abs() > 20*time.Millisecond {
					t.Errorf("CPU time %v, of that %v user time; want %v and %v", cpu, got.UserTime, want, user)
				}
			case "touch":
				if n := uint64(touched / os.Getpagesize()); got.MinorFaults < n || got.PeakRSS < touched {
					t.Errorf("%d faults and %d bytes, want %d and %d or more", got.MinorFaults, got.PeakRSS, n, touched)
				}
			case "write":
				// The thread that wrote may end together with the last one, and then be in
				// neither sum (docs/limits.md): on an emulated CPU, that moment can be long.
				for again := 0; *emulated && got.WriteChars == 0 && again < 3; again++ {
					t.Log("nothing written; trying again")
					cmd := self(what)
					cmd.Dir = t.TempDir()
					must(t, cmd.Run())
					got = exitOf(t, tr, cmd.ProcessState.Pid()).Usage
				}
				if got.WriteChars != written {
					t.Errorf("%d characters written, want %d", got.WriteChars, written)
				}
			}
		})
	}
}

// What a thread wrote counts, even where the kernel has no run time of it. On an
// emulated machine that is so for one thread in some 1,000, so it is tried often.
func TestUsageOfShortThread(t *testing.T) {
	const tries, wrote = 200, 4096
	tr := tracer(t, Options{OnlyDescendants: true})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	defer null.Close()
	pids := map[uint32]bool{}
	for range tries {
		pid := forked(t, raw.Fork, func(b *raw.Block, tid raw.Cell) {
			b.Thread(tid, func(b *raw.Block) {
				b.Must("write", unix.SYS_WRITE, raw.N(null.Fd()), b.Bytes("x"), raw.N(wrote))
				b.Set(tid.At(1), 1)
				b.Exit(0)
			})
			b.Spin(tid.At(1)) // awake, so that the thread need not wake it
			b.Exec(exiter(t), []string{"exiter"}, nil)
		})
		pids[uint32(pid)] = true
	}
	seen := 0
	for _, ev := range rest(t, tr) {
		if pids[ev.ID.PID] && (ev.Kind == process.Exec || ev.Kind == process.Exit) {
			seen++
			if n := ev.Usage.WriteChars; n != wrote {
				t.Errorf("pid %d, %v: %d characters written, want %d", ev.ID.PID, ev.Kind, n, wrote)
			}
		}
	}
	if seen != 2*tries {
		t.Errorf("%d execs and exits of %d processes", seen, tries)
	}
}

// exitOf returns the exit of a process that was waited for.
func exitOf(t *testing.T, tr *Tracer, pid int) process.Event {
	t.Helper()
	for _, ev := range of(rest(t, tr), pid) {
		if ev.Kind == process.Exit {
			return ev
		}
	}
	t.Fatalf("pid %d has no exit", pid)
	return process.Event{}
}

func TestAdjustTime(t *testing.T) {
	const s = uint64(time.Second)
	for _, tc := range []struct {
		name                  string
		utime, stime, runtime uint64
		user, system          time.Duration
	}{
		{"nothing", 0, 0, 0, 0, 0},
		{"no tick", 0, 0, 5, 5, 0},
		{"user ticks alone", 7, 0, 5, 5, 0},
		{"system ticks alone", 0, 7, 5, 0, 5},
		{"both", 1 * s, 3 * s, 2 * s, time.Second / 2, 3 * time.Second / 2},
		{"ticks that overflow a sum", 1 << 63, 1 << 63, 4, 2, 2},
	} {
		if user, system := adjustTime(tc.utime, tc.stime, tc.runtime); user != tc.user || system != tc.system {
			t.Errorf("%s: %v and %v, want %v and %v", tc.name, user, system, tc.user, tc.system)
		}
	}
}
