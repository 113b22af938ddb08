package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A command must find the id of its own span in its environment. That id is
// made from its pid and its start time, which nobody knows before it is forked.
// So procspan starts itself as the launcher, which waits until it is told what
// to put into the environment, and then becomes the command. Who the command is
// run as it becomes only then: that user need not be one who may execute procspan.

// A launcher's arguments.
const (
	launcherName    = "procspan-launcher" // argv[0]
	launcherOrders  = 1                   // the file it reads the user to become and variables to set from
	launcherFailed  = 2                   // the file it writes a failure to
	launcherCommand = 3                   // the file to execute, followed by its arguments
)

// failure is what a launcher could not do.
type failure struct {
	Step  uint32
	Errno uint32
}

const (
	stepUser uint32 = iota + 1
	stepExec
)

// IsLauncher reports whether this process was started as a launcher.
func IsLauncher() bool { return os.Args[0] == launcherName && len(os.Args) > launcherCommand+1 }

// Launch becomes the command. It does not return.
func Launch() {
	ordersFile, err1 := inherited(os.Args[launcherOrders])
	failedFile, err2 := inherited(os.Args[launcherFailed])
	if err1 != nil || err2 != nil {
		os.Exit(execAborted)
	}
	text, err := io.ReadAll(ordersFile)
	orders, whole := strings.CutSuffix(string(text), endOfOrders)
	if err != nil || !whole { // procspan has ended meanwhile
		os.Exit(execAborted)
	}
	user, variables, _ := strings.Cut(orders, "\x00")
	env := os.Environ()
	for variable := range strings.SplitSeq(variables, "\x00") {
		env = setVariable(env, variable)
	}
	step, err := stepUser, become(user)
	if err == nil {
		step, err = stepExec, syscall.Exec(os.Args[launcherCommand], os.Args[launcherCommand+1:], env)
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EINVAL
	}
	_ = binary.Write(failedFile, binary.NativeEndian, failure{step, uint32(errno)})
	os.Exit(execAborted)
}

// userText is a credential as become reads it: "" for none, else the ids of the
// user, the group and the other groups.
func userText(c *syscall.Credential) string {
	if c == nil {
		return ""
	}
	text := fmt.Sprintf("%d,%d", c.Uid, c.Gid)
	for _, group := range c.Groups {
		text += fmt.Sprintf(",%d", group)
	}
	return text
}

// become makes this process the user's.
func become(user string) error {
	if user == "" {
		return nil
	}
	var ids []int
	for text := range strings.SplitSeq(user, ",") {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return err
		}
		ids = append(ids, int(id))
	}
	if err := syscall.Setgroups(ids[2:]); err != nil {
		return err
	}
	if err := syscall.Setgid(ids[1]); err != nil {
		return err
	}
	return syscall.Setuid(ids[0])
}

// inherited opens a descriptor, for this process alone.
func inherited(number string) (*os.File, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), number), nil
}

const (
	// execAborted is the exit code of a launcher whose exec did not happen.
	execAborted = 125
	// endOfOrders tells the end of the orders from that of procspan.
	endOfOrders = "\x00\n"
)

// setVariable sets NAME=value in env; NAME alone removes it.
func setVariable(env []string, variable string) []string {
	name, _, set := strings.Cut(variable, "=")
	at := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	switch {
	case name == "":
	case at < 0 && set:
		return append(env, variable)
	case at >= 0 && set:
		env[at] = variable
	case at >= 0:
		return slices.Delete(env, at, at+1)
	}
	return env
}

// launcher is a started launcher.
type launcher struct {
	process        *os.Process
	command        Command
	orders, failed *os.File
}

// startLauncher starts a launcher for the command, with none of the ambient
// capabilities that procspan may have been given.
func startLauncher(command Command) (*launcher, error) {
	fail := func(err error) (*launcher, error) {
		return nil, fmt.Errorf("start the launcher of %s: %w", command.Path, err)
	}
	orders, ordersEnd, err := childPipe(0)
	if err != nil {
		return fail(err)
	}
	defer ordersEnd.Close()
	failed, failedEnd, err := childPipe(1)
	if err != nil {
		orders.Close()
		return fail(err)
	}
	defer failedEnd.Close()

	// They are the thread's, and the child is forked from this one. Old kernels
	// without them have nothing to clear.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	args := []string{launcherName, ordersEnd.Name(), failedEnd.Name(), command.Path}
	process, err := os.StartProcess("/proc/self/exe", append(args, command.Args...), &os.ProcAttr{
		Env:   command.Env,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		orders.Close()
		failed.Close()
		return fail(fmt.Errorf("%w; is /proc mounted?", err))
	}
	return &launcher{process: process, command: command, orders: orders, failed: failed}, nil
}

// childPipe returns the two ends of a pipe: ours, and the child's, 0 to read and
// 1 to write, which is named by its number and stays open in the child. It must
// not take the place of a file that the command inherits.
func childPipe(end int) (ours, childs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fds[end]), unix.F_SETFD, 0); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a pipe: %w", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[1-end]), ""), os.NewFile(uintptr(fds[end]), strconv.Itoa(fds[end])), nil
}

// launch has the launcher become the command, with these variables, NAME=value,
// in its environment. A *StartError says that it could not.
func (l *launcher) launch(variables []string) error {
	orders := append([]string{userText(l.command.Credential)}, variables...)
	_, err := l.orders.WriteString(strings.Join(orders, "\x00") + endOfOrders)
	err = errors.Join(err, l.orders.Close())
	path := l.command.Path
	if err != nil && !errors.Is(err, syscall.EPIPE) { // it was killed: waiting tells
		_, abortErr := l.abort()
		return fmt.Errorf("launch %s: %w", path, errors.Join(err, abortErr))
	}
	var f failure
	err = binary.Read(l.failed, binary.NativeEndian, &f)
	l.failed.Close()
	if err != nil { // the end: it is the command now
		return nil
	}
	_, err = l.process.Wait()
	errno := syscall.Errno(f.Errno)
	if f.Step == stepUser {
		return errors.Join(fmt.Errorf("launch %s: become user %d: %w", path, l.command.Credential.Uid, errno), err)
	}
	return errors.Join(NewStartError(path, &os.PathError{Op: "exec", Path: path, Err: errno}), err)
}

// abort ends a launcher that is not needed. It returns the signal that had ended
// it before, or 0.
func (l *launcher) abort() (syscall.Signal, error) {
	l.orders.Close()
	l.failed.Close()
	state, err := l.process.Wait()
	if err != nil {
		return 0, err
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return status.Signal(), nil
	}
	return 0, nil
}
