package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/agent"
)

// execFailed is the exit code when procspan itself failed and the command says
// nothing; env, timeout and docker use it so.
const execFailed = 125

func newExec() *cobra.Command {
	var s settings
	var keepRoot bool
	cmd := &cobra.Command{
		Use:   "exec [flags] -- CMD [ARG …]",
		Short: "Run a command and trace it and its descendants",
		Long: `Run CMD, trace it and its descendants only, and end as CMD ended: with its exit
code, or 128+n when signal n killed it. 127 means there is no such command, 126
that it cannot be executed, 125 that procspan itself failed.

Standard input, output and error and signals are CMD's. Started through sudo,
CMD runs as the user who called sudo, unless --keep-root is given.

Without an exporter, the finished tree is shown on standard error.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exitError{execFailed, errors.New("exec needs a command to run: procspan exec -- CMD [ARG …]")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := execute(&s, args, keepRoot)
			var start *agent.StartError
			switch {
			case errors.As(err, &start):
				code = start.Code
			case code < 0: // the command did not run
				code = execFailed
			}
			return &exitError{code, err}
		},
	}
	// A wrong call must not look like CMD's own exit code.
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &exitError{execFailed, fmt.Errorf("%w; see procspan exec --help", err)}
	})
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&keepRoot, "keep-root", false, "stay root when started through sudo")
	s.addFlags(cmd)
	return cmd
}

// execute returns the command's exit code, or less than 0.
func execute(s *settings, args []string, keepRoot bool) (code int, err error) {
	c, err := s.load()
	if err != nil {
		return -1, err
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return -1, agent.NewStartError(args[0], err)
	}
	command := agent.Command{
		Path: path, Args: args, Env: os.Environ(), Width: terminalWidth(),
		Signals: commandSignals(), HasAlready: hasAlready,
	}
	if !keepRoot {
		command.Credential, command.Env, err = sudoUser(os.Geteuid(), command.Env)
		if err != nil {
			return -1, err
		}
	}
	fewProcessors()
	return agent.Exec(agent.Options{
		Config:  c,
		Version: version,
		Log:     s.logger(),
		Console: os.Stderr,
	}, command)
}

// commandSignals returns the signals that are meant for the command.
func commandSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 16)
	all := []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGALRM, unix.SIGCONT, unix.SIGWINCH,
	}
	for n := sigrtmin + 1; n <= 64; n++ {
		all = append(all, syscall.Signal(n))
	}
	for _, s := range all {
		// A hangup or an interrupt that is ignored from the start, as nohup has
		// it, stays so for the command. Of other signals Go's runtime does not
		// keep it.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	// Caught, it makes writing to a pipe that nobody reads an error, and not
	// the end of procspan before the command's.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	return signals
}

// sigrtmin is the first real-time signal of a program; the C libraries keep
// those before it.
const sigrtmin = 34

// hasAlready reports whether the command has the signal from the terminal:
// Ctrl-C and Ctrl-\ go to the whole foreground process group, if that is the
// command's. One that was sent by kill looks the same, and is not passed on then.
func hasAlready(s os.Signal, pid int) bool {
	return (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground(pid)
}

// inForeground reports whether the process is in the group that the controlling
// terminal sends signals to.
func inForeground(pid int) bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer terminal.Close()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return false
	}
	group, err := unix.Getpgid(pid)
	return err == nil && group == foreground
}

// terminalWidth is that of the terminal on standard error, in characters.
func terminalWidth() int {
	size, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 100
	}
	return int(size.Col)
}
