package bpf

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Pinned programs go on when the agent ends, in whatever way. In a directory of a
// BPF file system stand what holds them at work (links), what the next agent needs
// of them (programs, maps), and the session, which says whose they are. The
// session is pinned last: a directory without one is not whole.

// Start says what a Tracer began with.
type Start int

// What a Tracer can begin with.
const (
	// Fresh: nothing was pinned.
	Fresh Start = iota
	// TakenOver: with the programs of an earlier agent, which were at work all the
	// time. What they saw since is in the ring.
	TakenOver
	// Replaced: the programs of an earlier agent have ended now, since they are of
	// another version, or for other options. What they saw last is gone.
	Replaced
)

// Session names one time that pinned programs are at work, from when they were
// attached. Positions of the ring mean something within a session only.
type Session [16]byte

// sessionValue is the value of the pinned map of that name.
type sessionValue struct {
	Identity [sha256.Size]byte
	Session  Session
}

// identity tells apart programs that cannot stand in for each other: by their
// code, and by what Open sets in it.
func identity(o Options, f features) [sha256.Size]byte {
	o.Pin = ""
	sum := sha256.New()
	sum.Write(_ProcspanBytes)
	fmt.Fprintf(sum, "%+v %+v", o, f)
	return [sha256.Size]byte(sum.Sum(nil))
}

// pinnable lists what is pinned, by its name in the directory.
func (t *Tracer) pinnable() (programs map[string]**ebpf.Program, maps map[string]**ebpf.Map) {
	o := &t.objects
	return map[string]**ebpf.Program{
			procspanProgOnSignal: &o.OnSignal, procspanProgOnExit: &o.OnExit,
			procspanProgOnExec: &o.OnExec, procspanProgOnFork: &o.OnFork,
			procspanProgListLiving: &o.ListLiving,
		}, map[string]**ebpf.Map{
			procspanMapEvents: &o.Events, procspanMapLosses: &o.Losses,
		}
}

const (
	pinnedSession = "session"
	linkPrefix    = "link_"
)

// errIncompatible says that what is pinned is not what these Options ask for.
var errIncompatible = errors.New("the pinned kernel programs are of another version, or for other options")

// lockPins makes a directory for what is pinned, or takes the one that is there,
// and locks it until what it returns is closed: two agents that read one ring
// would each take records away from the other.
func lockPins(dir string) (*os.File, error) {
	for {
		err := os.Mkdir(dir, 0o700)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, unwritable(dir, err)
		case err != nil && !errors.Is(err, fs.ErrExist):
			return nil, err
		}
		lock, err := lockDirectory(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another agent has just removed it
		}
		return lock, err
	}
}

func unwritable(dir string, err error) error {
	return &Error{"make the directory " + dir, "let the user that procspan runs as write to " + filepath.Dir(dir) + ", or run it as root", err}
}

// lockDirectory locks a directory. The error is fs.ErrNotExist where there is none.
func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	doing := "use the kernel programs in " + dir
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = &Error{doing, "end the procspan that runs with this daemon.pin_directory first", errors.New("another procspan is at work with them")}
	case err != nil:
		err = fmt.Errorf("%s: %w", doing, err)
	default:
		var locked, there fs.FileInfo
		if locked, err = lock.Stat(); err == nil {
			there, err = os.Stat(dir)
		}
		if err == nil && os.SameFile(locked, there) {
			return lock, nil
		}
		if err == nil {
			err = fs.ErrNotExist // it was replaced before it was locked
		}
	}
	return nil, errors.Join(err, lock.Close())
}

// takeOver opens what is pinned. The error is fs.ErrNotExist where nothing is, and
// errIncompatible where it cannot be used.
func takeOver(o Options, f features) (*Tracer, error) {
	if entries, err := os.ReadDir(o.Pin); err != nil {
		return nil, err
	} else if len(entries) == 0 {
		return nil, fs.ErrNotExist
	}
	session, err := readSession(o.Pin)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil || session.Identity != identity(o, f) {
		return nil, errIncompatible
	}
	t := &Tracer{decoder: NewDecoder(), features: f, session: session.Session, begun: TakenOver}
	if err := t.loadPinned(o.Pin); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errIncompatible, err), t.Close())
	}
	return t, nil
}

func readSession(dir string) (value sessionValue, err error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinnedSession), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return value, err
	}
	defer m.Close()
	return value, m.Lookup(uint32(0), &value)
}

