package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doctor finds a directory that the agent would refuse.
func TestDirectoryFinding(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(dir string) error
		want string // in the error
	}{
		{"not there", func(string) error { return nil }, ""},
		{"of this user", func(dir string) error { return os.Mkdir(dir, 0o700) }, ""},
		{"writable for all", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, "chmod go-w"},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
	} {
		dir := filepath.Join(t.TempDir(), "dir")
		if err := tc.make(dir); err != nil {
			t.Fatal(err)
		}
		f := directoryFinding("store", "delivery.directory", dir, 0)
		if tc.want == "" && f.Err != nil || tc.want != "" && (f.Err == nil || !f.Fatal || !strings.Contains(f.Err.Error(), tc.want)) {
			t.Errorf("%s: got %+v, want error %q", tc.name, f, tc.want)
		}
		if _, err := os.Stat(dir); tc.name == "not there" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: doctor created it", tc.name)
		}
	}
}
