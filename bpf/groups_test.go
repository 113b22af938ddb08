package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// The groups in the records are those of the system calls, /proc and the cgroup file
// systems.
func TestGroups(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	own := groupsNow(t, os.Getpid())
	type testCase struct {
		name   string
		change func(*testing.T, *exec.Cmd)          // before the start
		join   bool                                 // a cgroup of version 1, after the start
		holds  func(pid int, g process.Groups) bool // that the case is what it says
	}
	cases := []testCase{
		{
			name:  "inherited",
			holds: func(_ int, g process.Groups) bool { return g == own },
		},
		{
			name:   "a session of its own",
			change: func(_ *testing.T, cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} },
			holds: func(pid int, g process.Groups) bool {
				return g.Session == uint32(pid) && g.Group == uint32(pid) && g.Terminal == 0 && g.Cgroup == own.Cgroup
			},
		},
		{
			name:   "a process group of its own",
			change: func(_ *testing.T, cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} },
			holds: func(pid int, g process.Groups) bool {
				return g.Session == own.Session && g.Group == uint32(pid) && g.Cgroup == own.Cgroup
			},
		},
		{
			name:   "a terminal",
			change: func(t *testing.T, cmd *exec.Cmd) { onTerminal(t, cmd, 0) },
			holds:  func(_ int, g process.Groups) bool { return g.Terminal == uint32(unix.Mkdev(136, 0)) },
		},
		{
			name:   "a terminal with a minor number above 255",
			change: func(t *testing.T, cmd *exec.Cmd) { onTerminal(t, cmd, 256) },
			holds:  func(_ int, g process.Groups) bool { return g.Terminal == uint32(unix.Mkdev(136, 256)) },
		},
		{
			name: "a cgroup of version 2",
			change: func(t *testing.T, cmd *exec.Cmd) {
				dir, err := os.Open(makeCgroup(t, needCgroups(t, 2)))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { dir.Close() })
				cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
			},
			holds: func(_ int, g process.Groups) bool { return g.Cgroup.V2 != own.Cgroup.V2 },
		},
		{
			name: "a cgroup of version 1",
			join: true,
			holds: func(_ int, g process.Groups) bool {
				return g.Cgroup.V1 != own.Cgroup.V1 && g.Cgroup.V2 == own.Cgroup.V2
			},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			cmd := self("late parent")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var joined string
			if tc.join {
				joined = makeCgroup(t, needCgroups(t, 1))
			}
			if tc.change != nil {
				tc.change(t, cmd)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid := cmd.Process.Pid
			atExec := groupsNow(t, pid)
			if joined != "" {
				if err := os.WriteFile(filepath.Join(joined, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
					t.Error(err)
				}
			}
			want := groupsNow(t, pid)
			if !tc.holds(pid, want) {
				t.Errorf("pid %d has %+v, this process %+v: the test is not what it says", pid, want, own)
			}
			all, err := tr.Running()
			if err != nil {
				t.Error(err)
			}
			var listed process.Groups
			for _, p := range all {
				if p.ID.PID == uint32(pid) {
					listed = p.Groups
				}
			}
			if listed != want {
				t.Errorf("listed with %+v, want %+v", listed, want)
			}
			if _, err := in.Write([]byte{1}); err != nil {
				t.Error(err)
			}
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			kinds := map[process.Kind]int{}
			for _, ev := range rest(t, tr) {
				var belongs process.Groups
				switch {
				case ev.Kind == process.Exit && ev.Execed:
				case ev.ID.PID == uint32(pid) && ev.Kind == process.Fork:
					belongs = own
				case ev.ID.PID == uint32(pid):
					belongs = atExec
				case ev.Parent.PID == uint32(pid):
					belongs = want
					kinds[ev.Kind]++
				default:
					continue
				}
				if ev.Groups != belongs {
					t.Errorf("%v of pid %d, child of %d, has %+v, want %+v", ev.Kind, ev.ID.PID, ev.Parent.PID, ev.Groups, belongs)
				}
			}
			if kinds[process.Fork] == 0 || kinds[process.Exec] != 1 {
				t.Errorf("children of pid %d: %v, want forks and an exec", pid, kinds)
			}
		})
	}
}

