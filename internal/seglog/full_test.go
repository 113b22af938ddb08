package seglog

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/procspan/procspan/test/tinydisk"
)

// On a full disk Append fails and leaves the log as it was; it works again when
// there is room.
func TestFullDisk(t *testing.T) {
	disk := tinydisk.New(t, 1<<20)
	dir := testDir(t, filepath.Join(disk, "log"))
	l := testLog(t, dir, 300_000)
	want := map[uint64]Record{}
	for {
		r := record(len(want)+1, 50_000)
		// Records of one Append are all there or none.
		p, err := l.Append(r, r)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		want[p[0].Number], want[p[1].Number] = r, r
	}
	for range 20 {
		if _, err := l.Append(record(0, 100_000)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v, want ENOSPC", err)
		}
	}
	files, err := dir.Names()
	if err != nil || len(files) > 4 {
		t.Errorf("got %v (%v), want no more segments than the log needs", files, err)
	}
	for _, again := range []bool{false, true} {
		r := NewReader(dir, "log")
		got, damaged := readAll(t, r, want)
		r.Close()
		wantNumbers(t, got, 1, len(want))
		if damaged != 0 || len(got) < 10 {
			t.Errorf("after a restart %v: got %d records, %d damaged", again, len(got), damaged)
		}
		l.Close()
		l = testLog(t, dir, 300_000)
	}
	if err := l.Drop(9); err != nil {
		t.Fatal(err)
	}
	if p := appendTo(t, l, record(0, 100_000)); p[0].Number != uint64(len(want)+1) {
		t.Errorf("with room again: got number %d, want %d", p[0].Number, len(want)+1)
	}
}

// When the disk fails below the log, the log is as it was; here its file is one
// that cannot be written, and cannot be cut.
func TestFailingFile(t *testing.T) {
	for _, sync := range []bool{false, true} {
		path := t.TempDir()
		dir := testDir(t, path)
		l, err := Open(Options{Dir: dir, Log: "log", SegmentSize: 1 << 20, Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		want := map[uint64]Record{1: record(1, 100), 2: record(2, 100)}
		appendTo(t, l, want[1])
		sound := l.file
		if l.file, err = os.Open("/dev/full"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(record(0, 100)); err == nil {
			t.Fatal("a record was appended to a file that is read-only")
		}
		// What cannot be cut stays behind, and a new segment goes on.
		if _, err := sound.WriteAt(appendHeader(nil, l.last().mark, l.last().size, 2, nil, nil), l.last().size); err != nil {
			t.Fatal(err)
		}
		sound.Close()
		if p := appendTo(t, l, want[2]); p[0].Number != 2 || len(segments(t, path)) != 2 {
			t.Errorf("got number %d in %v, want 2 in a second segment", p[0].Number, segments(t, path))
		}
		for range 2 {
			r := NewReader(dir, "log")
			got, damaged := readAll(t, r, want)
			r.Close()
			wantNumbers(t, got, 1, 2)
			if damaged != 0 {
				t.Errorf("got %d damaged", damaged)
			}
			l.Close()
			l = testLog(t, dir, 1<<20)
		}
	}
}
