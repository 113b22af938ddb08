package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patience is how long a story waits for what must come, however busy the machine is.
const patience = time.Minute

type storyKey struct{}

// story is what one story has under way.
type story struct {
	programs map[string]*program
	sink     *sink
}

func newStory() *story { return &story{programs: make(map[string]*program)} }

func storyOf(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// program is a process that a story started.
type program struct {
	cmd      *exec.Cmd
	out, err *output
	tty      *os.File
	ended    chan struct{}
	kernel   []uint32 // ids of the BPF programs it held
}

// output collects what a program wrote and wakes who waits for more.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// newCommand is a command in the story's directory and environment.
func newCommand(ts *testscript.TestScript, args []string) *exec.Cmd {
	path := args[0]
	if !strings.Contains(path, "/") {
		for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
			if file := filepath.Join(dir, path); unix.Access(file, unix.X_OK) == nil {
				path = file
				break
			}
		}
	}
	return exec.Command(path, args[1:]...)
}

// exits runs a command to its end.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	uid := 0
	if len(args) > 1 && args[0] == "-as" {
		uid, args = number(ts, args[1]), args[2:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits [-as UID] CODE CMD…")
	}
	want, command := number(ts, args[0]), args[1:]
	if uid != 0 {
		command = append([]string{"setpriv", "--reuid=" + strconv.Itoa(uid), "--regid=" + strconv.Itoa(uid),
			"--clear-groups", "--inh-caps=-all", "--bounding-set=-all", publicCopy(ts)}, command[1:]...)
	}
	code := exitCode(ts, ts.Exec(command[0], command[1:]...))
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// publicCopy puts procspan where every user may execute it.
func publicCopy(ts *testscript.TestScript) string {
	dir, err := os.MkdirTemp("", "procspan-story")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Check(os.Chmod(dir, 0o755))
	binary, err := os.Executable()
	ts.Check(err)
	file := filepath.Join(dir, "procspan")
	// Not copied by this process: a child that is being forked at the time
	// would have the file open for writing, and it could not be executed.
	ts.Check(exec.Command("cp", binary, file).Run())
	ts.Check(os.Chmod(file, 0o755))
	return file
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		ts.Fatalf("%v", err)
	case exit.ExitCode() < 0:
		ts.Fatalf("it did not exit: %v", err)
	}
	return exit.ExitCode()
}

// start starts a command, which is killed at the end of the story at the
// latest.
func start(ts *testscript.TestScript, neg bool, args []string) {
	onTTY := len(args) > 0 && args[0] == "-tty"
	if onTTY {
		args = args[1:]
	}
	if neg || len(args) < 2 || storyOf(ts).programs[args[0]] != nil {
		ts.Fatalf("usage: start [-tty] NAME CMD…, with a NAME that is new")
	}
	more := make(chan struct{}, 1)
	p := &program{out: &output{more: more}, err: &output{more: more}, ended: make(chan struct{})}
	p.cmd = newCommand(ts, args[1:])
	p.cmd.Dir = ts.MkAbs(".")
	// More is given by starting it through env.
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR"} {
		if value := ts.Getenv(name); value != "" {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	p.cmd.WaitDelay = time.Second // for what it left behind with its output open
	// A session of its own: no terminal but that of -tty, and all of it can be
	// ended at once.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: onTTY}
	read := make(chan struct{})
	if onTTY {
		terminal, own := openTerminal(ts)
		p.tty = own
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = terminal, terminal, terminal
		defer terminal.Close()
		go func() {
			defer close(read)
			_, _ = io.Copy(p.out, own) // ends with EIO when the terminal has no user left
		}()
	}
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		if onTTY {
			select {
			case <-read:
			case <-time.After(p.cmd.WaitDelay):
			}
			_ = p.tty.Close()
		}
	}()
	ts.Defer(func() {
		select {
		case <-p.ended: // the group's id may be somebody else's
		default:
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.ended
		}
	})
	storyOf(ts).programs[args[0]] = p
}

// openTerminal returns both ends of a new terminal: that of programs, and ours.
func openTerminal(ts *testscript.TestScript) (terminal, own *os.File) {
	own, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	ts.Check(err)
	ts.Check(unix.IoctlSetPointerInt(int(own.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(own.Fd()), unix.TIOCGPTN)
	ts.Check(err)
	ts.Check(unix.IoctlSetWinsize(int(own.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100}))
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	ts.Check(err)
	return terminal, own
}

func programOf(ts *testscript.TestScript, neg bool, args []string, usage string, least, most int) *program {
	if neg || len(args) < least || len(args) > most || storyOf(ts).programs[args[0]] == nil {
		ts.Fatalf("usage: %s, with the NAME of a program that was started", usage)
	}
	return storyOf(ts).programs[args[0]]
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "await NAME REGEXP", 2, 2)
	want, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	timeout := time.After(patience)
	has := func() bool { return want.MatchString(p.out.String()) || want.MatchString(p.err.String()) }
	for !has() {
		select {
		case <-p.out.more:
		case <-p.ended:
			if !has() {
				ts.Fatalf("%s ended (%v) without %#q\nstdout:\n%s\nstderr:\n%s", args[0], p.cmd.ProcessState, args[1], p.out, p.err)
			}
		case <-timeout:
			ts.Fatalf("%s has not written %#q in %s\nstdout:\n%s\nstderr:\n%s", args[0], args[1], patience, p.out, p.err)
		}
	}
}

// keys are what a story writes for the keys that have no letter.
var keys = strings.NewReplacer("^C", "\x03", "^D", "\x04", "^Z", "\x1a", `^\`, "\x1c", `\n`, "\n")

func typeText(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "type NAME TEXT", 2, 2)
	_, err := keys.WriteString(p.tty, args[1])
	ts.Check(err)
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "signal NAME SIG", 2, 2)
	s := unix.SignalNum("SIG" + args[1])
	if s == 0 {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(p.cmd.Process.Signal(s))
}

// ofOthers are the lines that run may log because of any process of the host. No
// span is lost by these.
var ofOthers = regexp.MustCompile(`(?m)^.* level=(WARN msg="TRACEPARENT |ERROR msg=lost reason="(usage|cgroup path|TRACESTATE): ).*\n`)

func ends(ts *testscript.TestScript, neg bool, args []string) {
	p := programOf(ts, neg, args, "ends NAME CODE [TIME]", 2, 3)
	within := patience
	if len(args) == 3 {
		var err error
		within, err = time.ParseDuration(args[2])
		ts.Check(err)
	}
	begin := time.Now()
	select {
	case <-p.ended:
	case <-time.After(within):
		ts.Fatalf("%s has not ended in %s\nstdout:\n%s\nstderr:\n%s", args[0], within, p.out, p.err)
	}
	ts.Logf("%s: %v after %s", args[0], p.cmd.ProcessState, time.Since(begin).Round(time.Millisecond))
	_, _ = io.WriteString(ts.Stdout(), p.out.String())
	_, _ = io.WriteString(ts.Stderr(), ofOthers.ReplaceAllString(p.err.String(), ""))
	if want := number(ts, args[1]); p.cmd.ProcessState.ExitCode() != want {
		ts.Fatalf("%s: %v, want exit code %d\nstdout:\n%s\nstderr:\n%s", args[0], p.cmd.ProcessState, want, p.out, p.err)
	}
}

func killPID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kill-pid FILE")
	}
	ts.Check(syscall.Kill(number(ts, strings.TrimSpace(ts.ReadFile(args[0]))), syscall.SIGKILL))
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}
