package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// state is all that an agent knows at a position of the ring, for the next one
// to go on from there: what comes after the position the ring still has.
type state struct {
	boot     string
	session  [16]byte
	position uint64
	// table is process.Table's snapshot, pending what the exporter holds, clock the
	// history of the clock.
	table, pending, clock []byte
	// paths are those of cgroups, by their ids; the kernel side tells each once.
	paths map[uint64]string
	// told are the losses that the log knows of, ends how many ends of programs the
	// kernel had lost.
	told map[string]uint64
	ends uint64
}

// stateMagic begins a state file, with the version of its format.
const stateMagic = "procspan state 1\n"

// errNoState says that there is none to go on from.
var errNoState = errors.New("there is no state of this boot")

var checksums = crc32.MakeTable(crc32.Castagnoli)

// append appends the state as it stands in its file.
func (s *state) append(b []byte) []byte {
	from := len(b)
	b = append(b, stateMagic...)
	b = appendBytes(b, s.boot)
	b = append(b, s.session[:]...)
	b = binary.LittleEndian.AppendUint64(b, s.position)
	b = binary.LittleEndian.AppendUint64(b, s.ends)
	b = appendBytes(b, s.table)
	b = appendBytes(b, s.pending)
	b = appendBytes(b, s.clock)
	b = binary.AppendUvarint(b, uint64(len(s.paths)))
	for id, path := range s.paths {
		b = binary.AppendUvarint(b, id)
		b = appendBytes(b, path)
	}
	b = binary.AppendUvarint(b, uint64(len(s.told)))
	for reason, count := range s.told {
		b = appendBytes(b, reason)
		b = binary.AppendUvarint(b, count)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], checksums))
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// parseState reads what append has written.
func parseState(b []byte) (s state, err error) {
	if len(b) < 4 || !strings.HasPrefix(string(b[:min(len(b), len(stateMagic))]), stateMagic) {
		return s, errors.New("it is not a state file of this version")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, checksums) != sum {
		return s, errors.New("its checksum is wrong: it was damaged")
	}
	r := stateReader{b: body[len(stateMagic):]}
	s.boot = string(r.bytes())
	copy(s.session[:], r.next(len(s.session)))
	s.position, s.ends = r.fixed(), r.fixed()
	s.table, s.pending, s.clock = r.bytes(), r.bytes(), r.bytes()
	s.paths, s.told = make(map[uint64]string), make(map[string]uint64)
	for n := r.number(); n > 0 && !r.bad; n-- {
		id := r.number()
		s.paths[id] = string(r.bytes())
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		reason := string(r.bytes())
		s.told[reason] = r.number()
	}
	if r.bad || len(r.b) > 0 {
		return state{}, errors.New("it is not whole")
	}
	return s, nil
}

// stateReader reads; from the first thing that is not there on it is bad.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *stateReader) fixed() uint64 {
	b := r.next(8)
	if r.bad {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *stateReader) next(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *stateReader) bytes() []byte { return r.next(int(min(r.number(), uint64(1)<<40))) }

// stateDir is the directory of a state, locked against other agents.
type stateDir struct {
	path string
	lock *os.File
	buf  []byte // of the file that is written next
}

// openState locks a directory, which it makes where it is not there.
func openState(path string) (*stateDir, error) {
	doing := "use the state directory " + path
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w; name one that procspan may write to in daemon.state_directory", doing, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		who := make([]byte, 16)
		n, _ := lock.ReadAt(who, 0)
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: procspan is at work with it already, as pid %s; end that one first", doing, strings.TrimSpace(string(who[:n])))
		}
		return nil, fmt.Errorf("lock the state directory %s: %w", path, err)
	}
	d := &stateDir{path: path, lock: lock}
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people only
	}
	return d, nil
}

func (d *stateDir) file() string { return filepath.Join(d.path, "state") }

// load returns the state of this boot, or errNoState.
func (d *stateDir) load(boot string) (state, error) {
	b, err := os.ReadFile(d.file())
	if errors.Is(err, os.ErrNotExist) {
		return state{}, errNoState
	}
	if err != nil {
		return state{}, fmt.Errorf("read the state: %w", err)
	}
	s, err := parseState(b)
	if err != nil {
		return state{}, fmt.Errorf("read the state %s: %w", d.file(), err)
	}
	if s.boot != boot {
		return state{}, errNoState
	}
	return s, nil
}

// save puts a state in the place of the one before. A process that is killed
// meanwhile leaves one of the two; what a power cut does, no state outlives.
func (d *stateDir) save(s *state) error {
	d.buf = s.append(d.buf[:0])
	next := d.file() + ".new"
	if err := os.WriteFile(next, d.buf, 0o600); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := os.Rename(next, d.file()); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// remove takes the state away, for good.
func (d *stateDir) remove() error {
	if err := os.Remove(d.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the state: %w", err)
	}
	return nil
}

// close lets other agents have the directory.
func (d *stateDir) close() error { return d.lock.Close() }
