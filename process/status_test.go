package process

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status Status
		code   int
		signal int
		core   bool
		text   string
	}{
		{"success", 0, 0, 0, false, ""},
		{"exit 1", 1 << 8, 1, 0, false, ""},
		{"exit 128", 128 << 8, 128, 0, false, ""},
		{"exit 137, which is no signal", 137 << 8, 137, 0, false, ""},
		{"exit 255", 255 << 8, 255, 0, false, ""},
		{"SIGHUP", 1, 129, 1, false, "SIGHUP"},
		{"SIGINT", 2, 130, 2, false, "SIGINT"},
		{"SIGABRT, core dumped", 6 | 0x80, 134, 6, true, "SIGABRT"},
		{"SIGKILL", 9, 137, 9, false, "SIGKILL"},
		{"SIGSEGV", 11, 139, 11, false, "SIGSEGV"},
		{"SIGSEGV, core dumped", 11 | 0x80, 139, 11, true, "SIGSEGV"},
		{"SIGTERM", 15, 143, 15, false, "SIGTERM"},
		{"SIGSYS, the last with a name", 31, 159, 31, false, "SIGSYS"},
		{"the C library's own", 32, 160, 32, false, "SIG32"},
		{"the C library's other own", 33, 161, 33, false, "SIG33"},
		{"the first real-time signal", 34, 162, 34, false, "SIGRTMIN"},
		{"the second", 35, 163, 35, false, "SIGRTMIN+1"},
		{"the last", 64, 192, 64, false, "SIGRTMIN+30"},
		{"the last, core dumped", 64 | 0x80, 192, 64, true, "SIGRTMIN+30"},
		{"no signal of Linux", 65, 193, 65, false, "SIG65"},
		{"the core bit alone says nothing", 0x80, 0, 0, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.status.ExitCode(); got != tc.code {
				t.Errorf("ExitCode %d, want %d", got, tc.code)
			}
			if got := tc.status.Signal(); got != tc.signal {
				t.Errorf("Signal %d, want %d", got, tc.signal)
			}
			if got := tc.status.CoreDumped(); got != tc.core {
				t.Errorf("CoreDumped %t, want %t", got, tc.core)
			}
			if got := tc.status.SignalName(); got != tc.text {
				t.Errorf("SignalName %q, want %q", got, tc.text)
			}
		})
	}
}

// TestStatusOfChild compares with what this machine's kernel returns.
func TestStatusOfChild(t *testing.T) {
	for _, tc := range []struct {
		name   string
		signal syscall.Signal // 0: leave by oneself
		want   int
		text   string
	}{
		{"exit 255", 0, 255, ""},
		{"SIGKILL", syscall.SIGKILL, 137, "SIGKILL"},
		{"SIGUSR1", syscall.SIGUSR1, 138, "SIGUSR1"},
		{"SIGRTMIN+3", 37, 165, "SIGRTMIN+3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			child := exec.Command("/bin/sh", "-c", "read line; exit 255")
			stdin, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			child.Stderr = os.Stderr
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.signal != 0 {
				if err := child.Process.Signal(tc.signal); err != nil {
					t.Fatal(err)
				}
			} else if err := stdin.Close(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait() // it fails, as it should
			got := Status(child.ProcessState.Sys().(syscall.WaitStatus))
			if got.ExitCode() != tc.want || got.SignalName() != tc.text {
				t.Errorf("status %#x is %d %q, want %d %q", int(got), got.ExitCode(), got.SignalName(), tc.want, tc.text)
			}
		})
	}
}

// TestSignalNames compares with the names the syscall package has for amd64.
func TestSignalNames(t *testing.T) {
	for signal, want := range map[syscall.Signal]string{
		syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGILL: "SIGILL",
		syscall.SIGTRAP: "SIGTRAP", syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
		syscall.SIGKILL: "SIGKILL", syscall.SIGUSR1: "SIGUSR1", syscall.SIGSEGV: "SIGSEGV", syscall.SIGUSR2: "SIGUSR2",
		syscall.SIGPIPE: "SIGPIPE", syscall.SIGALRM: "SIGALRM", syscall.SIGTERM: "SIGTERM", syscall.SIGSTKFLT: "SIGSTKFLT",
		syscall.SIGCHLD: "SIGCHLD", syscall.SIGCONT: "SIGCONT", syscall.SIGSTOP: "SIGSTOP", syscall.SIGTSTP: "SIGTSTP",
		syscall.SIGTTIN: "SIGTTIN", syscall.SIGTTOU: "SIGTTOU", syscall.SIGURG: "SIGURG", syscall.SIGXCPU: "SIGXCPU",
		syscall.SIGXFSZ: "SIGXFSZ", syscall.SIGVTALRM: "SIGVTALRM", syscall.SIGPROF: "SIGPROF", syscall.SIGWINCH: "SIGWINCH",
		syscall.SIGIO: "SIGIO", syscall.SIGPWR: "SIGPWR", syscall.SIGSYS: "SIGSYS",
	} {
		if got := Status(signal).SignalName(); got != want {
			t.Errorf("signal %d is %q, want %q", int(signal), got, want)
		}
	}
}
