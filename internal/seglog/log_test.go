package seglog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/procspan/procspan/internal/safedir"
)

func testDir(t testing.TB, path string) *safedir.Dir {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o700); err != nil { // whatever the umask
		t.Fatal(err)
	}
	dir, err := safedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func testLog(t testing.TB, dir *safedir.Dir, segment int64) *Log {
	t.Helper()
	l, err := Open(Options{Dir: dir, Log: "log", SegmentSize: segment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// record has a head and a body that tell their number.
func record(n int, size int) Record {
	body := fmt.Sprint("body ", n, " ")
	return Record{fmt.Append(nil, "head ", n), []byte(body + strings.Repeat("x", max(0, size-len(body))))}
}

func appendTo(t testing.TB, l *Log, records ...Record) []Position {
	t.Helper()
	positions, err := l.Append(records...)
	if err != nil {
		t.Fatal(err)
	}
	return positions
}

// readAll returns the numbers of the records that a reader returns and the number
// of those that are missing or whose bodies are damaged.
func readAll(t testing.TB, r *Reader, want map[uint64]Record) (numbers []uint64, damaged uint64) {
	t.Helper()
	before := r.Missing()
	for {
		p, head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return numbers, damaged + r.Missing() - before
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := r.Body()
		if errors.Is(err, ErrDamaged) {
			damaged++
			continue
		}
		if w, ok := want[p.Number]; err != nil || !ok || string(head) != string(w.Head) || string(body) != string(w.Body) {
			t.Fatalf("record %d: got %q with %d bytes (%v), want %q with %d", p.Number, head, len(body), err, w.Head, len(w.Body))
		}
		numbers = append(numbers, p.Number)
	}
}

func wantNumbers(t testing.TB, got []uint64, first, last int) {
	t.Helper()
	var want []uint64
	for n := first; n <= last; n++ {
		want = append(want, uint64(n))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got records %v, want %d to %d", got, first, last)
	}
}

// filled returns a log with n records of 100 bytes, a few in each segment, and
// what they hold and where they are.
func filled(t testing.TB, n int) (path string, want map[uint64]Record, at map[uint64]Position) {
	t.Helper()
	path, want, at = t.TempDir(), map[uint64]Record{}, map[uint64]Position{}
	l := testLog(t, testDir(t, path), 1000)
	for i := range n {
		r := record(i+1, 100)
		p := appendTo(t, l, r)[0]
		want[p.Number], at[p.Number] = r, p
	}
	return path, want, at
}

func segments(t testing.TB, path string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(path, "log-*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAppendAndRead(t *testing.T) {
	dir := testDir(t, t.TempDir())
	l := testLog(t, dir, 1000)
	want := map[uint64]Record{}
	var at []Position
	if _, _, err := NewReader(dir, "log").Next(); err != io.EOF {
		t.Fatalf("empty log: got %v, want EOF", err)
	}
	for i, size := range []int{0, 1, 100, 2000, 300_000, 10, 10} {
		first, second := record(2*i+1, size), Record{}
		want[uint64(2*i+1)], want[uint64(2*i+2)] = first, second
		at = append(at, appendTo(t, l, first, second)...)
		// A reader reads it beside the writer.
		r := NewReader(dir, "log")
		got, missing := readAll(t, r, want)
		r.Close()
		wantNumbers(t, got, 1, 2*i+2)
		if missing != 0 {
			t.Errorf("got %d missing", missing)
		}
	}
	for range 2 {
		for i, p := range at {
			got, err := l.Read(p)
			if err != nil || p.Number != uint64(i+1) || string(got.Body) != string(want[p.Number].Body) || string(got.Head) != string(want[p.Number].Head) {
				t.Fatalf("record %v: got %d bytes (%v)", p, len(got.Body), err)
			}
		}
		l.Close()
		l = testLog(t, dir, 1000) // again, after a restart
	}
	if got := appendTo(t, l, Record{})[0].Number; got != 15 {
		t.Errorf("after a restart: got number %d, want 15", got)
	}
	if _, err := l.Append(Record{Head: make([]byte, 256)}); err == nil {
		t.Error("a head of 256 bytes was appended")
	}
}

func TestDrop(t *testing.T) {
	path, want, _ := filled(t, 60)
	l := testLog(t, testDir(t, path), 1000)
	all := len(segments(t, path))
	size := l.Size()
	if err := l.Drop(25); err != nil {
		t.Fatal(err)
	}
	read := func() (numbers []uint64, damaged uint64) {
		r := NewReader(l.o.Dir, "log")
		defer r.Close()
		return readAll(t, r, want)
	}
	got, missing := read()
	if len(got) < 36 || len(got) > 44 || got[len(got)-1] != 60 || missing != 0 || l.Size() >= size {
		t.Errorf("got %v, missing %d, want 25 to 60 and the rest of a segment", got, missing)
	}
	// A new segment, and nothing before it.
	first, err := l.Begin()
	if err != nil || first != 61 {
		t.Fatalf("begin: got %d (%v), want 61", first, err)
	}
	want[61] = record(61, 10)
	appendTo(t, l, want[61])
	if err := l.Drop(first); err != nil || len(segments(t, path)) != 1 {
		t.Errorf("got %v (%v), want one segment of once %d", segments(t, path), err, all)
	}
	got, _ = read()
	wantNumbers(t, got, 61, 61)
	if err := l.Drop(62); err != nil || len(segments(t, path)) != 0 || l.Size() != 0 {
		t.Errorf("got %v (%v), want none", segments(t, path), err)
	}
	want[62] = record(62, 10)
	appendTo(t, l, want[62])
	got, _ = read()
	wantNumbers(t, got, 62, 62)
}

// A torn record is cut off when the log is opened, wherever it is torn.
func TestTornTail(t *testing.T) {
	path, want, _ := filled(t, 4)
	file := segments(t, path)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(whole) {
		if err := os.WriteFile(file, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		l := testLog(t, testDir(t, path), 1000)
		kept := int(l.Next()) - 1
		if kept != size*4/len(whole) {
			t.Fatalf("%d of %d bytes: got %d records", size, len(whole), kept)
		}
		want[uint64(kept+1)] = record(99, 30)
		appendTo(t, l, want[uint64(kept+1)])
		r := NewReader(l.o.Dir, "log")
		got, damaged := readAll(t, r, want)
		wantNumbers(t, got, 1, kept+1)
		if damaged != 0 {
			t.Fatalf("got %d damaged", damaged)
		}
		want[uint64(kept+1)] = record(kept+1, 100)
		r.Close()
		l.Close()
	}
}

// Files that another user could have planted are not read.
func TestForeignFile(t *testing.T) {
	for name, plant := range map[string]func(file string) error{
		"symbolic link": func(file string) error {
			return errors.Join(os.Rename(file, file+".x"), os.Symlink(file+".x", file))
		},
		"writable for others": func(file string) error { return os.Chmod(file, 0o622) },
		"fifo":                func(file string) error { return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			path, _, _ := filled(t, 30)
			if err := plant(segments(t, path)[1]); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Options{Dir: testDir(t, path), Log: "log", SegmentSize: 1000})
			if !errors.As(err, new(*safedir.UnsafeError)) {
				t.Errorf("got %v, want an UnsafeError", err)
			}
		})
	}
}

// Segments that somebody removes take their records with them, and no later ones.
func TestRemovedSegments(t *testing.T) {
	path, _, _ := filled(t, 30)
	l := testLog(t, testDir(t, path), 1000)
	at := appendTo(t, l, record(31, 10))[0]
	for _, file := range segments(t, path) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Read(at); !errors.Is(err, ErrDamaged) {
		t.Errorf("read what was removed: got %v, want ErrDamaged", err)
	}
	want := map[uint64]Record{32: record(32, 10)}
	at = appendTo(t, l, want[32])[0]
	if got, err := l.Read(at); err != nil || string(got.Body) != string(want[32].Body) {
		t.Errorf("got %q (%v), want record 32", got.Body, err)
	}
	r := NewReader(l.o.Dir, "log")
	defer r.Close()
	got, _ := readAll(t, r, want)
	wantNumbers(t, got, 32, 32)
}
