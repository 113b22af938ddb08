package process

import (
	"os/exec"
	"strings"
	"testing"
)

// The domain knows the standard library only.
func TestImports(t *testing.T) {
	if foreign := foreignImports(t, "."); len(foreign) > 0 {
		t.Errorf("package process depends on %q, want the standard library only", foreign)
	}
	// The same question about a room that may know more, so that an empty
	// answer means something.
	const other = "github.com/procspan/procspan/process"
	if foreign := foreignImports(t, "../enrich"); len(foreign) != 1 || foreign[0] != other {
		t.Errorf("package enrich depends on %q, want %q: this test does not see imports", foreign, other)
	}
}

// foreignImports returns what the package in dir depends on, directly or not,
// outside the standard library and itself.
func foreignImports(t *testing.T, dir string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if and (not .Standard) .DepOnly}}{{.ImportPath}}{{end}}", dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return strings.Fields(string(out))
}
