package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled returns a directory with a store of some records of two lanes.
func filled(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := testSpool(t, dir, small)
	for i := range 40 {
		put(t, s.a, text(i))
		put(t, s.b, "other")
	}
	wantNext(t, s.a, text(0), text(1), text(2))
	s.close(t)
	return dir
}

func copyOf(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	files, _ := segments(t, dir)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, filepath.Base(file)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// text has 500 + n bytes.
func text(n int) string { return strings.Repeat("x", 500+n) }

// small makes segments of a few records.
func small(o *Options) { o.MaxSize = 50_000 }

func change(t testing.TB, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// takeAll takes and removes what there is, checks it, and returns the items.
func takeAll(t testing.TB, l *Lane) (items int) {
	t.Helper()
	for last := 0; ; {
		key, r, err := l.Take()
		if err != nil {
			t.Fatal(err)
		}
		if key == "" {
			return items
		}
		if r.Items != len(r.Data) || string(r.Data) != "other" && (string(r.Data) != text(r.Items-500) || r.Items <= last) {
			t.Fatalf("got %.20q of %d items after %d, which is not what was put", r.Data, r.Items, last)
		}
		last = r.Items
		items += r.Items
		if err := l.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
}

// itemsLeft are those of lane a in filled.
const itemsLeft = 40*500 + 39*40/2 - 3*500 - 1 - 2

// One damaged byte costs the record that it hits; every other record is delivered,
// and found = delivered + lost, exactly.
func TestOneDamagedByte(t *testing.T) {
	dir := filled(t)
	files, _ := segments(t, dir)
	random := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		file := files[random.IntN(len(files))]
		sound, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		copied := copyOf(t, dir)
		at := random.IntN(len(sound))
		change(t, filepath.Join(copied, filepath.Base(file)), func(b []byte) []byte { b[at] ^= 1 << random.IntN(8); return b })
		s := testSpool(t, copied, small)
		a, b := takeAll(t, s.a), takeAll(t, s.b)
		for _, lane := range []struct {
			found, lost, got, want, most int
		}{
			{s.earA.found, s.earA.lost[Corrupt], a, itemsLeft, 540}, {s.earB.found, s.earB.lost[Corrupt], b, 200, 5},
		} {
			// Of a header at the very end, nothing is known. A removal that is damaged
			// brings its records back.
			if lane.found != lane.got+lane.lost || lane.got < lane.want-lane.most || lane.got > lane.want+1503 {
				t.Fatalf("byte %d of %s: got %+v", at, file, lane)
			}
		}
		if a < itemsLeft && strings.Count(s.log.String(), "skipped") != 1 {
			t.Fatalf("got log %s, want one line", &s.log)
		}
		wantFiles(t, copied)
		s.close(t)
	}
}

// Whatever is wrong with a whole file, the other files and what comes later are not
// concerned.
func TestDamagedFile(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func(b []byte) []byte { return nil },
		"garbage": func(b []byte) []byte { return []byte(strings.Repeat("not a segment\n", 1000)) },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			files, _ := segments(t, dir)
			change(t, files[2], damage) // of lane a, in the middle
			s := testSpool(t, dir, small)
			got := takeAll(t, s.a)
			if lost := s.earA.lost[Corrupt]; got >= itemsLeft || got < itemsLeft-7*540 || got+lost != itemsLeft || s.earA.found != itemsLeft {
				t.Errorf("delivered %d, %+v of %d", got, s.earA, itemsLeft)
			}
			wantNext(t, s.b, "other", "other")
			put(t, s.a, "new")
			wantNext(t, s.a, "new")
			s.close(t)
			if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=ERROR") || !strings.Contains(log, fmt.Sprint("items=", itemsLeft-got)) {
				t.Errorf("got log %s, want one error with the items", log)
			}
		})
	}
}

// Records of another format are dropped, and that is logged.
func TestOtherFormat(t *testing.T) {
	dir := filled(t)
	s := testSpool(t, dir, small, func(o *Options) { o.Version = 2 })
	wantNone(t, s.a)
	wantFiles(t, dir)
	put(t, s.a, "new")
	wantNext(t, s.a, "new")
	s.close(t)
	if log := s.log.String(); strings.Count(log, "of another format") != 2 || !strings.Contains(log, "records=40") {
		t.Errorf("got log %s, want a line for each lane", log)
	}
}

// A store of an older format is set aside once, and that is logged. Files that are
// not the store's stay where they are.
func TestOldStore(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		for _, name := range []string{oldStore, "lost+found"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := testSpool(t, dir)
		put(t, s.a, "1")
		wantFiles(t, dir, "a", "lost+found", oldStore+".unused")
		wantNext(t, s.a, "1")
		wantFiles(t, dir, "lost+found", oldStore+".unused")
		s.close(t)
		if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "set aside") {
			t.Errorf("got log %s, want one line", log)
		}
	}
}

// Files that are cut, overwritten or removed while the store is open cost their
// records: nothing hangs, nothing panics, and the counts follow.
func TestFilesDamagedWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"cut":     func(file string) error { return os.Truncate(file, 10) },
		"removed": os.Remove,
		"overwritten": func(file string) error {
			garbage := make([]byte, 10_000)
			rand.NewChaCha8([32]byte{1}).Read(garbage)
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(garbage, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			s := testSpool(t, dir, small)
			key, held, err := s.a.Take()
			if err != nil {
				t.Fatal(err)
			}
			files, _ := segments(t, dir)
			for _, file := range files {
				if err := damage(file); err != nil {
					t.Fatal(err)
				}
			}
			put(t, s.a, "new")
			if !s.a.Return(key) {
				t.Error("what was held is gone")
			}
			wantNext(t, s.a, "new")
			wantNone(t, s.b)
			if s.earA.lost[Corrupt] != itemsLeft || held.Items != 503 || s.earB.lost[Corrupt] != 200 {
				t.Errorf("got %+v and %+v, want all lost that was there", s.earA, s.earB)
			}
			put(t, s.b, "after")
			wantNext(t, s.b, "after")
			wantFiles(t, dir)
			s.close(t)
		})
	}
}

// FuzzCorruption damages a store in any way. It never panics, never returns what
// was not put, and works afterwards.
func FuzzCorruption(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(seed))
	}
	sound := filled(f)
	f.Fuzz(func(t *testing.T, seed uint64, changes uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		dir := copyOf(t, sound)
		files, _ := segments(t, dir)
		for range 1 + int(changes)%16 {
			change(t, files[random.IntN(len(files))], func(data []byte) []byte {
				if len(data) < 20 {
					return data
				}
				at := random.IntN(len(data))
				switch random.IntN(4) {
				case 0:
					data[at] ^= 1 << random.IntN(8)
				case 1:
					data[at] = byte(random.Uint32())
				case 2:
					copy(data[at:min(at+30, len(data))], data[random.IntN(len(data)-8):])
				default:
					return data[:at]
				}
				return data
			})
		}
		s := testSpool(t, dir, small)
		got := takeAll(t, s.a)
		if s.earA.found != got+s.earA.lost[Corrupt] || got+s.earA.lost[Corrupt] > itemsLeft+1503 {
			t.Fatalf("delivered %d of %+v", got, s.earA)
		}
		put(t, s.a, "new", fmt.Sprint(seed))
		wantNext(t, s.a, "new", fmt.Sprint(seed))
		s.close(t)
	})
}
