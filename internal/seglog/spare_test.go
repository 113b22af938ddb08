package seglog

import (
	"os"
	"strings"
	"testing"
)

// A log whose files are written over again has its own records only, in the same
// process and the next.
func TestSpares(t *testing.T) {
	path := t.TempDir()
	dir := testDir(t, path)
	o := Options{Dir: dir, Log: "log", SegmentSize: 5000}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]Record{}
	for round := range 20 {
		if _, err := l.Begin(); err != nil {
			t.Fatal(err)
		}
		for i := range 20 - round { // less each time: more is left of earlier ones
			r := record(100*round+i+1, 500)
			want[appendTo(t, l, r)[0].Number] = r
		}
		first := l.Next() - uint64(20-round)
		for more := true; more; {
			if more, err = l.DropOldest(first, 2); err != nil {
				t.Fatal(err)
			}
		}
		if round%5 == 4 {
			l.Close()
			if l, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		reader := NewReader(dir, "log")
		got, damaged := readAll(t, reader, want)
		reader.Close()
		for len(got) > 0 && got[0] < first { // in the segment of the first
			got = got[1:]
		}
		if len(got) != 20-round || damaged != 0 || got[0] != first {
			t.Fatalf("round %d: got %d records from %v on, %d damaged; want %d from %d on", round, len(got), got, damaged, 20-round, first)
		}
	}
	spares := 0
	for _, file := range files(t, path) {
		if strings.Contains(file, "spare") {
			spares++
		}
	}
	if spares == 0 || spares > 2 {
		t.Errorf("%d files are spare, want 1 or 2", spares)
	}
	if err := l.Free(); err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t, path) {
		if strings.Contains(file, "spare") {
			t.Errorf("%s is left", file)
		}
	}
	l.Close()
}

func files(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
