// Package safedir opens a directory that no other user can tamper with, and the
// files in it.
//
// The rules of this room:
//
//   - The directory belongs to this user or to root, and nobody else may write to
//     it: neither its group nor others.
//   - A symbolic link at the end of its path is followed only if root or this user
//     made it, as systemd does for a dynamic user's state directory.
//   - A file is opened relative to the open directory and never through a link. It
//     is a regular file that passes the same checks.
//   - No other user can hold its lock: it is on the directory if others cannot open
//     that, else on a file in it.
package safedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// LockFile is the name of the file that Lock creates in a directory that others can
// open. It stays.
const LockFile = "lock"

// ErrInUse means that another process holds the lock on a directory.
var ErrInUse = errors.New("another process uses this directory")

// UnsafeError means that another user could tamper with a directory or a file.
type UnsafeError struct {
	Path, Problem, Hint string
}

func (e *UnsafeError) Error() string { return fmt.Sprintf("%s %s; %s", e.Path, e.Problem, e.Hint) }

// Dir is an open directory.
type Dir struct {
	path string
	file *os.File
	lock *os.File // the lock's file, if it has one
}

// Open opens a directory, and creates it with mode 0700 if it does not exist.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	return OpenExisting(path)
}

// OpenExisting opens a directory, and creates nothing.
func OpenExisting(path string) (*Dir, error) {
	path = filepath.Clean(path)
	link, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	flags := unix.O_DIRECTORY | unix.O_NOFOLLOW
	if link.Mode()&os.ModeSymlink != 0 {
		if !trusted(owner(link)) {
			return nil, &UnsafeError{path, "is a symbolic link of another user", "remove it"}
		}
		flags = unix.O_DIRECTORY
	}
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	if err := Check(file, 0o022); err != nil {
		file.Close()
		return nil, err
	}
	return &Dir{path: path, file: file}, nil
}

// Writable returns nil if a file can be created in a directory, or in one that Open
// would create for it. It creates nothing. at is the path that the answer is about.
func Writable(path string) (at string, err error) {
	at = filepath.Clean(path)
	for {
		err = writable(at)
		_, missing := os.Lstat(at) // not so a link to nothing
		if up := filepath.Dir(at); errors.Is(err, unix.ENOENT) && missing != nil && up != at {
			at = up
			continue
		}
		return at, err
	}
}

// OfService reports whether a directory is that of a service of systemd with a dynamic
// user (DynamicUser=): root's link to its namesake in the folder private beside it.
// Only the service can write there, and others than root cannot look into it.
func OfService(path string) bool {
	path = filepath.Clean(path)
	link, err := os.Lstat(path)
	if err != nil || owner(link) != 0 {
		return false
	}
	to, err := os.Readlink(path) // of what is no link: an error
	return err == nil && to == filepath.Join("private", filepath.Base(path))
}

func writable(dir string) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// Path returns the path that the directory was opened with.
func (d *Dir) Path() string { return d.path }

// Close closes the directory, and releases its lock.
func (d *Dir) Close() error {
	err := d.file.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// Sync makes created, renamed and removed names durable.
func (d *Dir) Sync() error { return d.file.Sync() }

// Lock locks the directory until it is closed. It returns ErrInUse if another open
// directory holds the lock.
func (d *Dir) Lock() error {
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	lock := d.file
	if info.Mode().Perm()&0o044 != 0 { // others can open it
		if lock, err = d.OpenFile(LockFile, os.O_RDWR|os.O_CREATE); err != nil {
			return err
		}
		d.lock = lock
		if err := Check(lock, 0o077); err != nil {
			return err
		}
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return os.NewSyscallError("flock", err)
}

// Names lists the directory in lexical order.
func (d *Dir) Names() ([]string, error) {
	list, err := d.openat(".", unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// OpenFile opens a regular file in the directory, with mode 0600 if it creates it.
func (d *Dir) OpenFile(name string, flags int) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO would wait for its other end.
	f, err := d.openat(name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if errors.Is(err, unix.ELOOP) {
		return nil, &UnsafeError{filepath.Join(d.path, name), "is a symbolic link", "remove it"}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &UnsafeError{f.Name(), "is not a regular file", "remove it"}
	}
	if err == nil {
		err = Check(f, 0o022)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d *Dir) openat(name string, flags int) (*os.File, error) {
	path := filepath.Join(d.path, name)
	for {
		fd, err := unix.Openat(int(d.file.Fd()), name, flags|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// Remove removes a file. It is no error if there is none.
func (d *Dir) Remove(name string) error {
	err := unix.Unlinkat(int(d.file.Fd()), name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &os.PathError{Op: "remove", Path: filepath.Join(d.path, name), Err: err}
}

// Rename gives a file another name in the same directory.
func (d *Dir) Rename(from, to string) error {
	fd := int(d.file.Fd())
	if err := unix.Renameat(fd, from, fd, to); err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(d.path, from), New: to, Err: err}
	}
	return nil
}

// Check returns an *UnsafeError if a file or directory belongs to another user, or
// its mode grants others any of the denied permissions.
func Check(f *os.File, denied os.FileMode) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !trusted(owner(info)):
		return &UnsafeError{f.Name(), fmt.Sprintf("belongs to user %d", owner(info)), fmt.Sprintf("chown it to user %d, or use another one", os.Geteuid())}
	case info.Mode().Perm()&denied&0o022 != 0:
		return &UnsafeError{f.Name(), fmt.Sprintf("has mode %04o: other users may write to it", info.Mode().Perm()), "chmod go-w it, or use another one"}
	case info.Mode().Perm()&denied != 0:
		return &UnsafeError{f.Name(), fmt.Sprintf("has mode %04o: other users may lock it", info.Mode().Perm()), "chmod go= it"}
	}
	return nil
}

func owner(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
