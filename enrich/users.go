package enrich

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Users maps user ids to names by a file like /etc/passwd. It does not query NSS,
// which needs cgo: users known only to LDAP or systemd-userdbd have no name. The
// names are the host's; inside a container the same id may be another user.
//
// A lookup never waits for the file, which may be on NFS. A changed file is read
// by a goroutine, one at a time, that ends when it has read.
type Users struct {
	path  string
	every time.Duration
	start time.Time
	names atomic.Pointer[map[uint32]string]

	due     atomic.Int64 // when to check the file again, since start
	reading atomic.Bool  // a goroutine owns version
	version os.FileInfo  // nil unless names are those of the file
}

const (
	// namesMax bounds how much of the file is read, and so the names in memory, to
	// about a hundred thousand.
	namesMax = 8 << 20
	// firstRead bounds how long NewUsers waits for the file.
	firstRead = time.Second
)

// NewUsers returns the names in the file at path. A lookup checks at most every so
// often whether the file has changed. A file that does not exist or cannot be read
// has no names.
func NewUsers(path string, every time.Duration) *Users {
	u := &Users{path: path, every: every, start: time.Now()}
	u.names.Store(new(map[uint32]string))
	u.reading.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.refresh(u.read)
	}()
	select {
	case <-done:
	case <-time.After(firstRead):
	}
	return u
}

// User returns the name of a user, or "".
func (u *Users) User(uid uint32) string {
	if int64(time.Since(u.start)) >= u.due.Load() && u.reading.CompareAndSwap(false, true) {
		go u.refresh(u.read)
	}
	return (*u.names.Load())[uid]
}

// ID returns the id of a user, the lowest if several have the name.
func (u *Users) ID(name string) (uid uint32, ok bool) {
	for id, its := range *u.names.Load() {
		if its == name && (!ok || id < uid) {
			uid, ok = id, true
		}
	}
	return uid, ok
}

// refresh replaces the names by those that read returns, unless that is nil.
func (u *Users) refresh(read func() map[uint32]string) {
	if names := read(); names != nil {
		u.names.Store(&names)
	}
	u.due.Store(int64(time.Since(u.start) + u.every))
	u.reading.Store(false)
}

// read returns the names in the file; nil if it has not changed.
func (u *Users) read() map[uint32]string {
	// A FIFO without a writer must not block the open.
	file, err := os.OpenFile(u.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		u.version = nil
		return map[uint32]string{}
	}
	defer file.Close()
	// The version is older than the content: a write in between makes the next
	// check read again.
	version, err := file.Stat()
	if err != nil || !version.Mode().IsRegular() {
		u.version = nil
		return map[uint32]string{}
	}
	if u.version != nil && os.SameFile(version, u.version) && version.ModTime().Equal(u.version.ModTime()) && version.Size() == u.version.Size() {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(file, namesMax))
	if err != nil {
		u.version = nil
		return map[uint32]string{}
	}
	u.version = version
	return parseNames(content)
}

// parseNames parses lines of NAME:PASSWORD:ID:… As for getpwuid, the first name of
// an id counts.
func parseNames(content []byte) map[uint32]string {
	byID := make(map[uint32]string)
	for line := range bytes.Lines(content) {
		name, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		_, rest, _ = strings.Cut(rest, ":")
		number, _, whole := strings.Cut(rest, ":")                              // a line without the third colon may be cut in the id
		if !whole || name == "" || strings.ContainsRune("#+-", rune(name[0])) { // + and - are NIS entries
			continue
		}
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			continue
		}
		if _, ok := byID[uint32(id)]; !ok {
			byID[uint32(id)] = strings.Clone(name)
		}
	}
	return byID
}
