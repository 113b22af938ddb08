// Package command runs the command of procspan exec: it starts a launcher, which
// becomes the command, forwards signals to it, and explains why a command could
// not be started. It knows nothing of tracing.
package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is the command of procspan exec.
type Command struct {
	// Path is the file to execute, Args its arguments from argv[0] on.
	Path string
	Args []string
	Env  []string
	// Credential, when set, is the user it runs as.
	Credential *syscall.Credential
	// Signals are forwarded to the command. One that arrives before the command
	// starts prevents the start, if it would have ended the command.
	Signals <-chan os.Signal
	// HasAlready, when set, reports whether the command, whose pid is given, received
	// the signal itself, as a foreground process group does from its terminal.
	HasAlready func(s os.Signal, pid int) bool
}

// EndingSignal returns the first of the signals received so far that would have
// ended the command, or 0.
func (c *Command) EndingSignal() syscall.Signal {
	for {
		select {
		case s := <-c.Signals:
			if s != unix.SIGCONT && s != unix.SIGWINCH {
				return s.(syscall.Signal)
			}
		default:
			return 0
		}
	}
}

// StartError says that the command could not be started; procspan itself did not
// fail. Code is the exit code of a shell in this case: 127 where there is no such
// file, 126 where it cannot be executed.
type StartError struct {
	Code int
	Err  error
}

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// NewStartError chooses the code and a hint by err.
func NewStartError(path string, err error) *StartError {
	code, hint := 126, ""
	switch {
	case errors.Is(err, os.ErrNotExist) && exists(path):
		code, hint = 127, "the file exists, but the interpreter that its #! line or ELF header names does not"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		code, hint = 127, "check the spelling, and PATH"
	case errors.Is(err, os.ErrPermission):
		hint = "check that the user it runs as may execute the file (chmod +x)"
	case errors.Is(err, syscall.ENOEXEC):
		hint = "it has no #! line and is no binary: run it with its interpreter, such as sh"
	}
	var inner *exec.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	text := fmt.Errorf("run %s: %w", path, err)
	if hint != "" {
		text = fmt.Errorf("%w; %s", text, hint)
	}
	return &StartError{Code: code, Err: text}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
