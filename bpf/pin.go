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

	"github.com/procspan/procspan/internal/safedir"
)

// Pinned programs keep running after the agent ends, however it ends. A directory of
// a BPF file system holds their links, which keep them attached; the programs and
// maps that the next agent needs; and the session, which identifies them. The session
// is pinned last: a directory without one is incomplete.

// Origin is where the BPF programs of a Tracer come from.
type Origin int

// The origins.
const (
	// Fresh: this agent loaded them, and none were pinned.
	Fresh Origin = iota
	// TakenOver: a previous agent pinned them. They kept running; their records since
	// are in the ring.
	TakenOver
	// Replaced: this agent loaded them in place of pinned ones, which were of another
	// version or for other options. The unread records of those are lost.
	Replaced
)

// Session identifies one attachment of pinned programs. Positions of the ring are
// comparable within a session only.
type Session [16]byte

// sessionValue is the value of the pinned map of that name.
type sessionValue struct {
	Identity [sha256.Size]byte
	Session  Session
}

// identity is equal for programs that can replace each other: those with the same
// code and the same values set by Open.
func identity(o Options, f features) [sha256.Size]byte {
	o.Pin = ""
	sum := sha256.New()
	sum.Write(_ProcspanBytes)
	fmt.Fprintf(sum, "%+v %+v", o, f)
	return [sha256.Size]byte(sum.Sum(nil))
}

// pinnable lists the pinned objects by their names in the directory.
func (t *Tracer) pinnable() (programs map[string]**ebpf.Program, maps map[string]**ebpf.Map) {
	o := &t.objects
	return map[string]**ebpf.Program{
			procspanProgOnSignal: &o.OnSignal, procspanProgOnExit: &o.OnExit,
			procspanProgOnExec: &o.OnExec, procspanProgOnFork: &o.OnFork,
			procspanProgListRunning: &o.ListRunning,
		}, map[string]**ebpf.Map{
			procspanMapEvents: &o.Events, procspanMapLosses: &o.Losses,
			procspanMapTrees: &o.Trees, procspanMapTreeSlots: &o.TreeSlots, procspanMapMarks: &o.Marks,
			procspanMapTreeCounts: &o.TreeCounts, procspanMapTreeNames: &o.TreeNames,
			procspanMapRulesStates: &o.RulesStates, procspanMapRuleSets: &o.RuleSets,
			procspanMapRuleTexts: &o.RuleTexts, procspanMapRuleUsers: &o.RuleUsers,
		}
}

const (
	pinnedSession = "session"
	linkPrefix    = "link_"
)

// errIncompatible reports pinned programs that do not fit these Options.
var errIncompatible = errors.New("the pinned BPF programs are of another version, or for other options")

// lockPins creates the directory for pins, or uses an existing one, and locks it until
// the returned file is closed: of two agents that read one ring, each would take
// records from the other.
func lockPins(dir string) (*os.File, error) {
	for {
		err := os.Mkdir(dir, 0o700)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, unwritable(dir, err)
		case err != nil && !errors.Is(err, fs.ErrExist):
			return nil, err
		}
		if err := ownPins(dir); err != nil {
			return nil, err
		}
		lock, err := lockDirectory(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another agent removed it meanwhile
		}
		return lock, err
	}
}

// ownPins refuses an existing directory that another user made, writes to or can lock: an agent
// would take over programs that it did not load, or never get the lock.
func ownPins(dir string) error {
	d, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	var unsafe *safedir.UnsafeError
	if err := safedir.Check(d, 0o077); errors.As(err, &unsafe) {
		return &Error{"use the BPF programs in " + dir, "remove the directory, and mount the BPF file system with mode=0700 so that others cannot create it",
			errors.New("it " + unsafe.Problem)}
	} else if err != nil {
		return err
	}
	return nil
}

func unwritable(dir string, err error) error {
	return &Error{"create the directory " + dir, "let the user that procspan runs as write to " + filepath.Dir(dir) + ", or run it as root", err}
}

// lockDirectory locks a directory. The error is fs.ErrNotExist if there is none.
func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	doing := "use the BPF programs in " + dir
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = &Error{doing, "stop the procspan that runs with this daemon.pin_directory first", errors.New("another procspan uses them")}
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
			err = fs.ErrNotExist // replaced before it was locked
		}
	}
	return nil, errors.Join(err, lock.Close())
}

// takeOver opens the pinned objects. The error is fs.ErrNotExist if there are none,
// and errIncompatible if they cannot be used.
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
	t := &Tracer{decoder: NewDecoder(), features: f, session: session.Session, origin: TakenOver}
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
		if name == procspanProgListRunning {
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

// pin makes the attached programs outlive the agent.
func (t *Tracer) pin(o Options) (err error) {
	defer func() {
		if err != nil {
			_, removeErr := removePinned(o.Pin)
			if !errors.As(err, new(*Error)) {
				err = explain("pin the BPF programs in "+o.Pin, err)
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

// Unpin detaches the programs pinned in a directory, unless an agent uses them, and
// removes the directory. It reports whether there were any.
func Unpin(dir string) (found bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look for pinned BPF programs: %w", err)
	}
	if err := onBPF(dir); err != nil { // the directory is not procspan's
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

// removePinned removes all pins in a locked directory, and reports whether there were
// any.
func removePinned(dir string) (found bool, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
	}
	return len(entries) > 0, err
}

// Pinned reports whether BPF programs are pinned in a directory.
func Pinned(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, pinnedSession))
	return err == nil
}

// CanPin returns why Open could not pin in a directory, as far as that shows without
// creating it; nil if nothing prevents it.
func CanPin(dir string) error {
	parent := filepath.Dir(dir)
	if err := onBPF(parent); err != nil {
		return err
	}
	if err := unix.Faccessat(unix.AT_FDCWD, parent, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return unwritable(dir, err)
	}
	return ownPins(dir)
}

// onBPF checks that a directory is on a BPF file system.
func onBPF(dir string) error {
	var stat unix.Statfs_t
	doing := "pin the BPF programs in " + dir
	if err := unix.Statfs(dir, &stat); err != nil {
		return &Error{doing, "mount a BPF file system above it: mount -t bpf bpf /sys/fs/bpf", err}
	}
	if stat.Type != unix.BPF_FS_MAGIC {
		return &Error{doing, "mount a BPF file system above it (mount -t bpf bpf /sys/fs/bpf), or name a directory on one in daemon.pin_directory",
			errors.New("it is not on a BPF file system")}
	}
	return nil
}

// Origin returns where the programs come from.
func (t *Tracer) Origin() Origin { return t.origin }

// Session returns the session of pinned programs, and zero for others.
func (t *Tracer) Session() Session { return t.session }

// Position returns how far the ring was read.
func (t *Tracer) Position() uint64 { return uint64(t.ring.next) }

// Written returns how far the ring was written, on the scale of Position.
func (t *Tracer) Written() uint64 { return uint64(atomic.LoadUintptr(t.ring.producer)) }

// Held returns how many bytes of the ring were read but not released. It is for
// pinned programs only.
func (t *Tracer) Held() uint64 { return uint64(t.ring.next - t.ring.released) }

// Release frees the room of all records read: they will not be read again. With
// pinned programs nothing else does.
func (t *Tracer) Release() { t.ring.commit() }

// Seek moves to the Position that an earlier agent of the same session had reached,
// and reports whether that is possible.
func (t *Tracer) Seek(position uint64) bool { return t.ring.seek(uintptr(position)) }
