package enrich

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Users knows the names of users and groups by their ids, as files like
// /etc/passwd and /etc/group have them. It does not ask NSS, as nothing does
// that is built without cgo: who is known to LDAP or systemd-userdbd alone has
// no name here. The names are those of the files' host; inside a container the
// same id may be another user.
type Users struct {
	users, groups names
}

// NewUsers returns the names in these two files. A changed file is read again
// on a lookup, every so often at most, by the clock now. A file that is not
// there or cannot be read has no names in it.
func NewUsers(passwd, group string, every time.Duration, now func() time.Time) *Users {
	return &Users{
		users:  names{path: passwd, every: every, now: now},
		groups: names{path: group, every: every, now: now},
	}
}

// User returns the name of a user, or "".
func (u *Users) User(uid uint32) string { return u.users.of(uid) }

// Group returns the name of a group, or "".
func (u *Users) Group(gid uint32) string { return u.groups.of(gid) }

// names are those of one file. It is read as a whole, so that an id which is
// not in it costs no more than one that is.
type names struct {
	path  string
	every time.Duration
	now   func() time.Time

	mu      sync.Mutex
	byID    map[uint32]string
	checked time.Time
	version os.FileInfo // nil before the file was read
}

// namesMax bounds what is read of a file, and so the names that are kept: about
// a hundred thousand.
const namesMax = 8 << 20

func (n *names) of(id uint32) string {
	now := n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.checked.IsZero() || now.Sub(n.checked) >= n.every || now.Before(n.checked) {
		n.checked = now
		n.refresh()
	}
	return n.byID[id]
}

func (n *names) refresh() {
	file, err := os.Open(n.path)
	if err != nil {
		n.byID, n.version = nil, nil
		return
	}
	defer file.Close()
	// Taken before the reading: a write in between makes it old, and the next
	// check sees that.
	version, err := file.Stat()
	if err == nil && n.version != nil && os.SameFile(version, n.version) &&
		version.ModTime().Equal(n.version.ModTime()) && version.Size() == n.version.Size() {
		return
	}
	content, readErr := io.ReadAll(io.LimitReader(file, namesMax))
	if err != nil || readErr != nil {
		n.byID, n.version = nil, nil
		return
	}
	n.byID, n.version = parseNames(content), version
}

// parseNames reads lines of NAME:PASSWORD:ID and more. The first name of an id
// is its name, as for getpwuid.
func parseNames(content []byte) map[uint32]string {
	byID := make(map[uint32]string)
	for line := range bytes.Lines(content) {
		name, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		_, rest, _ = strings.Cut(rest, ":")
		number, _, whole := strings.Cut(rest, ":")                              // else the line may end in half an id
		if !whole || name == "" || strings.ContainsRune("#+-", rune(name[0])) { // + and - ask NIS
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
