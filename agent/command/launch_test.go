package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets this binary be started as a launcher.
func TestMain(m *testing.M) {
	if IsLauncher() {
		Become()
	}
	os.Exit(m.Run())
}

func TestNewStartError(t *testing.T) {
	atPath := func(errno syscall.Errno) error { return &fs.PathError{Op: "fork/exec", Path: "./x", Err: errno} }
	for _, test := range []struct {
		name string
		err  error
		code int
		text string
	}{
		{"not in PATH", &exec.Error{Name: "x", Err: exec.ErrNotFound}, 127,
			"run ./x: executable file not found in $PATH; check the spelling, and PATH"},
		{"no such file", atPath(syscall.ENOENT), 127,
			"run ./x: no such file or directory; check the spelling, and PATH"},
		{"looked up, no such file", &exec.Error{Name: "x", Err: atPath(syscall.ENOENT)}, 127,
			"run ./x: no such file or directory; check the spelling, and PATH"},
		{"not executable", atPath(syscall.EACCES), 126,
			"run ./x: permission denied; check that the user it runs as may execute the file (chmod +x)"},
		{"looked up, not executable", &exec.Error{Name: "x", Err: fs.ErrPermission}, 126,
			"run ./x: permission denied; check that the user it runs as may execute the file (chmod +x)"},
		{"no interpreter line", atPath(syscall.ENOEXEC), 126,
			"run ./x: exec format error; it has no #! line and is no binary: run it with its interpreter, such as sh"},
		{"a directory", &exec.Error{Name: "x", Err: syscall.EISDIR}, 126, "run ./x: is a directory"},
		{"arguments too long", atPath(syscall.E2BIG), 126, "run ./x: argument list too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := NewStartError("./x", test.err)
			if got.Code != test.code || got.Error() != test.text {
				t.Errorf("got %d, %q\nwant %d, %q", got.Code, got, test.code, test.text)
			}
			var start *StartError
			if joined := errors.Join(fmt.Errorf("other"), got); !errors.As(joined, &start) || start.Code != test.code {
				t.Errorf("it is not found in %v", joined)
			}
		})
	}
}

func TestSetVariable(t *testing.T) {
	for _, tc := range []struct {
		name      string
		env, want []string
		variable  string
	}{
		{"new", []string{"A=1"}, []string{"A=1", "B=2"}, "B=2"},
		{"in its old place", []string{"A=1", "B=1", "C=1"}, []string{"A=1", "B=2", "C=1"}, "B=2"},
		{"a longer name is another", []string{"BB=1"}, []string{"BB=1", "B=2"}, "B=2"},
		{"empty", []string{"B=1"}, []string{"B="}, "B="},
		{"removed", []string{"A=1", "B=1"}, []string{"A=1"}, "B"},
		{"removed, and not there", []string{"A=1"}, []string{"A=1"}, "B"},
		{"nothing", []string{"A=1", "=1"}, []string{"A=1", "=1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := setVariable(slices.Clone(tc.env), tc.variable); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLaunchFails(t *testing.T) {
	for _, tc := range []struct {
		path string
		code int
	}{{"/nonexistent", 127}, {"/", 126}, {"/etc/hostname", 126}} {
		l, err := Start(&Command{Path: tc.path, Args: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		var start *StartError
		if err := l.Launch(nil); !errors.As(err, &start) || start.Code != tc.code {
			t.Errorf("%s: got %v, want a StartError with code %d", tc.path, err, tc.code)
		}
	}
}

// A launcher that is not needed after all goes away.
func TestLaunchAborted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "made")
	l, err := Start(&Command{Path: "/usr/bin/touch", Args: []string{"touch", file}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the command ran: %v", err)
	}
}

// A launcher that Ctrl-C has ended, as procspan in the same group, says so.
func TestLauncherKilled(t *testing.T) {
	l, err := Start(&Command{Path: "/bin/true", Args: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if killed, err := l.Abort(); killed != unix.SIGKILL || err != nil {
		t.Errorf("got %v, %v; want %v", killed, err, unix.SIGKILL)
	}
}

// The command runs as the user it is for, with the groups of that user.
func TestLaunchAs(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI runs this as root, and this is not root")
		}
		t.Skip("not root: becoming another user needs CAP_SETUID")
	}
	ours, childs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	stdout := os.Stdout
	os.Stdout = childs
	l, err := Start(&Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", `echo "$(id -u) $(id -g) $(id -G) $A"`}, Env: []string{"PATH=" + os.Getenv("PATH")},
		Credential: &syscall.Credential{Uid: 65534, Gid: 65533, Groups: []uint32{7, 8}},
	})
	os.Stdout = stdout
	childs.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Launch([]string{"A=1"}); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(ours)
	if want := "65534 65533 65533 7 8 1\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := l.process.Wait(); err != nil {
		t.Error(err)
	}
}
