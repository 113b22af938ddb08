package bpf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// The killer of a process, if there is one.
func TestKiller(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	me := uint32(os.Getpid())
	var another uint32
	for _, tc := range []struct {
		name   string
		be     string
		do     func(t *testing.T, cmd *exec.Cmd)
		signal syscall.Signal
		killer func(pid uint32) uint32
	}{
		{
			name:   "this process",
			do:     func(t *testing.T, cmd *exec.Cmd) { signal(t, cmd, unix.SIGKILL) },
			signal: unix.SIGKILL,
			killer: func(uint32) uint32 { return me },
		},
		{
			name: "the first of two",
			do: func(t *testing.T, cmd *exec.Cmd) {
				signal(t, cmd, unix.SIGSTOP) // it dies no sooner than the second came
				signal(t, cmd, unix.SIGKILL)
				_ = self("kill " + strconv.Itoa(cmd.Process.Pid)).Run() // it may have ended
			},
			signal: unix.SIGKILL,
			killer: func(uint32) uint32 { return me },
		},
		{
			name: "another process, after a signal that is survived",
			do: func(t *testing.T, cmd *exec.Cmd) {
				signal(t, cmd, unix.SIGUSR1)
				kill := self("kill " + strconv.Itoa(cmd.Process.Pid))
				if err := kill.Run(); err != nil {
					t.Error(err)
				}
				another = uint32(kill.ProcessState.Pid())
			},
			signal: unix.SIGKILL,
			killer: func(uint32) uint32 { return another },
		},
		{
			name:   "itself",
			be:     "kill oneself",
			signal: unix.SIGKILL,
			killer: func(pid uint32) uint32 { return pid },
		},
		{
			name: "nobody, after a signal that is survived",
			do: func(t *testing.T, cmd *exec.Cmd) {
				signal(t, cmd, unix.SIGUSR1)
			},
		},
		{
			name: "nobody, by a code that looks like a signal's",
			be:   "exit 137",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.be == "" {
				tc.be = "survive"
			}
			cmd := self(tc.be)
			if tc.do == nil {
				_ = cmd.Run()
			} else {
				in := ready(t, cmd)
				tc.do(t, cmd)
				in.Close()
				_ = cmd.Wait()
			}
			var got process.Event
			seen := map[uint32]process.Killer{}
			for _, ev := range rest(t, tr) {
				seen[ev.ID.PID] = process.Killer{ID: ev.ID, ExecID: ev.ExecID}
				if ev.Kind == process.Fork { // it has as many execs as its parent
					seen[ev.Parent.PID] = process.Killer{ID: ev.Parent, ExecID: ev.ExecID}
				}
				if ev.Kind == process.Exit && ev.ID.PID == uint32(cmd.Process.Pid) {
					got = ev
				}
			}
			if syscall.Signal(got.Status.Signal()) != tc.signal {
				t.Fatalf("status %#x, want signal %d", int(got.Status), tc.signal)
			}
			var killer process.Killer
			if tc.killer != nil {
				killer = seen[tc.killer(got.ID.PID)]
				killer.Comm = got.Comm
			}
			if got.Killer != killer || got.OOM.Killed {
				t.Errorf("killer %+v, out of memory %t; want %+v", got.Killer, got.OOM.Killed, killer)
			}
		})
	}
}

func signal(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// An OOM kill in a cgroup below the one whose limit was hit.
func TestOutOfMemory(t *testing.T) {
	has, err := probe()
	skipUnsupported(t, err)
	const limit = 16 << 20
	outer := makeMemoryCgroup(t)
	for _, setting := range []struct {
		file  string
		value int
	}{
		{"memory.use_hierarchy", 1}, // before 5.11 not by itself
		{"memory.limit_in_bytes", limit}, {"memory.memsw.limit_in_bytes", limit},
		{"memory.max", limit}, {"memory.swap.max", 0},
	} {
		if path := filepath.Join(outer, setting.file); exists(path) {
			write(t, path, strconv.Itoa(setting.value))
		}
	}
	inner := filepath.Join(outer, "inner")
	mkdir(t, inner)
	tr := tracer(t, Options{OnlyDescendants: true})
	cmd := self("late touch")
	in := ready(t, cmd)
	write(t, filepath.Join(inner, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid))
	in.Close()
	_ = cmd.Wait()
	got := exitOf(t, tr, cmd.Process.Pid)
	want := process.OOM{Killed: true, Limit: limit}
	if !has.oomLock {
		want.Limit = 0
	}
	if got.Status.Signal() != int(unix.SIGKILL) || got.OOM != want || got.Killer != (process.Killer{}) {
		t.Errorf("status %#x, %+v, killer %+v; want signal 9, %+v, nobody", int(got.Status), got.OOM, got.Killer, want)
	}
}

// makeMemoryCgroup makes a cgroup that can limit memory.
func makeMemoryCgroup(t *testing.T) string {
	t.Helper()
	if root := controllerRoot(t, "memory"); root != "" {
		return makeCgroup(t, root)
	}
	root := cgroupRoot(t, 2)
	if root == "" {
		t.Skip("this kernel has no memory cgroups")
	}
	skipRefused(t, os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0o644))
	return makeCgroup(t, root)
}
