// Package tinydisk gives tests a file system that is really full when it is
// full: a tmpfs that is mounted nowhere.
package tinydisk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// New returns the root of an empty file system of so many bytes, which goes with
// the test. The path is of this process's file descriptors and holds for it
// alone; nobody else sees the file system. Where that is not permitted, the test
// is skipped, and in CI it fails.
func New(t testing.TB, size int) (root string) {
	t.Helper()
	file, err := mount(size)
	switch {
	case errors.Is(err, unix.EPERM) && os.Getenv("CI") != "true":
		t.Skipf("%v; run go test as root", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return fmt.Sprintf("/proc/self/fd/%d", file.Fd())
}

func mount(size int) (*os.File, error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file system: %w", err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigSetString(context, "size", strconv.Itoa(size)); err != nil {
		return nil, fmt.Errorf("make a file system of %d bytes: %w", size, err)
	}
	if err := unix.FsconfigSetString(context, "mode", "0700"); err != nil {
		return nil, fmt.Errorf("make a file system of mode 0700: %w", err)
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, fmt.Errorf("make a file system: %w", err)
	}
	fd, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount a file system: %w", err)
	}
	return os.NewFile(uintptr(fd), "tinydisk"), nil
}

// Fill takes all the room there is with a file, and returns its path.
func Fill(t testing.TB, root string) (path string) {
	t.Helper()
	path = filepath.Join(root, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, zeros{}); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("fill the disk: %v, want ENOSPC", err)
	}
	return path
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
