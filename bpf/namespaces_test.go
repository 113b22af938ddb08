package bpf

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/scenario/raw"
)

// The namespaces in the exec and in the list of running processes are those in /proc
// that are not the host's.
func TestNamespaces(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	host := namespacesOf(t, kthreadd(t))
	for _, tc := range []struct {
		name  string
		flags uintptr // of clone, one for each namespace of its own
	}{
		{"the host's", 0},
		{"cgroup", unix.CLONE_NEWCGROUP},
		{"ipc", unix.CLONE_NEWIPC},
		{"mnt", unix.CLONE_NEWNS},
		{"net", unix.CLONE_NEWNET},
		{"pid", unix.CLONE_NEWPID},
		{"user", unix.CLONE_NEWUSER},
		{"uts", unix.CLONE_NEWUTS},
		{"of a container", unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
			unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := self("idle")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: tc.flags}
			if tc.flags&unix.CLONE_NEWUSER != 0 {
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			}
			living, execed, shown := namespacesSeen(t, tr, cmd)
			want, own := others(shown, host)
			if own != bits.OnesCount64(uint64(tc.flags)) {
				t.Fatalf("it has %d namespaces of its own: %+v, the host %+v", own, shown, host)
			}
			if living != want || execed != want {
				t.Errorf("living: %+v\nexec:   %+v\nwant    %+v", living, execed, want)
			}
		})
	}
}

// others returns those of n that are not the host's, and how many that are.
func others(n, host process.Namespaces) (own process.Namespaces, count int) {
	for _, c := range []struct{ number, host, own *uint32 }{
		{&n.Cgroup, &host.Cgroup, &own.Cgroup}, {&n.IPC, &host.IPC, &own.IPC},
		{&n.Mount, &host.Mount, &own.Mount}, {&n.Network, &host.Network, &own.Network},
		{&n.PID, &host.PID, &own.PID}, {&n.Time, &host.Time, &own.Time},
		{&n.User, &host.User, &own.User}, {&n.UTS, &host.UTS, &own.UTS},
	} {
		if *c.number != *c.host {
			*c.own = *c.number
			count++
		}
	}
	return own, count
}

// namespacesSeen runs a command and returns its namespaces in the list of running
// processes, in its exec and in /proc.
func namespacesSeen(t *testing.T, tr *Tracer, cmd *exec.Cmd) (living, execed, shown process.Namespaces) {
	t.Helper()
	in := ready(t, cmd)
	pid := cmd.Process.Pid
	all, err := tr.Running()
	if err != nil {
		t.Error(err)
	}
	shown = namespacesOf(t, pid)
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	seen := 0
	for _, p := range all {
		if p.ID.PID == uint32(pid) {
			living = p.Namespaces
			seen++
		}
	}
	for _, ev := range of(rest(t, tr), pid) {
		if ev.Kind == process.Exec {
			execed = ev.Namespaces
			seen++
		}
	}
	if seen != 2 {
		t.Errorf("pid %d was seen %d times, want once running and one exec", pid, seen)
	}
	return living, execed, shown
}

// The host's namespaces are found, and those of other processes no others, by an agent
// that has more processes above it than are looked through.
func TestNamespacesOfTheDeep(t *testing.T) {
	kthreadd(t)
	out, err := self("deep observer").CombinedOutput()
	if want := fmt.Sprintln(true, process.Namespaces{}); err != nil || string(out) != want {
		t.Errorf("got %q (%v), want %q", out, err, want)
	}
}

// deepObserver runs utsObserver below many processes.
func deepObserver() {
	const generations = 70 // GENERATIONS_MAX is 64
	b, err := raw.New(1 << 20)
	if err != nil {
		os.Exit(4)
	}
	var nest func(b *raw.Block, n int)
	nest = func(b *raw.Block, n int) {
		if n == generations {
			b.Exec("/proc/self/exe", []string{"self", "be", "UTS observer"}, os.Environ())
			return
		}
		b.Fork(0, func(c *raw.Block) {
			nest(c, n+1)
			c.ExitGroup(0)
		})
		b.Must("wait4", unix.SYS_WAIT4, raw.N(-1), raw.N(0), raw.N(0), raw.N(0))
	}
	nest(b, 0)
	b.Run()
}

// utsObserver says whether a child that has a UTS namespace of its own has it, and which
// others.
func utsObserver() {
	tr, err := Open(Options{RingSize: 1 << 20, OnlyDescendants: true})
	if err == nil {
		cmd := self("exit 0")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS}
		err = errors.Join(cmd.Run(), tr.Detach())
	}
	for err == nil {
		var ev process.Event
		if err = tr.Read(time.Now(), &ev); err == nil && ev.Kind == process.Exec {
			own := ev.Namespaces.UTS != 0
			ev.Namespaces.UTS = 0
			fmt.Println(own, ev.Namespaces)
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Println(err)
	}
}

// kthreadd returns the pid of a process with the host's namespaces.
func kthreadd(t *testing.T) int {
	t.Helper()
	const pid = 2
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || string(comm) != "kthreadd\n" {
		t.Skipf("the host's namespaces are not seen from this pid namespace: pid %d is %q (%v)", pid, comm, err)
	}
	return pid
}

// namespacesOf returns what /proc shows; 0 for a kind that the kernel has not.
func namespacesOf(t *testing.T, pid int) (n process.Namespaces) {
	t.Helper()
	for name, number := range map[string]*uint32{
		"cgroup": &n.Cgroup, "ipc": &n.IPC, "mnt": &n.Mount, "net": &n.Network,
		"pid": &n.PID, "time": &n.Time, "user": &n.User, "uts": &n.UTS,
	} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(strings.TrimPrefix(link, name), ":[%d]", number); err != nil {
			t.Fatalf("%s: %v", link, err)
		}
	}
	return n
}
