package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/internal/capability"
	"github.com/procspan/procspan/otelexport"
)

// execFailed is the exit code when procspan itself fails, as with env, timeout and
// docker.
const execFailed = 125

func newExec() *cobra.Command {
	var s settings
	var keepRoot bool
	var r reportFlags
	var decide ruleFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] -- CMD [ARG …]",
		Short: "Run a command and trace it and its descendants",
		Long: `Run CMD, trace it and its descendants only, and exit as CMD does: with its exit
code, or 128+n if signal n killed it. 127 means that there is no such command, 126
that it cannot be executed, 125 that procspan itself failed.

Standard input, output and error, and signals, are CMD's. Through sudo, CMD runs
as the user who called sudo, unless --keep-root is given.

Without an exporter, a summary and the finished tree are printed on standard error.
--report, --summary and --export write the job to files, with an exporter or
without; procspan view, export and diff read the report.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exitError{execFailed, errors.New("exec needs a command: procspan exec -- CMD [ARG …]")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := execute(&s, args, keepRoot, &r, &decide)
			var start *command.StartError
			switch {
			case errors.As(err, &start):
				code = start.Code
			case code < 0: // the command did not run
				code = execFailed
			}
			return &exitError{code, err}
		},
	}
	// A usage error must not look like CMD's exit code.
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &exitError{execFailed, fmt.Errorf("%w; see procspan exec --help", err)}
	})
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&keepRoot, "keep-root", false, "run CMD as root, also through sudo")
	r.add(cmd)
	decide.add(cmd)
	s.addFlags(cmd)
	return cmd
}

// execute returns the command's exit code, or a negative number without one.
func execute(s *settings, args []string, keepRoot bool, r *reportFlags, decide *ruleFlags) (code int, err error) {
	if err := capability.GiveUp(); err != nil && !errors.Is(err, syscall.ENOTSUP) {
		return -1, err
	}
	conf, err := s.loadForCommand()
	if err == nil {
		conf, err = decide.apply(conf)
	}
	if err != nil {
		return -1, err
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return -1, command.NewStartError(args[0], err)
	}
	c := command.Command{
		Path: path, Args: args, Env: os.Environ(),
		Signals: commandSignals(), HasAlready: hasAlready,
	}
	if !keepRoot {
		c.Credential, c.Env, err = sudoUser(os.Geteuid(), c.Env)
		if err != nil {
			return -1, err
		}
	}
	reports, err := r.create(c.Credential)
	if err != nil {
		return -1, err
	}
	fewProcessors()
	log := s.logger()
	otelexport.LogGRPC(log)
	code, err = agent.Exec(agent.Options{
		Config:   conf,
		Memory:   limitMemory(),
		Version:  version,
		Log:      log,
		Console:  os.Stderr,
		Stdout:   os.Stdout,
		Terminal: titled(os.Stderr, os.Getenv("TERM")),
		Width:    terminalWidth(),
		Ready:    prioritize,
		Reports:  reports,
	}, c)
	return code, errors.Join(err, discard(reports))
}

// commandSignals returns the signals to pass on to the command.
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
		// SIGHUP and SIGINT that are ignored from the start, as under nohup, stay
		// ignored for the command. Go's runtime does not report that of others.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	// Caught, SIGPIPE makes a write to a broken pipe an error, instead of ending
	// procspan before the command.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	return signals
}

// sigrtmin is the first real-time signal that C libraries leave to programs.
const sigrtmin = 34

// hasAlready reports whether the command has the signal from the terminal:
// Ctrl-C and Ctrl-\ go to the whole foreground process group, if that is the
// command's. One that was sent by kill looks the same, and is not passed on then.
func hasAlready(s os.Signal, pid int) bool {
	return (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground(pid)
}

// inForeground reports whether the process is in the foreground process group of
// the controlling terminal.
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

// terminalWidth is the width of the terminal on standard error, in columns.
func terminalWidth() int { return columns(os.Stderr) }

// titled returns the terminal that f is, if its kind has a title; else nil.
func titled(f *os.File, kind string) *os.File {
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	known := []string{"xterm", "tmux", "screen", "rxvt", "alacritty", "foot", "wezterm", "konsole", "vte", "st-"}
	if !slices.ContainsFunc(known, func(prefix string) bool { return strings.HasPrefix(kind, prefix) }) {
		return nil
	}
	return f
}

// columns is the width of a terminal, or a usual one of anything else.
func columns(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 100
	}
	return int(size.Col)
}