func (t *Tracer) loadPinned(dir string) (err error) {
	programs, maps := t.pinnable()
	for name, program := range programs {
		if *program, err = ebpf.LoadPinnedProgram(filepath.Join(dir, name), nil); err != nil {
			return err
		}
		if name == procspanProgListLiving {
			continue
		}
		attached, err := link.LoadPinnedLink(filepath.Join(dir, linkPrefix+name), nil)
		if err != nil {
			return err
		}
		t.links = append(t.links, attached)
	}
	for name, m := range maps {
		if *m, err = ebpf.LoadPinnedMap(filepath.Join(dir, name), nil); err != nil {
			return err
		}
	}
	return t.openRing(Options{Pin: dir})
}

// pin makes what is attached outlive the agent.
func (t *Tracer) pin(o Options) (err error) {
	defer func() {
		if err != nil {
			_, removeErr := removePinned(o.Pin)
			if !errors.As(err, new(*Error)) {
				err = explain("pin the kernel programs in "+o.Pin, err)
			}
			err = errors.Join(err, removeErr)
		}
	}()
	programs, maps := t.pinnable()
	for name, program := range programs {
		if err := (*program).Pin(filepath.Join(o.Pin, name)); err != nil {
			return err
		}
	}
	for name, m := range maps {
		if err := (*m).Pin(filepath.Join(o.Pin, name)); err != nil {
			return err
		}
	}
	for i, name := range programNames() {
		if err := t.links[i].Pin(filepath.Join(o.Pin, linkPrefix+name)); err != nil {
			return err
		}
	}
	_, _ = rand.Read(t.session[:]) // it does not fail
	return pinSession(o.Pin, sessionValue{identity(o, t.features), t.session})
}

func pinSession(dir string, value sessionValue) error {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: pinnedSession, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(len(value.Identity) + len(value.Session)), MaxEntries: 1,
	})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Put(uint32(0), value); err != nil {
		return err
	}
	return m.Pin(filepath.Join(dir, pinnedSession))
}

// Unpin ends what is pinned in a directory, unless an agent is at work with it,
// and removes the directory. It reports whether there was anything.
func Unpin(dir string) (found bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look for pinned kernel programs: %w", err)
	}
	if err := onBPF(dir); err != nil { // whatever it is, it is not ours
		return false, err
	}
	lock, err := lockDirectory(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = removePinned(dir)
	return true, errors.Join(err, os.Remove(dir), lock.Close())
}

// removePinned ends what is pinned in a directory that is locked, and reports
// whether there was anything.
func removePinned(dir string) (found bool, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
	}
	return len(entries) > 0, err
}

// Pinned reports whether kernel programs are pinned in a directory.
func Pinned(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, pinnedSession))
	return err == nil
}

// CanPin reports why Open could not pin in a directory, as far as can be told without
// making it; nil where nothing is in the way.
func CanPin(dir string) error {
	parent := filepath.Dir(dir)
	if err := onBPF(parent); err != nil {
		return err
	}
	if err := unix.Faccessat(unix.AT_FDCWD, parent, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// onBPF checks that a directory is on a BPF file system.
func onBPF(dir string) error {
	var stat unix.Statfs_t
	doing := "pin the kernel programs in " + dir
	if err := unix.Statfs(dir, &stat); err != nil {
		return &Error{doing, "mount a BPF file system above it: mount -t bpf bpf /sys/fs/bpf", err}
	}
	if stat.Type != unix.BPF_FS_MAGIC {
		return &Error{doing, "mount a BPF file system above it (mount -t bpf bpf /sys/fs/bpf), or name a directory on one in daemon.pin_directory",
			errors.New("it is not on a BPF file system")}
	}
	return nil
}

// Start says what the tracer began with.
func (t *Tracer) Start() Start { return t.begun }

// Session returns the session of pinned programs, and zero for others.
func (t *Tracer) Session() Session { return t.session }

// Position is how far the ring was read.
func (t *Tracer) Position() uint64 { return uint64(t.ring.next) }

// Written is how far the ring was written, as Position counts.
func (t *Tracer) Written() uint64 { return uint64(atomic.LoadUintptr(t.ring.producer)) }

// Held is how many bytes of the ring were read and are held back, since Release
// has not been called. For pinned programs only.
func (t *Tracer) Held() uint64 { return uint64(t.ring.next - t.ring.told) }

// Release lets the kernel have the room of all that was read: it will not be read
// again. Where the programs are pinned, that happens by Release only.
func (t *Tracer) Release() { t.ring.commit() }

// Seek goes on at the Position that an earlier agent of the same session had come
// to, and reports whether that is possible.
func (t *Tracer) Seek(position uint64) bool { return t.ring.seek(uintptr(position)) }
