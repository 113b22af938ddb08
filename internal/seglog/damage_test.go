package seglog

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// One flipped bit costs the record that it hits and no other, wherever it is. The
// number of damaged records is exact, but for a header behind which nothing is.
func TestFlippedBit(t *testing.T) {
	path, want, _ := filled(t, 20)
	for _, file := range segments(t, path) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := range whole {
			damagedFile := append([]byte(nil), whole...)
			damagedFile[at] ^= 1 << (at % 8)
			if err := os.WriteFile(file, damagedFile, 0o600); err != nil {
				t.Fatal(err)
			}
			r := NewReader(testDir(t, path), "log")
			got, damaged := readAll(t, r, want)
			r.Close()
			lastHeader := len(got) == 19 && got[18] == 19 && damaged == 0
			if len(got) != 19 || damaged != 1 && !lastHeader {
				t.Fatalf("byte %d of %s: got %d records and %d damaged, want 19 and 1", at, file, len(got), damaged)
			}
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A record that stands where it does not belong is none: an old block that came
// back, or a copy.
func TestMisplacedRecord(t *testing.T) {
	path, want, _ := filled(t, 8)
	file := segments(t, path)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := len(whole) / 8
	copy(whole[size:], whole[:size]) // the first over the second
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader(testDir(t, path), "log")
	defer r.Close()
	if got, damaged := readAll(t, r, want); len(got) != 7 || got[1] != 3 || damaged != 1 {
		t.Errorf("got %v and %d damaged, want all but the second", got, damaged)
	}
}

// FuzzDamage damages a log in any way. Nothing panics or hangs, no record is
// returned that was not appended, and the log works afterwards.
func FuzzDamage(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, changes uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		path, want, at := filled(t, 1+random.IntN(60))
		total := uint64(len(want))
		// One log is open meanwhile: its records are damaged or what they were.
		open := testLog(t, testDir(t, path), 1000)
		files := segments(t, path)
		touched := map[string]bool{}
		for range 1 + changes%16 {
			file := files[random.IntN(len(files))]
			data, err := os.ReadFile(file)
			if err != nil {
				continue // removed
			}
			touched[file] = true
			data = mangle(random, data)
			if random.IntN(20) == 0 {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for n, at := range at {
			if got, err := open.Read(at); err == nil && string(got.Body) != string(want[n].Body) || err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("record %d: got %.20q (%v)", n, got.Body, err)
			}
		}
		dir := testDir(t, path)
		r := NewReader(dir, "log")
		defer r.Close()
		got, damaged := readAll(t, r, want)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("got %v, want each once and in order", got)
		}
		untouched := 0
		for _, file := range files {
			if !touched[file] {
				untouched++
			}
		}
		if uint64(len(got))+damaged > total || len(got) < 6*(untouched-1) {
			t.Fatalf("got %d and %d damaged of %d; %d of %d segments are untouched", len(got), damaged, total, untouched, len(files))
		}
		l, err := Open(Options{Dir: dir, Log: "log", SegmentSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if len(got) > 0 && l.Next() <= got[len(got)-1] {
			t.Fatalf("the next record is %d, behind %d", l.Next(), got[len(got)-1])
		}
		fresh := record(1000, 50)
		p := appendTo(t, l, fresh)[0]
		want[p.Number] = fresh
		second := NewReader(dir, "log")
		defer second.Close()
		if again, _ := readAll(t, second, want); !slices.Equal(again, append(got, p.Number)) {
			t.Fatalf("got %v, want %v and the new record %d", again, got, p.Number)
		}
	})
}

// mangle changes a few bytes: flips, overwrites, copies, zeros, cuts, garbage.
func mangle(random *rand.Rand, data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	at := random.IntN(len(data))
	to := min(len(data), at+1+random.IntN(300))
	switch random.IntN(7) {
	case 0:
		data[at] ^= 1 << random.IntN(8)
	case 1:
		data[at] = byte(random.Uint32())
	case 2:
		copy(data[at:to], data[random.IntN(len(data)):])
	case 3:
		clear(data[at:to])
	case 4:
		return data[:at]
	case 5:
		for i := range data[at:to] {
			data[at+i] = byte(random.Uint32())
		}
	default:
		return append(data, data[at:to]...)
	}
	return data
}

// FuzzOperations compares a log with a list, over appends, drops, reads, damage to
// the tail, and restarts.
func FuzzOperations(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 2))
		path := t.TempDir()
		dir := testDir(t, path)
		o := Options{Dir: dir, Log: "log", SegmentSize: int64(random.IntN(5000)), Sync: random.IntN(4) == 0}
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		var at []Position // of record 1, 2, …
		want := map[uint64]Record{}
		first := uint64(1)
		for range 60 {
			switch random.IntN(6) {
			case 0, 1, 2:
				var records []Record
				for range random.IntN(4) {
					records = append(records, record(len(at)+len(records)+1, random.IntN(2000)))
				}
				for i, p := range appendTo(t, l, records...) {
					at = append(at, p)
					want[p.Number] = records[i]
				}
			case 3:
				if before := uint64(random.IntN(len(at) + 2)); before > first {
					if err := l.Drop(before); err != nil {
						t.Fatal(err)
					}
					first = before
				}
			case 4:
				l.Close()
				if files := segments(t, path); len(files) > 0 && random.IntN(2) == 0 {
					tear(t, files[len(files)-1])
				}
				if l, err = Open(o); err != nil {
					t.Fatal(err)
				}
				if len(segments(t, path)) == 0 { // an empty log begins anew
					at, want, first = nil, map[uint64]Record{}, 1
				}
			case 5:
				r := NewReader(dir, "log")
				got, _ := readAll(t, r, want)
				r.Close()
				dropped := first > uint64(len(at)) // the last record
				if !dropped && (len(got) == 0 || got[0] > first || got[len(got)-1] != uint64(len(at))) {
					t.Fatalf("read %v, want from %d up to %d", got, first, len(at))
				}
			}
			for range min(3, max(0, len(at)-int(first)+1)) {
				p := at[int(first)-1+random.IntN(len(at)-int(first)+1)]
				if got, err := l.Read(p); err != nil || string(got.Body) != string(want[p.Number].Body) {
					t.Fatalf("record %d of %d from %d: got %d bytes (%v)", p.Number, len(at), first, len(got.Body), err)
				}
			}
		}
	})
}

// tear appends the beginning of a record, as a writer that was killed does.
func tear(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data[:min(len(data), 50)])
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
