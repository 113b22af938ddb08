package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/procspan/procspan/process"
)

// Exec starts this binary as its launcher.
func TestMain(m *testing.M) {
	if IsLauncher() {
		Launch()
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
			"run ./x: permission denied; check that the file is executable (chmod +x) for the user it is run as"},
		{"looked up, not executable", &exec.Error{Name: "x", Err: fs.ErrPermission}, 126,
			"run ./x: permission denied; check that the file is executable (chmod +x) for the user it is run as"},
		{"no interpreter line", atPath(syscall.ENOEXEC), 126,
			"run ./x: exec format error; it has no #! line and is no binary: run it by its interpreter, such as sh"},
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

func TestKeepOutputIsBounded(t *testing.T) {
	o := &keepOutput{}
	for range maxKept + 7 {
		o.ended(&process.Lifetime{})
	}
	if len(o.kept) != maxKept || o.dropped != 7 {
		t.Errorf("kept %d, dropped %d; want %d and 7", len(o.kept), o.dropped, maxKept)
	}
}
