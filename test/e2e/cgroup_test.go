package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// inEachHierarchy runs a test for each version of cgroups that the host has: v2,
// v1 (one hierarchy stands for all), or both.
func inEachHierarchy(t *testing.T, test func(t *testing.T, hierarchy string)) {
	for _, hierarchy := range hierarchies(t) {
		t.Run("of "+filepath.Base(hierarchy), func(t *testing.T) { test(t, hierarchy) })
	}
}

// hierarchies returns the roots of the cgroups, one at least.
func hierarchies(t *testing.T) (roots []string) {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err == nil {
			roots = append(roots, root)
		}
	}
	if len(roots) == 0 {
		t.Fatal("there are no cgroups under /sys/fs/cgroup")
	}
	return roots
}

// newCgroup makes a cgroup with those that names tell below each other in it,
// returns the innermost, and removes them with the test.
func newCgroup(t *testing.T, hierarchy string, names ...string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp(hierarchy, "procspan-e2e-")
	if err != nil {
		t.Fatalf("make a cgroup: %v", err)
	}
	removeCgroup(t, dir)
	for _, name := range names {
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatalf("make a cgroup: %v", err)
		}
		removeCgroup(t, dir)
	}
	return dir
}

// removeCgroup removes a cgroup with the test, unless it is gone by then.
func removeCgroup(t *testing.T, dir string) {
	t.Cleanup(func() {
		// A process that has been waited for may take a moment to leave.
		err := poll(context.Background(), stopTimeout, func(context.Context) error {
			err := unix.Rmdir(dir)
			if err != nil && !errors.Is(err, unix.EBUSY) {
				return permanent(err)
			}
			return err
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			t.Errorf("remove the cgroup %s: %v", dir, err)
		}
	})
}
