package doctable

import (
	"os"
	"path/filepath"
	"testing"
)

// failures records what Check reports.
type failures struct {
	testing.TB
	failed bool
}

func (f *failures) Errorf(string, ...any) { f.failed = true }

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.md")
	const before, after = "# A\n<!-- metrics -->\n", "<!-- /metrics -->\nend\n"
	if err := os.WriteFile(file, []byte(before+"old\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name         string
		want         string
		update, fail bool
	}{
		{"another table", "new\n", false, true},
		{"the same table", "old\n", false, false},
		{"rewritten", "new\n", true, false},
		{"after that", "new\n", false, false},
	} {
		f := &failures{TB: t}
		Check(f, file, "metrics", step.want, step.update)
		if f.failed != step.fail {
			t.Errorf("%s: failed is %v, want %v", step.name, f.failed, step.fail)
		}
	}
	if content, _ := os.ReadFile(file); string(content) != before+"new\n"+after {
		t.Errorf("got %q", content)
	}
}