// groupsNow returns the groups by other means.
func groupsNow(t *testing.T, pid int) process.Groups {
	t.Helper()
	session, err := unix.Getsid(pid)
	if err != nil {
		t.Fatal(err)
	}
	group, err := unix.Getpgid(pid)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	terminal, err := strconv.ParseInt(strings.Fields(after)[7-3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	v2 := cgroupID(t, pid, 2)
	v1 := v2
	if cgroupRoot(t, 1) != "" {
		v1 = cgroupID(t, pid, 1)
	}
	return process.Groups{
		Session: uint32(session), Group: uint32(group), Terminal: uint32(terminal),
		Cgroup: process.Cgroup{V2: v2, V1: v1},
	}
}

// cgroupRoot returns where the unified hierarchy (version 2) or that of the
// pids controller (version 1) is mounted, or "".
func cgroupRoot(t *testing.T, version int) string {
	t.Helper()
	if version == 1 {
		return controllerRoot(t, "pids")
	}
	return mounted(t, func(fstype, _ string) bool { return fstype == "cgroup2" })
}

// controllerRoot returns where the hierarchy of a controller of version 1 is
// mounted, or "".
func controllerRoot(t *testing.T, controller string) string {
	t.Helper()
	return mounted(t, func(fstype, options string) bool {
		return fstype == "cgroup" && strings.Contains(","+options+",", ","+controller+",")
	})
}

// mounted returns where the first file system is mounted that is, or "".
func mounted(t *testing.T, is func(fstype, options string) bool) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line) // source, target, type, options
		if is(f[2], f[3]) {
			return f[1]
		}
	}
	return ""
}

// cgroupID returns the inode of the process's cgroup, which is its id.
func cgroupID(t *testing.T, pid, version int) uint64 {
	t.Helper()
	root := cgroupRoot(t, version)
	if root == "" { // all are in the root
		return 1
	}
	lines, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // hierarchy, controllers, path
		if version == 2 && f[0] == "0" || version == 1 && strings.Contains(","+f[1]+",", ",pids,") {
			info, err := os.Stat(filepath.Join(root, f[2]))
			if err != nil {
				t.Fatal(err)
			}
			return info.Sys().(*syscall.Stat_t).Ino
		}
	}
	t.Fatalf("pid %d has no cgroup of version %d: %s", pid, version, lines)
	return 0
}

// makeCgroup makes a cgroup for the time of the test.
func makeCgroup(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(root, fmt.Sprintf("procspan-test-%d", os.Getpid()))
	err := os.Mkdir(dir, 0o755)
	skipRefused(t, err)
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// onTerminal gives cmd the pseudo-terminal of this index, in a session of its
// own.
func onTerminal(t *testing.T, cmd *exec.Cmd, index int) {
	t.Helper()
	dir := t.TempDir()
	skipRefused(t, unix.Mount("devpts", dir, "devpts", 0, "newinstance,ptmxmode=0600"))
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	var master *os.File
	for range index + 1 {
		master = open("ptmx")
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{open(strconv.Itoa(index))}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
}

// needCgroups returns where cgroups of a version are mounted, or skips where they
// are not; in CI both are, but for the guests, which have a list of what they lack.
func needCgroups(t *testing.T, version int) (root string) {
	t.Helper()
	if root = cgroupRoot(t, version); root == "" {
		t.Skipf("there are no cgroups of version %d", version)
	}
	return root
}

// skipRefused skips where this machine does not let the test do what it needs,
// as in a container; in CI it must.
func skipRefused(t *testing.T, err error) {
	t.Helper()
	if (errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS)) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
