package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/procspan/procspan/process"
)

// forgetLast clears the last cgroups of each CPU, as other cgroups would.
func forgetLast(t *testing.T, tr *Tracer) {
	t.Helper()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	none := make([][]byte, cpus)
	for i := range none {
		none[i] = make([]byte, tr.objects.CgroupStates.ValueSize())
	}
	for program := range tr.objects.CgroupStates.MaxEntries() {
		if err := tr.objects.CgroupStates.Put(program, none); err != nil {
			t.Fatal(err)
		}
	}
}

// The path of a cgroup precedes its events, comes once, and is right even if the
// cgroup is gone when it is read.
func TestCgroupPaths(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true, CgroupPaths: true})
	paths := map[uint64][]string{}
	for version := 1; version <= 2; version++ {
		for _, depth := range []int{1, 5, 31, 40} {
			t.Run(fmt.Sprintf("version %d, %d deep", version, depth), func(t *testing.T) {
				root := needCgroups(t, version)
				tooLong := lost(t, tr, "cgroup path: too long")
				dir := makeCgroup(t, root)
				for range depth - 1 {
					dir = filepath.Join(dir, "deeper.slice")
					mkdir(t, dir)
				}
				runIn(t, dir)
				runIn(t, dir)
				id := inode(t, dir)
				want := 1
				if depth == 5 {
					want = 2
					// As if the map had evicted it.
					if err := tr.objects.CgroupsSent.Delete(id); err != nil {
						t.Error(err)
					}
					forgetLast(t, tr)
					runIn(t, dir)
				}
				for d := dir; filepath.Base(d) == "deeper.slice"; d = filepath.Dir(d) {
					if err := os.Remove(d); err != nil {
						t.Error(err)
					}
				}
				inside := 0
				for _, ev := range rest(t, tr) {
					switch ev.Kind {
					case process.CgroupPath:
						paths[ev.CgroupID] = append(paths[ev.CgroupID], ev.CgroupPath)
					case process.Fork, process.Exec:
						if ev.Groups.Cgroup.V1 == id || ev.Groups.Cgroup.V2 == id {
							inside++
						}
						for _, id := range []uint64{ev.Groups.Cgroup.V1, ev.Groups.Cgroup.V2} {
							if len(paths[id]) == 0 && depth <= 32 {
								t.Errorf("%v of pid %d in cgroup %d, whose path was not sent", ev.Kind, ev.ID.PID, id)
							}
						}
					}
				}
				if depth > 32 {
					want = 0
					if n := lost(t, tr, "cgroup path: too long") - tooLong; n != 1 {
						t.Errorf("%d paths were too long, want 1", n)
					}
				}
				if inside == 0 || len(paths[id]) != want {
					t.Errorf("%d events in cgroup %d, with the paths %q; want some, and %d paths", inside, id, paths[id], want)
				}
				for _, path := range paths[id] {
					if want := strings.TrimPrefix(dir, root); path != want {
						t.Errorf("the path is %q, want %q", path, want)
					}
				}
			})
		}
	}
}

func TestCgroupPathsOff(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true})
	if err := self("exit 0").Run(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	for _, ev := range rest(t, tr) {
		if ev.Kind == process.CgroupPath {
			t.Errorf("got %+v, want no paths", ev)
		}
	}
}

// A name that found no room is sent later.
func TestCgroupPathLost(t *testing.T) {
	tr := tracer(t, Options{OnlyDescendants: true, CgroupPaths: true, RingSize: os.Getpagesize()})
	root := cgroupRoot(t, 2)
	if root == "" {
		root = cgroupRoot(t, 1)
	}
	fill := func() {
		for range 20 {
			if err := self("exit 0").Run(); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	dir := makeCgroup(t, root)
	runIn(t, dir)
	if n := lost(t, tr, "cgroup path: ring buffer full, sent later"); n == 0 {
		t.Error("no path was lost")
	}
	_ = rest(t, tr)
	runIn(t, dir)
	id := inode(t, dir)
	for _, ev := range rest(t, tr) {
		if ev.Kind == process.CgroupPath && ev.CgroupID == id {
			return
		}
	}
	t.Errorf("the path of cgroup %d was not sent later", id)
}

// runIn runs a process that moves into the cgroup, and another from there.
func runIn(t *testing.T, dir string) {
	t.Helper()
	cmd := self("late parent")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid))
	if _, err := in.Write([]byte{1}); err != nil {
		t.Error(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// mkdir makes a directory for the time of the test, or less.
func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
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
