package enrich

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/internal/boottime"
	"github.com/procspan/procspan/process"
)

// Proc reads running processes from a procfs.
type Proc struct {
	root  string
	shift time.Duration // of its start times, in a time namespace
}

// NewProc returns a reader of the procfs mounted at root, usually "/proc".
func NewProc(root string) Proc { return Proc{root: root, shift: boottime.Shift()} }

// clockTick is the unit of start times in /proc/PID/stat, in nanoseconds: USER_HZ
// is 100 on every architecture of Go's Linux ports.
const clockTick = 10_000_000

// A process decides how long its files are: PR_SET_MM_MAP makes gigabytes of
// arguments and variables out of any mapping. So every read is bounded.
const (
	argsReadMax    = 128 << 10 // arguments beyond are not counted
	environReadMax = 256 << 10 // a process of 2 MiB takes 30 ms to read, and there may be thousands
	variableMax    = 8257      // NAME=value; as much as the BPF programs take
	environmentMax = 16384     // of all variables together; likewise
	cgroupReadMax  = 64 << 10  // hierarchies × PATH_MAX
	statReadMax    = 4096
)

// ErrGone reports that the process has ended, or that its pid was reused.
var ErrGone = errors.New("the process is gone")

// Image returns the program that the process id runs, with up to argsMax bytes of
// its arguments, and the named variables it was started with. What cannot be read
// stays empty.
func (p Proc) Image(id process.ID, argsMax int, variables []string) (process.Image, error) {
	dir := p.dir(id.PID)
	executable, _ := os.Readlink(filepath.Join(dir, "exe"))
	cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
	args, whole, _ := readFile(filepath.Join(dir, "cmdline"), max(argsMax+1, argsReadMax))
	environment, complete := environment(filepath.Join(dir, "environ"), variables)

	if err := p.same(dir, id); err != nil {
		return process.Image{}, err
	}
	image := process.Image{
		Executable:       executable,
		Deleted:          strings.HasSuffix(executable, process.DeletedMark) && unlinked(filepath.Join(dir, "exe")),
		WorkingDirectory: cwd,
		Environment:      environment,
		EnvironmentCut:   !complete,
	}
	if whole {
		image.ArgsCount = bytes.Count(args, []byte{0})
		if len(args) > 0 && args[len(args)-1] != 0 { // rewritten by the process
			image.ArgsCount++
		}
	}
	if len(args) > argsMax {
		args = args[:argsMax]
		image.ArgsCut = true
	}
	image.Args = string(args)
	return image, nil
}

// unlinked reports whether a file has no name any more, so that the mark in its path
// is the kernel's. It asks no file system, which might not answer.
func unlinked(path string) bool {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_NLINK, &stat)
	return err != nil || stat.Nlink == 0
}

// Executable returns the file that the process id runs: its own, or that of the
// process it was forked from.
func (p Proc) Executable(id process.ID) (string, error) {
	dir := p.dir(id.PID)
	executable, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return "", err
	}
	return executable, p.same(dir, id)
}

// readFile reads up to limit bytes of a file of /proc; whole reports whether that
// was all. It avoids os.File, which would register each of the six files of a
// process with the runtime's poller.
func readFile(path string, limit int) (content []byte, whole bool, err error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	content = make([]byte, 0, 1024)
	for len(content) <= limit {
		if len(content) == cap(content) {
			content = slices.Grow(content, len(content))
		}
		n, err := syscall.Read(fd, content[len(content):cap(content)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return content, false, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return content, true, nil
		default:
			content = content[:len(content)+n]
		}
	}
	return content[:limit], false, nil
}

func (p Proc) dir(pid uint32) string {
	return filepath.Join(p.root, strconv.FormatUint(uint64(pid), 10))
}

// same returns an error unless dir still belongs to the process id: a reused pid
// has another start time, compared with the precision of /proc.
func (p Proc) same(dir string, id process.ID) error {
	start, err := startTicks(filepath.Join(dir, "stat"))
	if err != nil {
		return err
	}
	if want := uint64(id.Start.Add(p.shift)) / clockTick; start != want {
		return fmt.Errorf("read %s: %w (started at tick %d, wanted %d)", dir, ErrGone, start, want)
	}
	return nil
}

// environment returns the first variable of each of these names, each ended by a
// NUL. complete is false if it may lack some: they could not be read, or exceed a
// bound.
func environment(path string, names []string) (found string, complete bool) {
	if len(names) == 0 {
		return "", true
	}
	all, complete, _ := readFile(path, environReadMax)
	if !complete {
		all = all[:bytes.LastIndexByte(all, 0)+1] // without the cut one
	}
	missing := slices.Clone(names)
	for len(all) > 0 && len(missing) > 0 {
		variable, rest, _ := bytes.Cut(all, []byte{0})
		all = rest
		i := slices.IndexFunc(missing, func(name string) bool {
			return len(name) < len(variable) && variable[len(name)] == '=' && string(variable[:len(name)]) == name
		})
		switch {
		case i < 0:
			continue
		case len(variable) > variableMax || len(found)+len(variable) >= environmentMax:
			complete = false
		default:
			found += string(variable) + "\x00"
		}
		missing = slices.Delete(missing, i, i+1)
	}
	return found, complete
}

// startTicks returns field 22 of /proc/PID/stat: the start time in clock ticks
// since boot.
func startTicks(path string) (uint64, error) {
	fields, err := statFields(path)
	if err != nil {
		return 0, err
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: start time: %w", path, err)
	}
	return ticks, nil
}

// readStat reads /proc/PID/stat.
func readStat(path string) ([]byte, error) {
	stat, _, err := readFile(path, statReadMax)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // ESRCH: it ended after the open
		return nil, fmt.Errorf("read %s: %w", path, ErrGone)
	}
	return stat, err
}
