package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// lookup is an environment for a test.
func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// golden compares got with the file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with go test -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs\n got: %s\nwant: %s", filepath.Base(path), got, want)
	}
}

// around places lines at otlp_grpc, the deepest mapping, in a whole file.
func around(lines ...string) string {
	const head = `file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_grpc:
`
	if len(lines) == 0 {
		return head
	}
	return head + "            " + strings.Join(lines, "\n            ") + "\n"
}

func mustParse(t *testing.T, file string, vars map[string]string) Config {
	t.Helper()
	c, err := Parse("test.yml", []byte(file), lookup(vars))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, file)
	}
	return c
}
