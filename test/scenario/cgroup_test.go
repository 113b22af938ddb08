package scenario

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupVariable makes this binary move to the cgroup with these directories
// before it does anything else.
const cgroupVariable = "SCENARIO_CGROUP"

// cgroup is a cgroup of a test's own: one directory in each hierarchy, under the
// same name, as container runtimes have it.
type cgroup struct {
	path string   // as /proc/PID/cgroup shows it
	dirs []string // the first counts pids
}

// newCgroup makes a cgroup, and removes it, with what runs in it, when the test
// ends.
func newCgroup(t *testing.T) cgroup {
	t.Helper()
	tops, err := hierarchies("/sys/fs/cgroup")
	need(t, err)
	c := cgroup{path: fmt.Sprintf("/procspan-%d", time.Now().UnixNano())}
	t.Cleanup(func() { c.remove(t) })
	for _, top := range tops {
		dir := top + c.path
		need(t, os.Mkdir(dir, 0o755))
		c.dirs = append(c.dirs, dir)
	}
	return c
}

// hierarchies returns the roots of those mounted beneath top: with v2 that is
// top itself; with v1 one for each controller, and with both together v2's
// beside them. Not v1's cpuset: its cgroups take nobody until they have CPUs.
func hierarchies(top string) (roots []string, err error) {
	if exists(top + "/cgroup.procs") {
		return []string{top}, nil
	}
	for _, name := range []string{"/pids", "/cpu", "/memory", "/systemd", "/unified"} {
		if exists(top + name + "/cgroup.procs") {
			roots = append(roots, top+name)
		}
	}
	if len(roots) == 0 || roots[0] != top+"/pids" {
		return nil, fmt.Errorf("find the pids controller beneath %s: %w", top, errors.ErrUnsupported)
	}
	return roots, nil
}

// enter makes cmd, which runs this binary, move into the cgroup before it does
// anything else. (Only v2 lets a process begin in a cgroup.)
func (c cgroup) enter(cmd *exec.Cmd) {
	cmd.Env = append(cmd.Environ(), cgroupVariable+"="+strings.Join(c.dirs, ":"))
}

// enterCgroup does in the process what enter asked for.
func enterCgroup() error {
	dirs, ok := os.LookupEnv(cgroupVariable)
	if !ok {
		return nil
	}
	for _, dir := range strings.Split(dirs, ":") {
		if err := os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0); err != nil {
			return fmt.Errorf("enter the cgroup: %w", err)
		}
	}
	return os.Unsetenv(cgroupVariable) // the children are in it by birth
}

// v2 returns the directory in the unified hierarchy; "" where there is none.
func (c cgroup) v2() string {
	for _, dir := range c.dirs {
		if exists(dir + "/cgroup.controllers") {
			return dir
		}
	}
	return ""
}

// limit allows so many threads in the cgroup.
func (c cgroup) limit(t *testing.T, n int) {
	t.Helper()
	if v2 := filepath.Dir(c.dirs[0]) + "/cgroup.subtree_control"; exists(v2) {
		write(t, v2, "+pids")
	}
	write(t, c.dirs[0]+"/pids.max", strconv.Itoa(n))
}

// limitMemory allows so many bytes in the cgroup.
func (c cgroup) limitMemory(t *testing.T, n int64) {
	t.Helper()
	if v2 := filepath.Dir(c.dirs[0]) + "/cgroup.subtree_control"; exists(v2) {
		write(t, v2, "+memory")
	}
	for _, dir := range c.dirs {
		for _, limit := range []struct {
			file string
			n    int64
		}{
			{"memory.limit_in_bytes", n}, {"memory.memsw.limit_in_bytes", n}, // of version 1
			{"memory.max", n}, {"memory.swap.max", 0},
		} {
			if path := dir + "/" + limit.file; exists(path) {
				write(t, path, strconv.FormatInt(limit.n, 10))
			}
		}
	}
}

// full reports whether the limit has refused a fork.
func (c cgroup) full(t *testing.T) bool {
	t.Helper()
	events, err := os.ReadFile(c.dirs[0] + "/pids.events")
	if err != nil {
		t.Fatal(err)
	}
	return !strings.HasPrefix(string(events), "max 0\n")
}

// pids returns the processes in the cgroup.
func (c cgroup) pids(t *testing.T) (pids []int) {
	t.Helper()
	procs, err := os.ReadFile(c.dirs[0] + "/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(string(procs)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// kill kills what is in the cgroup until nothing is.
func (c cgroup) kill(t *testing.T) {
	t.Helper()
	if limit := c.dirs[0] + "/pids.max"; exists(limit) {
		write(t, limit, "0") // no fork outruns the kills
	}
	for pids := c.pids(t); len(pids) > 0; pids = c.pids(t) {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // it may be gone
		}
	}
}

// remove kills what is in the cgroup and removes its directories. A process
// that is no longer listed may take a moment to leave.
func (c cgroup) remove(t *testing.T) {
	t.Helper()
	if len(c.dirs) > 0 {
		c.kill(t)
	}
	for _, dir := range c.dirs {
		err := os.Remove(dir)
		for giveUp := time.Now().Add(deadline); errors.Is(err, unix.EBUSY) && time.Now().Before(giveUp); {
			err = os.Remove(dir)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A process enters a cgroup of a test's own on this machine's layout, in each
// hierarchy, and does not outlive it.
func TestCgroup(t *testing.T) {
	c := newCgroup(t)
	c.limit(t, 1000)
	cmd := role(ownExe(t), "idle")
	cmd.Stderr = t.Output()
	c.enter(cmd)
	stdin, err := cmd.StdinPipe() // held open: it idles until it is killed
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	want := len(c.dirs)
	shown := func() int {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(list), ":"+c.path+"\n")
	}
	for giveUp := time.Now().Add(deadline); shown() != want; {
		if time.Now().After(giveUp) {
			t.Fatalf("/proc/%d/cgroup has %s in %d lines, want %d", pid, c.path, shown(), want)
		}
	}
	if got := c.pids(t); !slices.Equal(got, []int{pid}) {
		t.Errorf("the cgroup has the processes %v, want %d alone", got, pid)
	}
	if c.full(t) {
		t.Error("the limit has refused a fork")
	}
	c.kill(t)
	_ = cmd.Wait() // killed
	if got := cmd.ProcessState.String(); got != "signal: killed" {
		t.Errorf("the process ended with %s, want signal: killed", got)
	}
}
