package command

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/internal/capability"
)

// A command finds the id of its own span in its environment. That id is made from
// the command's pid and start time, which exist only after the fork. So procspan
// starts itself as a launcher, which waits for the variables to set and then
// becomes the command. It changes its user only then: that user need not be
// allowed to execute procspan.

// A launcher's arguments.
const (
	launcherName    = "procspan-launcher" // argv[0]
	launcherOrders  = 1                   // the file it reads the user to become and variables to set from
	launcherFailed  = 2                   // the file it writes a failure to
	launcherCommand = 3                   // the file to execute, followed by its arguments
)

// failure is the step at which a launcher failed.
type failure struct {
	Step  uint32
	Errno uint32
}

const (
	stepUser uint32 = iota + 1
	stepCapabilities
	stepExec
)

// IsLauncher reports whether this process was started as a launcher.
func IsLauncher() bool { return os.Args[0] == launcherName && len(os.Args) > launcherCommand+1 }

// Become makes this launcher the command. It does not return.
func Become() {
	ordersFile, err1 := inherited(os.Args[launcherOrders])
	failedFile, err2 := inherited(os.Args[launcherFailed])
	if err1 != nil || err2 != nil {
		os.Exit(execAborted)
	}
	var o orders
	if json.NewDecoder(ordersFile).Decode(&o) != nil { // procspan ended meanwhile
		os.Exit(execAborted)
	}
	env := os.Environ()
	for _, variable := range o.Variables {
		env = setVariable(env, variable)
	}
	step, err := stepUser, become(o.User)
	if err == nil {
		// The binary's file capabilities would open, and execute, what the user may not.
		step, err = stepCapabilities, capability.Drop()
	}
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

// orders are what a launcher does before it becomes the command.
type orders struct {
	User      *syscall.Credential // to become; nil is none
	Variables []string            // NAME=value to set in the environment, NAME to remove
}

// become changes the user of this process.
func become(user *syscall.Credential) error {
	if user == nil {
		return nil
	}
	groups := make([]int, len(user.Groups))
	for i, id := range user.Groups {
		groups[i] = int(id)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(int(user.Gid)); err != nil {
		return err
	}
	return syscall.Setuid(int(user.Uid))
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

// execAborted is the exit code of a launcher whose exec did not happen.
const execAborted = 125

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

// Launcher is a running launcher.
type Launcher struct {
	process        *os.Process
	command        *Command
	orders, failed *os.File
}

// Start starts a launcher for the command, without the ambient capabilities that
// procspan may hold.
func Start(c *Command) (*Launcher, error) {
	fail := func(err error) (*Launcher, error) {
		return nil, fmt.Errorf("start the launcher of %s: %w", c.Path, err)
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

	// Ambient capabilities belong to the thread, and the child is forked from this
	// one. Old kernels without them have nothing to clear.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	args := []string{launcherName, ordersEnd.Name(), failedEnd.Name(), c.Path}
	process, err := os.StartProcess("/proc/self/exe", append(args, c.Args...), &os.ProcAttr{
		Env:   c.Env,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		orders.Close()
		failed.Close()
		return fail(fmt.Errorf("%w; is /proc mounted?", err))
	}
	return &Launcher{process: process, command: c, orders: orders, failed: failed}, nil
}

// childPipe returns the two ends of a pipe: ours, and the child's, 0 to read and
// 1 to write. The child's is named by its number and stays open in the child,
// without replacing a file that the command inherits.
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

// Launch makes the launcher become the command, with these variables, NAME=value,
// in its environment. The error is a *StartError where the command is at fault.
func (l *Launcher) Launch(variables []string) error {
	err := json.NewEncoder(l.orders).Encode(orders{l.command.Credential, variables})
	err = errors.Join(err, l.orders.Close())
	path := l.command.Path
	if err != nil && !errors.Is(err, syscall.EPIPE) { // EPIPE: it was killed, which Wait reports
		_, abortErr := l.Abort()
		return fmt.Errorf("launch %s: %w", path, errors.Join(err, abortErr))
	}
	var f failure
	err = binary.Read(l.failed, binary.NativeEndian, &f)
	l.failed.Close()
	if err != nil { // the exec closed the pipe
		return nil
	}
	_, err = l.process.Wait()
	errno := syscall.Errno(f.Errno)
	switch {
	case f.Step == stepUser && l.command.Credential != nil:
		return errors.Join(fmt.Errorf("launch %s: become user %d: %w", path, l.command.Credential.Uid, errno), err)
	case f.Step == stepCapabilities:
		return errors.Join(fmt.Errorf("launch %s: give up procspan's capabilities: %w; build procspan with CGO_ENABLED=0", path, errno), err)
	}
	return errors.Join(NewStartError(path, &os.PathError{Op: "exec", Path: path, Err: errno}), err)
}

// Abort ends a launcher that is not needed. It returns the signal that had killed
// it before, or 0.
func (l *Launcher) Abort() (syscall.Signal, error) {
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

// Wait waits for the command and forwards signals to it meanwhile.
func (l *Launcher) Wait() (*os.ProcessState, error) {
	c := l.command
	ended, gone := make(chan struct{}), make(chan struct{})
	defer func() {
		close(ended)
		<-gone
	}()
	go func() {
		defer close(gone)
		for {
			select {
			case s := <-c.Signals:
				if c.HasAlready != nil && c.HasAlready(s, l.process.Pid) {
					continue
				}
				_ = l.process.Signal(s) // fails where the command has just ended
			case <-ended:
				return
			}
		}
	}()
	state, err := l.process.Wait()
	if err != nil {
		return nil, fmt.Errorf("wait for %s: %w", c.Path, err)
	}
	return state, nil
}
