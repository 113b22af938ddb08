package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page names every kernel, every suite and every exception. What passes where
// is compared with it by the run itself (-page, -check).
func TestDocsHaveThemAll(t *testing.T) {
	data, err := os.ReadFile("../../docs/kernels.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, k := range kernels() {
		if !strings.Contains(page, " "+k.name+" |") {
			t.Errorf("there is no column %s", k.name)
		}
	}
	for _, s := range suites() {
		if !strings.Contains(page, "| `"+s.name) {
			t.Errorf("there is no row of %s", s.name)
		}
	}
	for _, e := range exceptions() {
		if !strings.Contains(page, e.reason) {
			t.Errorf("the exception for %s is missing: %s", e.test, e.reason)
		}
	}
}

func TestPublish(t *testing.T) {
	v := verdict{
		kernels:  []kernel{{name: "6.1", cgroups: "hybrid"}, {name: "6.12", cgroups: "v2"}},
		suites:   []count{{"`bpf`: tests that pass", []int{12, 10}}},
		excepted: []count{{"skipped: it has no wings", []int{0, 2}}},
		played:   []string{"exit 0", "last thread exits"},
	}
	const text = "# Kernels\n\n" + pageBegin + pageEnd + "\n\nMore.\n"
	page := filepath.Join(t.TempDir(), "kernels.md")
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := v.publish(page, false); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := `# Kernels

<!-- kernels -->
|  | 6.1 | 6.12 |
|---|---|---|
| cgroups | hybrid | v2 |
| ` + "`bpf`" + `: tests that pass | 12 | 10 |
| skipped: it has no wings | 0 | 2 |

Scenarios that pass on each: exit 0, last thread exits.
<!-- /kernels -->

More.
`
	if string(written) != want {
		t.Fatalf("the page is\n%s\nwant\n%s", written, want)
	}
	for _, tc := range []struct {
		name, from, to string
		err            string
	}{
		{name: "the same"},
		{"fewer tests than now", "| 12 | 10 |", "| 11 | 9 |", ""},
		{"a scenario less", "exit 0, ", "", ""},
		{"more tests", "| 12 | 10 |", "| 12 | 11 |", "`bpf`: tests that pass | 12 | 11 |"},
		{"more skipped", "| 0 | 2 |", "| 0 | 3 |", ""},
		{"skipped elsewhere", "| 0 | 2 |", "| 2 | 2 |", "it has no wings | 2 | 2 |"},
		{"another scenario", "exit 0, ", "exit 7, ", "exit 7"},
		{"another kernel", "| 6.12 |", "| 6.18 |", "| 6.18 |"},
		{"other cgroups", "| v2 |", "| v1 |", "cgroups | hybrid | v1"},
		{"a column more", "| v2 |", "| v2 | v2 |", "| v2 | v2 |"},
		{"no table", "<!-- kernels -->", "", "has no <!-- kernels -->"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(page, []byte(strings.Replace(want, tc.from, tc.to, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			err := v.publish(page, true)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
		})
	}
}
