package handover

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/procspan/procspan/test/tinydisk"
)

func open(t testing.TB, dir, boot string) *Journal {
	t.Helper()
	j, err := Open(dir, boot)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func text(s string) Item { return Item{Kind: 7, Note: []byte("note of " + s), Body: []byte(s)} }

// snapshot writes one of so many pieces.
func snapshot(t testing.TB, j *Journal, name string, pieces int) {
	t.Helper()
	must(t, j.Begin())
	for i := range pieces {
		must(t, j.Piece(text(fmt.Sprint(name, i))))
	}
	must(t, j.Commit())
}

// content is what was left, as text.
func content(t testing.TB, j *Journal) (pieces, entries []string, s *Saved) {
	t.Helper()
	s, err := j.Load()
	must(t, err)
	if s == nil {
		return nil, nil, nil
	}
	read := func(f *Found) string {
		body, ok := f.Body()
		if !ok {
			return "damaged"
		}
		if f.Kind != 7 || string(f.Note) != "note of "+string(body) {
			t.Errorf("got kind %d, note %q and body %q", f.Kind, f.Note, body)
		}
		return string(body)
	}
	for f := range s.Pieces() {
		pieces = append(pieces, read(f))
	}
	for f := range s.Entries() {
		entries = append(entries, read(f))
	}
	return pieces, entries, s
}

func TestJournal(t *testing.T) {
	for _, tc := range []struct {
		name            string
		write           func(t *testing.T, j *Journal)
		pieces, entries string
		incomplete      bool
	}{
		{"nothing", func(*testing.T, *Journal) {}, "", "", false},
		{"a snapshot", func(t *testing.T, j *Journal) { snapshot(t, j, "s", 2) }, "s0 s1", "", false},
		{"and entries", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 2)
			must(t, j.Append(text("a"), text("b")), j.Append(text("c")))
		}, "s0 s1", "a b c", false},
		{"a second snapshot", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 2)
			must(t, j.Append(text("a")))
			snapshot(t, j, "t", 1)
			must(t, j.Append(text("b")))
		}, "t0", "b", false},
		{"entries within a snapshot come after it", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 1)
			must(t, j.Append(text("a")), j.Begin(), j.Piece(text("t0")), j.Append(text("b")), j.Piece(text("t1")), j.Commit())
		}, "t0 t1", "b", false},
		{"a snapshot that was not completed does not count", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 1)
			must(t, j.Append(text("a")), j.Begin(), j.Piece(text("t0")), j.Append(text("b")))
		}, "s0", "a b", false},
		{"unless there is no other", func(t *testing.T, j *Journal) {
			must(t, j.Begin(), j.Piece(text("t0")), j.Append(text("b")))
		}, "t0", "b", true},
		{"what is replaced is removed", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 1)
			must(t, j.Append(Item{Kind: 7, Body: make([]byte, 3*segmentSize)}))
			snapshot(t, j, "t", 1)
			for {
				more, err := j.Drop(0)
				must(t, err)
				if !more {
					break
				}
			}
			if size := j.log.Size(); size > 1000 {
				t.Errorf("%d bytes are left", size)
			}
		}, "t0", "", false},
		{"nothing is left after clearing", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 1)
			must(t, j.Append(text("a")), j.Clear())
		}, "", "", false},
		{"and it can be used again", func(t *testing.T, j *Journal) {
			snapshot(t, j, "s", 1)
			must(t, j.Clear())
			snapshot(t, j, "t", 1)
			must(t, j.Append(text("a")))
		}, "t0", "a", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			first := open(t, dir, "boot")
			tc.write(t, first)
			must(t, first.Close())
			pieces, entries, s := content(t, open(t, dir, "boot"))
			if got := strings.Join(pieces, " "); got != tc.pieces {
				t.Errorf("the pieces are %q, want %q", got, tc.pieces)
			}
			if got := strings.Join(entries, " "); got != tc.entries {
				t.Errorf("the entries are %q, want %q", got, tc.entries)
			}
			if (s != nil) != (tc.pieces != "") || s != nil && (s.Complete == tc.incomplete || s.Damaged() > 0 || !s.SameBoot) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// Another boot's is told apart, and one agent at a time has the directory.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "boot")
	snapshot(t, first, "s", 1)
	if _, err := Open(dir, "boot"); err == nil || !strings.Contains(err.Error(), "stop that procspan first") {
		t.Errorf("a second agent: %v", err)
	}
	must(t, first.Close())
	if pieces, _, s := content(t, open(t, dir, "another boot")); len(pieces) != 1 || s.SameBoot {
		t.Errorf("got %q, %+v; want one of another boot", pieces, s)
	}
	if _, err := Open("/proc/nowhere", "boot"); err == nil || !strings.Contains(err.Error(), "daemon.state_directory") {
		t.Errorf("got %v; want the option that names another directory", err)
	}
}

