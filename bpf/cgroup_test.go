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

// forgetLast has each CPU forget the cgroups it saw last, as others seen since do.
func forgetLast(t *testing.T, tr *Tracer) {
	t.Helper()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	none := make([][]byte, cpus)
	for i := range none {
		none[i] = make([]byte, tr.objects.Naming.ValueSize())
	}
	if err := tr.objects.Naming.Put(uint32(0), none); err != nil {
		t.Fatal(err)
	}
}

// The path of a cgroup comes before what happens in it, once, and is right
// although the cgroup is gone when it is read.
func TestCgroupPaths(t *testing.T) {
	for version := 1; version <= 2; version++ {
		for _, depth := range []int{1, 5, 31, 40} {
			t.Run(fmt.Sprintf("version %d, %d deep", version, depth), func(t *testing.T) {
				root := needCgroups(t, version)
				tr := tracer(t, Options{OnlyDescendants: true, CgroupPaths: true})
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
					// As when the kernel side has forgotten it among many others.
					if err := tr.objects.Named.Delete(id); err != nil {
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
				if err := tr.Detach(); err != nil {
					t.Fatal(err)
				}
				paths := map[uint64][]string{}
				inside := 0
				for _, ev := range rest(t, tr) {
					switch ev.Kind {
					case process.Named:
						paths[ev.CgroupID] = append(paths[ev.CgroupID], ev.CgroupPath)
					case process.Fork, process.Exec:
						if ev.Groups.Cgroup.V1 == id || ev.Groups.Cgroup.V2 == id {
							inside++
						}
						for _, id := range []uint64{ev.Groups.Cgroup.V1, ev.Groups.Cgroup.V2} {
							if len(paths[id]) == 0 && depth <= 32 {
								t.Errorf("%v of pid %d in cgroup %d, which has no name", ev.Kind, ev.ID.PID, id)
							}
						}
					}
				}
				if depth > 32 {
					want = 0
					if n := lost(t, tr, "cgroup path: too long"); n != 1 {
						t.Errorf("%d paths were too long, want 1", n)
					}
				}
				if inside == 0 || len(paths[id]) != want {
					t.Errorf("%d events in cgroup %d, named %q; want some, and %d names", inside, id, paths[id], want)
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
		if ev.Kind == process.Named {
			t.Errorf("got %+v, want no names", ev)
		}
	}
}

// A name that found no room is told later.
func TestCgroupNameLost(t *testing.T) {
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
	if n := lost(t, tr, "cgroup path: ring buffer full, told later"); n == 0 {
		t.Error("no name was lost")
	}
	_ = rest(t, tr)
	runIn(t, dir)
	id := inode(t, dir)
	for _, ev := range rest(t, tr) {
		if ev.Kind == process.Named && ev.CgroupID == id {
			return
		}
	}
	t.Errorf("cgroup %d was not named later", id)
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
