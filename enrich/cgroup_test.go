package enrich

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/procspan/procspan/process"
)

func TestCgroupPaths(t *testing.T) {
	for _, tc := range []struct {
		name   string
		file   []string
		v2, v1 string
	}{
		{"none", nil, "", ""},
		{"v2", []string{"0::/system.slice/nginx.service"}, "/system.slice/nginx.service", ""},
		{"the root", []string{"0::/"}, "/", ""},
		{"colons in the path", []string{"0::/system.slice:docker:x"}, "/system.slice:docker:x", ""},
		{"a blank in the path", []string{"0::/a b"}, "/a b", ""},
		{"removed", []string{"0::/a (deleted)"}, "/a", ""},
		{"v1, in the order of preference", []string{"4:cpu,cpuacct:/c", "3:memory:/m", "2:pids:/p", "1:name=systemd:/s"}, "", "/p"},
		{"v1, in another order", []string{"1:name=systemd:/s", "2:pids:/p", "3:memory:/m", "4:cpu,cpuacct:/c"}, "", "/p"},
		{"no pids", []string{"4:cpu:/c", "3:memory:/m", "1:name=systemd:/s"}, "", "/m"},
		{"no memory", []string{"4:cpuset:/x", "3:cpuacct,cpu:/c", "1:name=systemd:/s"}, "", "/c"},
		{"no controller", []string{"4:cpuset:/x", "1:name=systemd:/s"}, "", "/s"},
		{"of no interest", []string{"4:cpuset:/x", "2:cpuacct:/x", "1:name=elogind:/s"}, "", ""},
		{"pids at the root", []string{"9:name=systemd:/", "8:pids:/", "4:memory:/m", "0::/"}, "/", "/m"},
		{"systemd alone below the root", []string{"4:memory:/", "3:pids:/", "2:cpu:/", "1:name=systemd:/s"}, "", "/s"},
		{"all at the root", []string{"4:memory:/", "3:pids:/", "1:name=systemd:/"}, "", "/"},
		{"hybrid", []string{"12:pids:/docker/x", "11:memory:/docker/x", "1:name=systemd:/docker/x", "0::/system.slice/docker.service"}, "/system.slice/docker.service", "/docker/x"},
		{"out of format", []string{"", "0", "0:", "1:pids", ":::"}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v2, v1 := cgroupPaths(strings.Join(tc.file, "\n") + "\n")
			if v2 != tc.v2 || v1 != tc.v1 {
				t.Errorf("got %q and %q, want %q and %q", v2, v1, tc.v2, tc.v1)
			}
		})
	}
}

func TestCgroup(t *testing.T) {
	id, _ := child(t, "x", t.TempDir(), []string{"x"})
	want2, want1, err := NewProc("/proc").Cgroup(process.ID{PID: uint32(os.Getpid()), Start: startOf(t, os.Getpid())})
	if err != nil {
		t.Fatal(err)
	}
	if want2 == "" && want1 == "" {
		t.Fatal("this process has no cgroup")
	}
	v2, v1, err := NewProc("/proc").Cgroup(id)
	if err != nil || v2 != want2 || v1 != want1 {
		t.Errorf("the child is in %q and %q, %v; want its parent's %q and %q", v2, v1, err, want2, want1)
	}
	id.Start += clockTick
	if v2, v1, err := NewProc("/proc").Cgroup(id); !errors.Is(err, ErrGone) || v2+v1 != "" {
		t.Errorf("got %q and %q, %v of a pid's next owner, want %v", v2, v1, err, ErrGone)
	}
	if _, _, err := NewProc("/proc").Cgroup(process.ID{PID: 1<<22 + 1}); !errors.Is(err, ErrGone) {
		t.Errorf("error %v of no process, want %v", err, ErrGone)
	}
}

func TestCgroupUnreadable(t *testing.T) {
	proc := procfs(t, statLine("x", 4711), "")
	id := process.ID{PID: 7, Start: 4711 * clockTick}
	if v2, v1, err := proc.Cgroup(id); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrGone) || v2+v1 != "" {
		t.Errorf("got %q and %q, %v; want %v: it is there", v2, v1, err, fs.ErrNotExist)
	}
	if err := os.WriteFile(filepath.Join(proc.root, "7", "cgroup"), []byte("2:pids:/p\n0::/u\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v2, v1, err := proc.Cgroup(id); v2 != "/u" || v1 != "/p" || err != nil {
		t.Errorf("got %q and %q, %v", v2, v1, err)
	}
}

func TestInnermost(t *testing.T) {
	for _, tc := range []struct{ name, v2, v1, want string }{
		{"none", "", "", ""},
		{"v2 alone", "/a", "", "/a"},
		{"v1 alone", "", "/a", "/a"},
		{"both at the root", "/", "/", "/"},
		{"v1 alone, at the root", "", "/", "/"},
		{"the same", "/system.slice/a.service", "/system.slice/a.service", "/system.slice/a.service"},
		{"a container of v1", "/system.slice/docker.service", "/docker/" + idA, "/docker/" + idA},
		{"a container of v2", "/docker/" + idA, "/user.slice/user-1000.slice/session-3.scope", "/docker/" + idA},
		{"a container without a unit", user1000 + "/app.slice/a.service", "/lxc/web", "/lxc/web"},
		{"a pod and a unit", "/system.slice/containerd.service", "/kubepods/pod" + uidA, "/kubepods/pod" + uidA},
		{"a unit of v2, where v1 has its slice", "/user.slice/user-1000.slice/session-3.scope", "/user.slice", "/user.slice/user-1000.slice/session-3.scope"},
		{"a user's unit", "/user.slice/user-1000.slice/user@1000.service", user1000 + "/app.slice/a.service", user1000 + "/app.slice/a.service"},
		{"a container in a container", "/docker/" + idB, "/docker/" + idB + "/docker/" + idA, "/docker/" + idB + "/docker/" + idA},
		{"as much", "/docker/" + idB, "/docker/" + idA, "/docker/" + idB},
		{"nothing, deeper", "/", "/batch/7", "/batch/7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, w := Innermost(tc.v2, tc.v1)
			if path != tc.want || w != ParseCgroup(tc.want) {
				t.Errorf("got %q, %+v; want %q", path, w, tc.want)
			}
		})
	}
}
