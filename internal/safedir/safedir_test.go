package safedir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// chown skips where the test may not give files away.
func chown(t *testing.T, path string, uid int) {
	t.Helper()
	switch err := os.Lchown(path, uid, -1); {
	case errors.Is(err, os.ErrPermission) && os.Getenv("CI") != "true":
		t.Skipf("%v; run go test as root", err)
	case err != nil:
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	const stranger = 65534
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string) // the directory that is opened
		want string                          // in the error
	}{
		{"none", func(*testing.T, string) {}, ""},
		{"of this user", func(t *testing.T, path string) { mkdir(t, path, 0o755) }, ""},
		{"link of this user", func(t *testing.T, path string) { mkdir(t, path+"2", 0o700); symlink(t, path+"2", path) }, ""},
		{"writable for the group", func(t *testing.T, path string) { mkdir(t, path, 0o770) }, "chmod go-w"},
		{"writable for all", func(t *testing.T, path string) { mkdir(t, path, 0o777|os.ModeSticky) }, "other users may write to it"},
		{"of another user", func(t *testing.T, path string) { mkdir(t, path, 0o700); chown(t, path, stranger) }, "belongs to user 65534"},
		{"link of another user", func(t *testing.T, path string) {
			mkdir(t, path+"2", 0o700)
			symlink(t, path+"2", path)
			chown(t, path, stranger)
		}, "is a symbolic link of another user"},
		{"link to one of another user", func(t *testing.T, path string) {
			mkdir(t, path+"2", 0o700)
			chown(t, path+"2", stranger)
			symlink(t, path+"2", path)
		}, "belongs to user 65534"},
		{"a file", func(t *testing.T, path string) { write(t, path, 0o600) }, "not a directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dir")
			tc.make(t, path)
			d, err := Open(path)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("got error %v, want %q", err, tc.want)
			}
			if err != nil {
				return
			}
			defer d.Close()
			if err := d.Lock(); err != nil {
				t.Fatal(err)
			}
			other, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := other.Lock(); !errors.Is(err, ErrInUse) {
				t.Errorf("second lock: got %v, want ErrInUse", err)
			}
			_, err = os.Stat(filepath.Join(path, LockFile))
			if others := tc.name == "of this user"; others != (err == nil) {
				t.Errorf("file of the lock: got %v, want one exactly if others can open the directory", err)
			}
			if info, err := os.Stat(path); err != nil || tc.name == "none" && info.Mode().Perm() != 0o700 {
				t.Errorf("got mode %v (%v), want 0700", info.Mode(), err)
			}
		})
	}
}

// A lock that another user could hold is refused.
func TestLockFileOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir")
	mkdir(t, path, 0o755)
	write(t, filepath.Join(path, LockFile), 0o644)
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Lock(); !errors.As(err, new(*UnsafeError)) || !strings.Contains(err.Error(), "other users may lock it") {
		t.Errorf("got %v, want an UnsafeError", err)
	}
}

func TestOpenFile(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"none", func(*testing.T, string) {}, ""},
		{"readable for all", func(t *testing.T, path string) { write(t, path, 0o644) }, ""},
		{"writable for all", func(t *testing.T, path string) { write(t, path, 0o666) }, "chmod go-w"},
		{"of another user", func(t *testing.T, path string) { write(t, path, 0o600); chown(t, path, 65534) }, "belongs to user 65534"},
		{"link", func(t *testing.T, path string) { write(t, path+"2", 0o600); symlink(t, path+"2", path) }, "is a symbolic link"},
		{"directory", func(t *testing.T, path string) { mkdir(t, path, 0o700) }, "is a directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dir")
			mkdir(t, path, 0o700)
			tc.make(t, filepath.Join(path, "file"))
			d, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			f, err := d.OpenFile("file", os.O_RDWR|os.O_CREATE)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("got error %v, want %q", err, tc.want)
			}
			if err == nil {
				f.Close()
			}
		})
	}
}

// A directory that is not there is as good as the one it would be created in.
func TestWritable(t *testing.T) {
	base := t.TempDir()
	for _, above := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mkdir(t, filepath.Join(base, "open"), 0o777)
	mkdir(t, filepath.Join(base, "closed"), 0o555)
	write(t, filepath.Join(base, "file"), 0o666)
	symlink(t, "nothing", filepath.Join(base, "link"))
	if os.Geteuid() == 0 { // who may write anywhere; only this thread becomes another user
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	for path, want := range map[string]struct {
		at  string
		err error
	}{
		"open":         {"open", nil},
		"open/a/b/":    {"open", nil},
		"closed":       {"closed", unix.EACCES},
		"closed/a/b":   {"closed", unix.EACCES},
		"file":         {"file", unix.ENOTDIR},
		"file/a":       {"file/a", unix.ENOTDIR},
		"open/../open": {"open", nil},
		"link":         {"link", unix.ENOENT},
		"link/a":       {"link", unix.ENOENT},
	} {
		at, err := Writable(base + "/" + path)
		if at != filepath.Join(base, want.at) || !errors.Is(err, want.err) {
			t.Errorf("%s: %s: %v, want %s: %v", path, at, err, want.at, want.err)
		}
	}
}

func TestOfService(t *testing.T) {
	base := t.TempDir()
	mkdir(t, filepath.Join(base, "plain"), 0o700)
	for name, to := range map[string]string{"service": "private/service", "other": "private/service", "user": "private/user"} {
		symlink(t, to, filepath.Join(base, name))
		uid := 0
		if name == "user" {
			uid = 1234
		}
		chown(t, filepath.Join(base, name), uid)
	}
	for name, want := range map[string]bool{"service": true, "service/": true, "other": false, "user": false, "plain": false, "none": false} {
		if got := OfService(base + "/" + name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func mkdir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}
