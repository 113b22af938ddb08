package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// prompt is what the shell in a terminal is told to prompt with.
const prompt = "ready> "

// terminal is an interactive bash and the terminal that it has, which the test
// types on.
type terminal struct {
	cmd  *exec.Cmd
	keys *os.File // the side of the keys and the screen
}

// openTerminal starts an interactive bash in dir and returns when it prompts.
func openTerminal(t *testing.T, dir string) *terminal {
	t.Helper()
	keys, screen, err := openPTY()
	if err != nil {
		t.Fatalf("open a pseudo-terminal: %v", err)
	}
	defer screen.Close()
	cmd := exec.Command("bash", "--norc", "-i")
	cmd.Dir, cmd.Env = dir, append(cleanEnviron(), "PS1="+prompt, "TERM=dumb", "HISTFILE=/dev/null")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a shell: %v", err)
	}
	term := &terminal{cmd: cmd, keys: keys}
	t.Cleanup(func() {
		keys.Close() // hangs up on what still runs
		cmd.Process.Kill()
		cmd.Wait()
	})
	term.awaitPrompt(t)
	return term
}

// openPTY returns the two sides of a new pseudo-terminal.
func openPTY() (keys, screen *os.File, err error) {
	keys, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	var n int
	var unlockErr, numberErr error
	conn, err := keys.SyscallConn() // Fd would make reads ignore their deadline
	if err == nil {
		err = conn.Control(func(fd uintptr) {
			unlockErr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
			n, numberErr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		})
	}
	if err = errors.Join(err, unlockErr, numberErr); err == nil {
		screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		keys.Close()
	}
	return keys, screen, err
}

// enter types a line and returns when the shell prompts again.
func (term *terminal) enter(t *testing.T, line string) {
	t.Helper()
	if _, err := term.keys.WriteString(line + "\n"); err != nil {
		t.Fatalf("type %q: %v", line, err)
	}
	term.awaitPrompt(t)
}

// leave ends the shell.
func (term *terminal) leave(t *testing.T) {
	t.Helper()
	if _, err := term.keys.WriteString("exit\n"); err != nil {
		t.Fatalf("type exit: %v", err)
	}
	if err := term.cmd.Wait(); err != nil {
		t.Errorf("the shell ends with %v", err)
	}
}

// awaitPrompt reads until the shell prompts.
func (term *terminal) awaitPrompt(t *testing.T) {
	t.Helper()
	if err := term.keys.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for buffer := make([]byte, 1024); !strings.HasSuffix(string(text), prompt); {
		n, err := term.keys.Read(buffer)
		if text = append(text, buffer[:n]...); err != nil {
			t.Fatalf("await the shell's prompt: %v; it shows\n%s", err, text)
		}
	}
}