// What finds no room is not in the journal, and what was there before stays.
func TestFullDisk(t *testing.T) {
	disk := tinydisk.New(t, 1<<20)
	dir := filepath.Join(disk, "state")
	j := open(t, dir, "boot")
	snapshot(t, j, "s", 1)
	must(t, j.Append(text("a")))
	tinydisk.Fill(t, disk)
	for j.Append(text("b")) == nil {
	}
	if err := j.Append(Item{Kind: 7, Body: make([]byte, 10_000)}); err == nil {
		t.Fatal("10,000 bytes find room on a full disk")
	}
	must(t, j.Close())
	pieces, entries, s := content(t, open(t, dir, "boot"))
	if !slices.Equal(pieces, []string{"s0"}) || len(entries) < 1 || entries[0] != "a" || s.Damaged() != 0 {
		t.Errorf("got %q and %q, %+v", pieces, entries, s)
	}
}

// FuzzDamage damages what was left, in any way: nothing panics, nothing is made up, and
// what is missing is counted unless it was at the end of a file.
func FuzzDamage(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, changes uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		j := open(t, dir, "boot")
		for range 1 + random.IntN(3) {
			snapshot(t, j, "s", random.IntN(20))
			for i := range random.IntN(20) {
				must(t, j.Append(text(fmt.Sprint("e", i)), text(fmt.Sprint("f", i))))
			}
		}
		must(t, j.Close())
		files, err := filepath.Glob(filepath.Join(dir, logName+"-*"))
		must(t, err)
		for range changes % 8 {
			file := files[random.IntN(len(files))]
			b, err := os.ReadFile(file)
			must(t, err)
			if len(b) == 0 {
				continue
			}
			at := random.IntN(len(b))
			switch random.IntN(3) {
			case 0:
				b[at] ^= 1 << random.IntN(8)
			case 1:
				b = b[:at]
			default:
				b = slices.Insert(b, at, bytes.Repeat([]byte{byte(seed)}, random.IntN(50))...)
			}
			must(t, os.WriteFile(file, b, 0o600))
		}
		again := open(t, dir, "boot")
		pieces, entries, _ := content(t, again)
		for _, got := range slices.Concat(pieces, entries) {
			if got != "damaged" && !strings.ContainsAny(got[:1], "sef") {
				t.Errorf("%q was never written", got)
			}
		}
		snapshot(t, again, "new", 1)
		if pieces, _, _ := content(t, again); !slices.Equal(pieces, []string{"new0"}) {
			t.Errorf("after a new snapshot, there is %q", pieces)
		}
	})
}

// A journal that is full, replaced and full again writes over the same files: new
// pages of a tmpfs are dear.
func TestFilesAreWrittenOver(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, "boot")
	const limit = 5 * segmentSize
	seen := map[uint64]bool{}
	added := 0 // in the last round
	for range 4 {
		must(t, j.Begin())
		for range 3 {
			must(t, j.Piece(Item{Kind: 7, Body: make([]byte, segmentSize/2)}))
		}
		must(t, j.Commit())
		for more := true; more; {
			var err error
			more, err = j.Drop(limit)
			must(t, err)
		}
		for _, entries := j.Sizes(); entries <= limit; _, entries = j.Sizes() {
			must(t, j.Append(Item{Kind: 7, Body: make([]byte, segmentSize/8)}))
		}
		files, err := os.ReadDir(dir)
		must(t, err)
		added = 0
		for _, file := range files {
			info, err := file.Info()
			must(t, err)
			if inode := info.Sys().(*syscall.Stat_t).Ino; !seen[inode] {
				open, err := os.Open(filepath.Join(dir, file.Name())) // so that the number is not given again
				must(t, err)
				defer open.Close()
				seen[inode] = true
				added++
			}
		}
	}
	if added > 0 {
		t.Errorf("%d of %d files are new after four snapshots", added, len(seen))
	}
}
