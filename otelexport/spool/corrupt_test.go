package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled returns a directory with a store of some records, and their file.
func filled(t testing.TB) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	s := testSpool(t, dir)
	for i := range 40 {
		put(t, s.a, strings.Repeat("a", 1+i*1000), "short")
		put(t, s.b, strings.Repeat("b", 100_000))
	}
	wantNext(t, s.a, "a", "short", strings.Repeat("a", 1001))
	s.close(t)
	return dir, filepath.Join(dir, fileName)
}

// change rewrites a file.
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

// A file that is corrupt when the store is opened is set aside, and a new one
// begun.
func TestCorruptFile(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func([]byte) []byte
		says   string
	}{
		{"cut off", func(b []byte) []byte { return b[:3*len(b)/4] }, "it was cut off"},
		{"a stump", func(b []byte) []byte { return b[:50] }, "ends after 50 bytes"},
		{"not ours", func([]byte) []byte { return []byte(strings.Repeat("not a store\n", 10_000)) }, "no valid beginning"},
		{"zeros", func(b []byte) []byte { return make([]byte, len(b)) }, "no valid beginning"},
		{"wrong magic", func(b []byte) []byte { b[pageHeader]++; b[pageSize+pageHeader]++; return b }, "no valid beginning"},
		{"pages of zeros", func(b []byte) []byte { clear(b[2*pageSize:]); return b }, "says that it is page 0"},
		{"another format", func(b []byte) []byte { return b }, "have the format 1, and this procspan knows 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, path := filled(t)
			change(t, path, tc.change)
			s := testSpool(t, dir, func(o *Options) {
				if tc.name == "another format" {
					o.Version = 2
				}
			})
			wantNone(t, s.a)
			wantFiles(t, dir, fileName+".corrupt")
			put(t, s.a, "new")
			wantFiles(t, dir, fileName, fileName+".corrupt")
			wantNext(t, s.a, "new")
			s.close(t)
			if s.earA != (ear{}) {
				t.Errorf("told of %+v: what cannot be read cannot be counted", s.earA)
			}
			if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tc.says) || !strings.Contains(log, path+".corrupt-") {
				t.Errorf("got log %s, want one record of %q and where the file is", log, tc.says)
			}
		})
	}
}

// A record whose bytes are not those that were put is never handed out. What else
// was in the store is counted.
func TestCorruptRecord(t *testing.T) {
	dir := t.TempDir()
	s := testSpool(t, dir)
	put(t, s.a, strings.Repeat("good", 100_000), strings.Repeat("evil", 100_000))
	put(t, s.b, "b")
	s.close(t)
	change(t, s.path, func(b []byte) []byte {
		b[strings.Index(string(b), "evil")+200_000]++
		return b
	})
	s = testSpool(t, dir)
	wantNext(t, s.a, strings.Repeat("good", 100_000))
	wantNone(t, s.a)
	if s.earA.lost[Corrupt] != 400_000 || s.earB.lost[Corrupt] != 1 {
		t.Errorf("got %+v and %+v, want 400,000 and 1 lost", s.earA, s.earB)
	}
	wantFiles(t, dir, fileName+".corrupt")
	s.close(t)
}

// The file is cut short while it is in use: reading a mapped page that is no more
// is a fault of memory, and not the end of the program. What is held is still the
// caller's.
func TestFileCutWhileInUse(t *testing.T) {
	for name, use := range map[string]func(*testing.T, *spool){
		"put":  func(t *testing.T, s *spool) { put(t, s.a, "new") },
		"take": func(t *testing.T, s *spool) { wantNone(t, s.b) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := filled(t)
			s := testSpool(t, dir)
			key, held, err := s.a.Take()
			if err != nil {
				t.Fatal(err)
			}
			items := s.earA.found - held.Items
			if err := os.Truncate(path, pageSize); err != nil {
				t.Fatal(err)
			}
			use(t, s)
			if s.earA.lost[Corrupt] != items || s.earB.lost[Corrupt] != s.earB.found {
				t.Errorf("got %+v and %+v lost, want %d and all", s.earA, s.earB, items)
			}
			if s.a.Return(key) {
				t.Error("the store says that it still has what it held")
			}
			put(t, s.a, "after")
			if name == "put" {
				wantNext(t, s.a, "new")
			}
			wantNext(t, s.a, "after")
			wantFiles(t, dir, fileName+".corrupt")
			s.close(t)
		})
	}
}

// Somebody removes the file, or overwrites it in place: nothing hangs, nothing
// panics, and the counts follow.
func TestFileOverwrittenWhileInUse(t *testing.T) {
	dir, path := filled(t)
	s := testSpool(t, dir)
	wantNext(t, s.b, strings.Repeat("b", 100_000))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	garbage := make([]byte, info.Size())
	random := rand.NewChaCha8([32]byte{1})
	random.Read(garbage)
	if _, err := file.WriteAt(garbage, 0); err != nil {
		t.Fatal(err)
	}
	file.Close()
	put(t, s.a, "new")
	wantNext(t, s.a, "new")
	if s.earB.lost[Corrupt] != s.earB.found-100_000 {
		t.Errorf("got %+v, want all lost that was not taken", s.earB)
	}
	s.close(t)
}

// FuzzCorruption damages a store in any way. It never ends the program, never
// hands out what was not put, and works afterwards.
func FuzzCorruption(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed), seed%2 == 0)
	}
	_, path := filled(f)
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seed uint64, changes uint8, structure bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := append([]byte(nil), sound...)
		for range 1 + int(changes)%16 {
			at := random.IntN(len(data))
			if structure { // the beginnings of pages, where their elements are
				at = at/pageSize*pageSize + random.IntN(100)
			}
			switch random.IntN(3) {
			case 0:
				data[at] ^= 1 << random.IntN(8)
			case 1:
				data[at] = byte(random.Uint32())
			default:
				copy(data[at:min(at+8, len(data))], data[random.IntN(len(data)-8):])
			}
		}
		if random.IntN(10) == 0 {
			data = data[:random.IntN(len(data))]
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := testSpool(t, dir)
		taken := 0
		for {
			key, r, err := s.a.Take()
			if err != nil {
				t.Fatal(err)
			}
			if key == "" {
				break
			}
			if text := string(r.Data); text != "short" && strings.Trim(text, "a") != "" || r.Items != len(text) {
				t.Fatalf("got %.20q of %d items, which nobody put", text, r.Items)
			}
			taken += r.Items
			if err := s.a.Remove(key); err != nil {
				t.Fatal(err)
			}
		}
		if lost := s.earA.lost[Corrupt] + s.earA.lost[Expired]; taken+lost != s.earA.found {
			t.Fatalf("found %d, taken %d, lost %d", s.earA.found, taken, lost)
		}
		put(t, s.a, "new", fmt.Sprint(seed))
		wantNext(t, s.a, "new", fmt.Sprint(seed))
		s.close(t)
	})
}
