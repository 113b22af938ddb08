// Package doctable keeps the generated tables of docs/ equal to the code: tests
// pass the table they want, and rewrite the file on request.
package doctable

import (
	"os"
	"strings"
	"testing"
)

// Check fails unless the text between the lines <!-- name --> and <!-- /name -->
// of a file is want. With update it rewrites the file instead.
func Check(t testing.TB, file, name, want string, update bool) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, found := strings.Cut(string(content), begin)
	got, after, foundEnd := strings.Cut(rest, end)
	switch {
	case !found || !foundEnd:
		t.Fatalf("%s has no lines %q and %q", file, begin, end)
	case update:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case got != want:
		t.Errorf("the table %s in %s is out of date; run this test with -update", name, file)
	}
}
