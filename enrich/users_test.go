package enrich

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// accounts are a passwd and a group file, and a clock.
type accounts struct {
	t             *testing.T
	passwd, group string
	clock         time.Time
}

func newAccounts(t *testing.T) *accounts {
	dir := t.TempDir()
	return &accounts{t, filepath.Join(dir, "passwd"), filepath.Join(dir, "group"), time.Unix(1e9, 0)}
}

func (a *accounts) users() *Users {
	return NewUsers(a.passwd, a.group, time.Minute, func() time.Time { return a.clock })
}

func (a *accounts) write(path, content string) {
	a.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// replace does as useradd does.
func (a *accounts) replace(path, content string) {
	a.t.Helper()
	a.write(path+"+", content)
	if err := os.Rename(path+"+", path); err != nil {
		a.t.Fatal(err)
	}
}

func wantUser(t *testing.T, u *Users, uid uint32, name string) {
	t.Helper()
	if got := u.User(uid); got != name {
		t.Errorf("user %d is %q, want %q", uid, got, name)
	}
}

func TestUsersParse(t *testing.T) {
	a := newAccounts(t)
	a.write(a.passwd, strings.Join([]string{
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
	a.write(a.group, "wheel:x:10:root,bob\nempty:x:11:\n")
	u := a.users()
	for uid, name := range map[uint32]string{0: "root", 7: "nopassword", 8: "blanks", 4294967295: "last"} {
		wantUser(t, u, uid, name)
	}
	for _, uid := range []uint32{1, 2, 3, 4, 5, 6, 9, 1000} {
		wantUser(t, u, uid, "")
	}
	for gid, name := range map[uint32]string{10: "wheel", 11: "empty", 0: ""} {
		if got := u.Group(gid); got != name {
			t.Errorf("group %d is %q, want %q", gid, got, name)
		}
	}
}

func TestUsersChange(t *testing.T) {
	a := newAccounts(t)
	u := a.users()
	wantUser(t, u, 1000, "") // no file yet
	a.replace(a.passwd, "ann:x:1000:1000\n")
	wantUser(t, u, 1000, "") // nor looked for so soon
	a.clock = a.clock.Add(time.Minute)
	wantUser(t, u, 1000, "ann")

	a.replace(a.passwd, "bob:x:1000:1000\n") // as long, and maybe within a tick of the clock
	a.clock = a.clock.Add(time.Minute - 1)
	wantUser(t, u, 1000, "ann")
	a.clock = a.clock.Add(1)
	wantUser(t, u, 1000, "bob")

	a.write(a.passwd, "bob:x:1000:1000\ncarol:x:1001:1001\n") // in place
	a.clock = a.clock.Add(time.Minute)
	wantUser(t, u, 1001, "carol")

	if err := os.Chtimes(a.passwd, a.clock, a.clock); err != nil {
		t.Fatal(err)
	}
	a.clock = a.clock.Add(time.Minute)
	wantUser(t, u, 1001, "carol")

	a.replace(a.passwd, "dave:x:1000:1000\n")
	a.clock = a.clock.Add(-time.Hour) // a clock set back
	wantUser(t, u, 1000, "dave")

	if err := os.Remove(a.passwd); err != nil {
		t.Fatal(err)
	}
	wantUser(t, u, 1000, "dave")
	a.clock = a.clock.Add(time.Minute)
	wantUser(t, u, 1000, "")
}

// What is not in the file is not looked for in it again.
func TestUsersRereadOnlyWhenChanged(t *testing.T) {
	a := newAccounts(t)
	a.write(a.passwd, "ann:x:1000:1000\n")
	u := a.users()
	wantUser(t, u, 1000, "ann")
	u.users.byID[1000] = "kept"
	for range 3 {
		a.clock = a.clock.Add(time.Hour)
		wantUser(t, u, 1000, "kept")
		wantUser(t, u, 1001, "")
	}
}

func TestUsersUnreadable(t *testing.T) {
	a := newAccounts(t)
	if err := os.Mkdir(a.passwd, 0o700); err != nil { // read gives EISDIR
		t.Fatal(err)
	}
	u := a.users()
	wantUser(t, u, 0, "")
	if err := os.Remove(a.passwd); err != nil {
		t.Fatal(err)
	}
	a.write(a.passwd, "root:x:0:0\n")
	a.clock = a.clock.Add(time.Minute)
	wantUser(t, u, 0, "root")
}

// A file beyond the bound loses its end.
func TestUsersBounded(t *testing.T) {
	a := newAccounts(t)
	line := strings.Repeat("x", 1<<16) + ":\n"
	a.write(a.passwd, "ann:x:1000:1000\n"+strings.Repeat(line, namesMax/len(line)+1)+"bob:x:1001:1001\n")
	u := a.users()
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
	a := newAccounts(t)
	a.write(a.passwd, "ann:x:1000:1000\n")
	u := NewUsers(a.passwd, a.group, time.Microsecond, time.Now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := u.User(1000); got != "ann" {
					t.Errorf("user 1000 is %q", got)
				}
				u.Group(1000)
			}
		})
	}
	for range 20 {
		a.replace(a.passwd, "ann:x:1000:1000\n")
	}
	wg.Wait()
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
	passwd := filepath.Join(b.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte("root:x:0:0\nann:x:1000:1000\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, uid := range map[string]uint32{"hit": 1000, "miss": 1001} {
		b.Run(name, func(b *testing.B) {
			start := time.Now()
			u := NewUsers(passwd, passwd, time.Hour, func() time.Time { return start })
			b.ReportAllocs()
			for b.Loop() {
				u.User(uid)
			}
		})
	}
	b.Run("hit, the real clock", func(b *testing.B) {
		u := NewUsers(passwd, passwd, time.Hour, time.Now)
		b.ReportAllocs()
		for b.Loop() {
			u.User(1000)
		}
	})
}
