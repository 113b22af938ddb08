package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table in README.md is what a run printed. It is a recent one if it has a row
// for each test there is now, a column for each kernel, and each exception.
func TestReadmeHasThemAll(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	for _, k := range kernels() {
		if !strings.Contains(readme, " "+k.name+" |") {
			t.Errorf("there is no column %s", k.name)
		}
	}
	tests := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, s := range suites() {
		files, err := filepath.Glob("../" + s.name + "/*_test.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%d tests of %s, %v", len(files), s.name, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range tests.FindAllSubmatch(source, -1) {
				name := string(found[1])
				if row := "`" + s.name + "/" + name + "`"; name != "TestMain" && !strings.Contains(readme, row) {
					t.Errorf("there is no row %s: put into README.md what make test-kernels prints", row)
				}
			}
		}
	}
	for _, e := range exceptions() {
		if !strings.Contains(readme, e.reason) {
			t.Errorf("there is no word of %s: %s", e.test, e.reason)
		}
	}
}
