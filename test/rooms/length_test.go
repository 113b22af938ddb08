package rooms

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines bounds a Go file written by hand.
const maxLines = 400

// unsplit lists the files that are still longer.
var unsplit = []string{}

// generated is the line that marks a generated Go file.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFileLength(t *testing.T) {
	files := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "bin" || len(path) > 1 && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		source, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil {
			return err
		}
		files++
		lines := bytes.Count(source, []byte("\n"))
		long := lines > maxLines && !generated.Match(source)
		switch excused := slices.Contains(unsplit, path); {
		case long && !excused:
			t.Errorf("%s has %d lines, want at most %d: split it", path, lines, maxLines)
		case excused && !long:
			t.Errorf("%s has %d lines: remove it from unsplit", path, lines)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("there are %d Go files, want more: this test does not see them", files)
	}
}
