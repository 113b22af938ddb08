package enrich

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace writes a file as useradd does.
func replace(t testing.TB, path, content string) {
	t.Helper()
	write(t, path+"+", content)
	if err := os.Rename(path+"+", path); err != nil {
		t.Fatal(err)
	}
}

func wantUser(t *testing.T, u *Users, uid uint32, name string) {
	t.Helper()
	if got := u.User(uid); got != name {
		t.Errorf("user %d is %q, want %q", uid, got, name)
	}
}

// readUsers returns the names when the file was read. NewUsers itself waits a second,
// in which a busy machine may not have read it.
func readUsers(path string, every time.Duration) *Users {
	u := NewUsers(path, every)
	for u.reading.Load() {
		runtime.Gosched()
	}
	return u
}

// later lets d pass, and waits for the read that a lookup starts then.
func later(u *Users, d time.Duration) {
	time.Sleep(d) // of the bubble
	u.User(0)
	synctest.Wait()
}

func TestUsersParse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	write(t, file, strings.Join([]string{
		"root:x:0:0:root:/root:/bin/bash",
		"toor:x:0:0:second:/root:/bin/sh",
		"# a:comment:1:1",
		"",
		"+@netgroup:x:2:2",
		"+:x:3:3",
		"-bob:x:4:4",
		":x:5:5",
		"negative:x:-1:1",
		"huge:x:4294967296:1",
		"word:x:six:1",
		"nopassword::7:7",
		"  blanks:x:8:8",
		"last:x:4294967295:1",
		"uid alone:x:9",
		"cut:x:1",
	}, "\n"))
	u := readUsers(file, time.Minute)
	for uid, name := range map[uint32]string{0: "root", 7: "nopassword", 8: "blanks", 4294967295: "last"} {
		wantUser(t, u, uid, name)
	}
	for _, uid := range []uint32{1, 2, 3, 4, 5, 6, 9, 1000} {
		wantUser(t, u, uid, "")
	}
}

func TestUsersChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	synctest.Test(t, func(t *testing.T) {
		u := NewUsers(file, time.Minute)
		wantUser(t, u, 1000, "") // there is no file
		replace(t, file, "ann:x:1000:1000\n")
		later(u, time.Minute-1)
		wantUser(t, u, 1000, "") // not checked yet
		later(u, 1)
		wantUser(t, u, 1000, "ann")

		replace(t, file, "bob:x:1000:1000\n") // of the same size, perhaps of the same time
		later(u, time.Minute)
		wantUser(t, u, 1000, "bob")

		write(t, file, "bob:x:1000:1000\ncarol:x:1001:1001\n") // in place
		later(u, time.Minute)
		wantUser(t, u, 1001, "carol")

		if err := os.Chtimes(file, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		later(u, time.Minute)
		wantUser(t, u, 1001, "carol")

		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		wantUser(t, u, 1001, "carol")
		later(u, time.Minute)
		wantUser(t, u, 1001, "")
	})
}

func TestUsersUnchangedFileIsNotReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	write(t, file, "ann:x:1000:1000\n")
	synctest.Test(t, func(t *testing.T) {
		u := NewUsers(file, time.Minute)
		names := u.names.Load()
		for range 3 {
			later(u, time.Hour)
		}
		if u.names.Load() != names {
			t.Error("the file was read again")
		}
	})
}

// What is not a regular file has no names, and does not block: a FIFO without a
// writer, a directory.
func TestUsersOfOtherFiles(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"device":    func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "passwd")
			if err := make(file); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				u := NewUsers(file, time.Minute)
				if took := time.Since(start); took != 0 {
					t.Errorf("NewUsers waited %v", took)
				}
				wantUser(t, u, 0, "")
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				write(t, file, "root:x:0:0\n")
				later(u, time.Minute)
				wantUser(t, u, 0, "root")
			})
		})
	}
}

// A file that blocks its reader, as on a dead NFS server, costs one goroutine, and
// lookups answer from the names they have.
func TestUsersBlockedRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	write(t, file, "ann:x:1000:1000\n")
	synctest.Test(t, func(t *testing.T) {
		u := NewUsers(file, time.Minute)
		blocked := make(chan struct{})
		u.reading.Store(true)
		go u.refresh(func() map[uint32]string { <-blocked; return map[uint32]string{1000: "bob"} })
		for range 3 {
			later(u, time.Hour)
			wantUser(t, u, 1000, "ann")
		}
		close(blocked)
		synctest.Wait()
		wantUser(t, u, 1000, "bob")
	})
}

// A file beyond the bound loses its end.
func TestUsersBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	line := strings.Repeat("x", 1<<16) + ":\n"
	write(t, file, "ann:x:1000:1000\n"+strings.Repeat(line, namesMax/len(line)+1)+"bob:x:1001:1001\n")
	u := readUsers(file, time.Minute)
	wantUser(t, u, 1000, "ann")
	wantUser(t, u, 1001, "")
}

// Wherever the end is lost, no name gets another's id.
func TestUsersCut(t *testing.T) {
	const whole = "ann:x:1000:1000\nbob:x:1001:1001\n"
	for end := range len(whole) {
		for id, name := range parseNames([]byte(whole[:end])) {
			if name != map[uint32]string{1000: "ann", 1001: "bob"}[id] {
				t.Errorf("user %d is %q of %q", id, name, whole[:end])
			}
		}
	}
}

func TestUsersConcurrent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	write(t, file, "ann:x:1000:1000\n")
	u := readUsers(file, time.Microsecond)
	var lookups sync.WaitGroup
	for range 8 {
		lookups.Go(func() {
			for range 200 {
				if got := u.User(1000); got != "ann" {
					t.Errorf("user 1000 is %q", got)
				}
			}
		})
	}
	for range 20 {
		replace(t, file, "ann:x:1000:1000\n")
	}
	lookups.Wait()
}

func FuzzParseNames(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\n"))
	f.Add([]byte("a:b:1\nc:d:2:"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for id, name := range parseNames(content) {
			if name == "" || strings.ContainsAny(name, ":\n") || !strings.Contains(string(content), name+":") {
				t.Errorf("user %d is %q of %q", id, name, content)
			}
		}
	})
}

func BenchmarkUser(b *testing.B) {
	file := filepath.Join(b.TempDir(), "passwd")
	write(b, file, "root:x:0:0\nann:x:1000:1000\n")
	for name, uid := range map[string]uint32{"hit": 1000, "miss": 1001} {
		b.Run(name, func(b *testing.B) {
			u := NewUsers(file, time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				u.User(uid)
			}
		})
	}
}
