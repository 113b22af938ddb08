package agent

import (
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProcHint(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"no descriptors left in the process": {unix.EMFILE, "limit of open files"},
		"none left on the host":              {unix.ENFILE, "limit of open files"},
		"no procfs":                          {unix.ENOENT, "mount /proc"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := procHint(&fs.PathError{Op: "open", Path: "/proc/self/status", Err: tc.err}); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}
