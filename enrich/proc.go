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

	"github.com/procspan/procspan/process"
)

// Proc reads what /proc knows of living processes.
type Proc struct {
	root string
}

// NewProc returns a reader of the procfs mounted at root, "/proc" as a rule.
func NewProc(root string) Proc { return Proc{root: root} }

// clockTick is the unit of start times in /proc/PID/stat, in nanoseconds:
// USER_HZ is 100 on every architecture that Go has a Linux port for.
const clockTick = 10_000_000

// ErrGone says that the process has ended, or that its pid belongs to another.
var ErrGone = errors.New("the process is gone")

// Image returns what the process id runs, with up to argsMax bytes of its
// arguments, and the variables of these names that it was started with. Files
// that may not be read leave their part empty.
func (p Proc) Image(id process.ID, argsMax int, variables []string) (process.Image, error) {
	dir := p.dir(id.PID)
	executable, _ := os.Readlink(filepath.Join(dir, "exe"))
	cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
	args, _ := readFile(filepath.Join(dir, "cmdline"))
	environment, complete := environment(filepath.Join(dir, "environ"), variables)

	if err := same(dir, id); err != nil {
		return process.Image{}, err
	}
	image := process.Image{
		Executable:       executable,
		WorkingDirectory: cwd,
		ArgsCount:        bytes.Count(args, []byte{0}),
		Environment:      environment,
		EnvironmentCut:   !complete,
	}
	if len(args) > 0 && args[len(args)-1] != 0 { // it has rewritten them
		image.ArgsCount++
	}
	if len(args) > argsMax {
		args = args[:argsMax]
		image.ArgsCut = true
	}
	image.Args = string(args)
	return image, nil
}

// Executable returns the file that the process id runs, its own or that of the
// process that it was forked from.
func (p Proc) Executable(id process.ID) (string, error) {
	dir := p.dir(id.PID)
	executable, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return "", err
	}
	return executable, same(dir, id)
}

// readFile reads a whole file of /proc. It does without os.File, which would
// offer each to the runtime's poller: there are six for each living process.
func readFile(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	content := make([]byte, 0, 1024)
	for {
		n, err := syscall.Read(fd, content[len(content):cap(content)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return content, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return content, nil
		default:
			content = content[:len(content)+n]
		}
		if len(content) == cap(content) {
			content = slices.Grow(content, len(content))
		}
	}
}

func (p Proc) dir(pid uint32) string {
	return filepath.Join(p.root, strconv.FormatUint(uint64(pid), 10))
}

// same returns an error unless what was read from dir is of the process id: the
// pid was reused in between unless the start time is still the same, as exactly
// as /proc tells it.
func same(dir string, id process.ID) error {
	start, err := startTicks(filepath.Join(dir, "stat"))
	if err != nil {
		return err
	}
	if want := id.Start / clockTick; start != want {
		return fmt.Errorf("read %s: %w (started at tick %d, wanted %d)", dir, ErrGone, start, want)
	}
	return nil
}

// environment returns the variables of these names, each ended by a NUL;
// complete is false when they could not be read.
func environment(path string, names []string) (found string, complete bool) {
	if len(names) == 0 {
		return "", true
	}
	all, err := readFile(path)
	for variable := range bytes.SplitSeq(all, []byte{0}) {
		name, _, ok := bytes.Cut(variable, []byte{'='})
		if ok && slices.Contains(names, string(name)) {
			found += string(variable) + "\x00"
		}
	}
	return found, err == nil
}

// startTicks returns field 22 of /proc/PID/stat: when the process started, in
// clock ticks since boot.
func startTicks(path string) (uint64, error) {
	stat, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH): // ESRCH: it ended after the open
		return 0, fmt.Errorf("read %s: %w", path, ErrGone)
	case err != nil:
		return 0, err
	}
	// The name, field 2, is in parentheses and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("read %s: no name in it", path)
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("read %s: it has %d fields after the name, want 20 or more", path, len(fields))
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: start time: %w", path, err)
	}
	return ticks, nil
}
