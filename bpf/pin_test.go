package bpf

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// bpffs mounts a BPF file system for the test and returns a directory in it that
// is not there yet.
func bpffs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		if errors.Is(err, fs.ErrPermission) && os.Getenv("CI") != "true" {
			t.Skip("mounting a BPF file system takes root")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := Unpin(filepath.Join(dir, "procspan")); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "procspan")
}

// ran returns how often programs with these base names were executed.
func ran(all []process.Event, names ...string) []int {
	counts := make([]int, len(names))
	for i := range all {
		for n, name := range names {
			if all[i].Kind == process.Exec && all[i].Image.Name() == name {
				counts[n]++
			}
		}
	}
	return counts
}

// program returns a function that runs a program with a unique name.
func program(t *testing.T, name string) (run func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := exec.Command(path, "be", "exit 0").Run(); err != nil {
			t.Error(err)
		}
	}
}

func wantRan(t *testing.T, when string, all []process.Event, want map[string]int) {
	t.Helper()
	for name, n := range want {
		if got := ran(all, name)[0]; got != n {
			t.Errorf("%s: %s was seen to run %d times, want %d", when, name, got, n)
		}
	}
}

func TestTakeOver(t *testing.T) {
	dir := bpffs(t)
	a, b, c := program(t, "pinned-a"), program(t, "pinned-b"), program(t, "pinned-c")

	first := tracer(t, Options{Pin: dir})
	if first.Origin() != Fresh || first.Session() == (Session{}) {
		t.Errorf("began with %v, session %x; want Fresh and a session", first.Origin(), first.Session())
	}
	a()
	wantRan(t, "attached", rest(t, first), map[string]int{"pinned-a": 1})
	first.Release()
	b()
	wantRan(t, "read and not released", rest(t, first), map[string]int{"pinned-b": 1})
	position := first.Position()
	if first.Held() == 0 {
		t.Error("nothing is held back")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c() // no reader

	second := tracer(t, Options{Pin: dir})
	if second.Origin() != TakenOver || second.Session() != first.Session() {
		t.Errorf("began with %v, session %x; want TakenOver and %x", second.Origin(), second.Session(), first.Session())
	}
	wantRan(t, "after the first", rest(t, second), map[string]int{"pinned-a": 0, "pinned-b": 1, "pinned-c": 1})
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}

	third := tracer(t, Options{Pin: dir})
	if !third.Seek(position) {
		t.Fatal("the ring no longer has the records after the first one's position")
	}
	wantRan(t, "from the first one's position", rest(t, third), map[string]int{"pinned-b": 0, "pinned-c": 1})
	third.Release()
	if third.Seek(position) {
		t.Error("it returned to released records")
	}
	living, err := third.Running()
	if err != nil || len(living) == 0 {
		t.Errorf("%d running, %v", len(living), err)
	}
	lost(t, third, "exec: ring buffer full")
}

// Each case begins with what the one before it has pinned.
func TestReplaced(t *testing.T) {
	dir := bpffs(t)
	first := tracer(t, Options{Pin: dir})
	for _, tc := range []struct {
		name string
		then Options
		harm func(t *testing.T, dir string)
	}{
		{"another version", Options{}, func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, pinnedSession)))
			must(t, pinSession(dir, sessionValue{Identity: [32]byte{1}}))
		}},
		{"incomplete: no session", Options{}, func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, pinnedSession)))
		}},
		{"incomplete: no link", Options{}, func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, linkPrefix+procspanProgOnExit)))
		}},
		{"other options", Options{RingSize: 8 << 20}, func(*testing.T, string) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			must(t, first.Close())
			restore := raiseMemlock() // for a map of the test's own
			tc.harm(t, dir)
			restore()
			tc.then.Pin = dir
			second, err := Open(whole(tc.then))
			must(t, err)
			if second.Origin() != Replaced || second.Session() == first.Session() {
				t.Errorf("began with %v; want Replaced, and a session of its own", second.Origin())
			}
			a := program(t, "pinned-a")
			a()
			wantRan(t, "attached", rest(t, second), map[string]int{"pinned-a": 1})
			first = second
		})
	}
	must(t, first.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnpin(t *testing.T) {
	dir := bpffs(t)
	if found, err := Unpin(dir); found || err != nil {
		t.Errorf("of nothing: found %t, %v", found, err)
	}
	tr := tracer(t, Options{Pin: dir})
	if !Pinned(dir) {
		t.Error("nothing is pinned")
	}
	var explained *Error
	if _, err := Unpin(dir); !errors.As(err, &explained) || !Pinned(dir) {
		t.Errorf("while a tracer is open: got %v, and pinned is %t; want an Error with a hint", err, Pinned(dir))
	}
	if other, err := Open(Options{RingSize: 4 << 20, Pin: dir}); !errors.As(err, &explained) {
		t.Errorf("another tracer at the same time: got %v, want an Error with a hint", err)
		must(t, other.Close())
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if found, err := Unpin(dir); !found || err != nil {
		t.Errorf("found %t, %v", found, err)
	}
	if Pinned(dir) {
		t.Error("something is still pinned")
	}
	if again := tracer(t, Options{Pin: dir}); again.Origin() != Fresh {
		t.Errorf("began with %v after it was removed, want Fresh", again.Origin())
	}
}

// Whoever may create directories on a BPF file system, as on one of mode 1777, cannot
// have the agent use theirs or wait for their lock.
func TestPinDirectoryOfAnotherUser(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"belongs to user 65534":      func(dir string) error { return os.Chown(dir, 65534, 65534) },
		"other users may write":      func(dir string) error { return os.Chmod(dir, 0o777) },
		"other users may lock":       func(dir string) error { return os.Chmod(dir, 0o755) },
		"another procspan uses them": nil,
	} {
		dir := bpffs(t)
		must(t, os.Mkdir(dir, 0o700))
		lock, err := os.Open(dir)
		must(t, err)
		must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
		if change != nil {
			must(t, change(dir))
		}
		if err := CanPin(dir); (err != nil) != (change != nil) {
			t.Errorf("%s: CanPin returns %v", name, err)
		}
		_, err = Open(Options{RingSize: 4 << 20, Pin: dir})
		var explained *Error
		if !errors.As(err, &explained) || !strings.Contains(err.Error(), name) || change != nil && !strings.Contains(explained.Hint, "mode=0700") {
			t.Errorf("%s: got %v, want that with a hint", name, err)
		}
		must(t, lock.Close())
	}
}

func TestPinElsewhere(t *testing.T) {
	plain := t.TempDir()
	for name, dir := range map[string]string{
		"on another file system":           filepath.Join(plain, "procspan"),
		"in a directory that is not there": filepath.Join(plain, "none", "procspan"),
	} {
		_, err := Open(Options{RingSize: 4 << 20, Pin: dir})
		var explained *Error
		if !errors.As(err, &explained) || explained.Hint == "" {
			t.Errorf("%s: got %v, want an Error with a hint", name, err)
		}
	}
	if found, err := Unpin(plain); found || err == nil {
		t.Errorf("a directory that is not on a BPF file system: found %t, %v", found, err)
	}
}
