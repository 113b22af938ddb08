package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/procspan/procspan/internal/safedir"
)

// ear is a Listener that remembers.
type ear struct {
	found int
	lost  [Corrupt + 1]int
}

func (e *ear) Found(items int)          { e.found += items }
func (e *ear) Lost(items int, why Loss) { e.lost[why] += items }

// spool is a store with two lanes and what was said about them.
type spool struct {
	*Store
	a, b       *Lane
	earA, earB ear
	log        bytes.Buffer
}

func testSpool(t testing.TB, dir string, change ...func(*Options)) *spool {
	t.Helper()
	s := &spool{}
	o := Options{Directory: dir, MaxSize: 1 << 30, MaxAge: time.Hour, Version: 1, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	for _, f := range change {
		f(&o)
	}
	var err error
	if s.Store, err = Open(o); err != nil {
		t.Fatal(err)
	}
	s.a, s.b = s.Lane("a", &s.earA), s.Lane("b", &s.earB)
	return s
}

func (s *spool) close(t testing.TB) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, l *Lane, texts ...string) {
	t.Helper()
	if err := l.Put(recordsOf(texts...)...); err != nil {
		t.Fatal(err)
	}
}

// recordsOf have as many items as their texts have bytes.
func recordsOf(texts ...string) (all []Record) {
	for _, text := range texts {
		all = append(all, Record{len(text), []byte(text)})
	}
	return all
}

// wantNext takes records, and removes them.
func wantNext(t testing.TB, l *Lane, texts ...string) {
	t.Helper()
	for _, want := range texts {
		key, r, err := l.Take()
		if err != nil || key == "" {
			t.Fatalf("got key %q and error %v, want record %.20q", key, err, want)
		}
		if string(r.Data) != want || r.Items != len(want) {
			t.Fatalf("got %.20q of %d items, want %.20q", r.Data, r.Items, want)
		}
		if err := l.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
}

func wantNone(t testing.TB, l *Lane) {
	t.Helper()
	if key, r, err := l.Take(); key != "" || err != nil {
		t.Fatalf("got %q and error %v, want no record", r.Data, err)
	}
}

// wantFiles holds which lanes have segments, and what other files there are.
func wantFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Name() == safedir.LockFile {
			continue
		}
		lane, _, _ := strings.Cut(e.Name(), "-")
		got = append(got, lane)
	}
	if got = slices.Compact(got); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files: got %q, want %q", got, want)
	}
}

// segments returns the files of all lanes, and their size.
func segments(t testing.TB, dir string) (files []string, size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*-*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", file, info.Mode())
		}
		size += info.Size()
	}
	return files, size
}

// Each lane has its own order, which survives a restart. A lane has files only
// while something waits in it.
func TestOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "some", "where")
	s := testSpool(t, dir)
	wantNone(t, s.a)
	wantFiles(t, dir)
	big := strings.Repeat("x", 1<<20)
	put(t, s.a, "1", "22")
	put(t, s.b, "one")
	put(t, s.a, big)
	put(t, s.b, "two", "three")
	wantNext(t, s.a, "1")
	segments(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: got %v (%v), want mode 0700", info, err)
	}
	s.close(t)

	s = testSpool(t, dir)
	wantNext(t, s.a, "22", big)
	if s.earA.found != 2+1<<20 || s.earB.found != 11 {
		t.Errorf("found: got %d and %d, want %d and 11", s.earA.found, s.earB.found, 2+1<<20)
	}
	put(t, s.a, "last")
	wantFiles(t, dir, "a", "b")
	wantNext(t, s.b, "one", "two", "three")
	wantFiles(t, dir, "a")
	wantNext(t, s.a, "last")
	wantNone(t, s.a)
	wantFiles(t, dir)
	put(t, s.a, "again")
	wantNext(t, s.a, "again")
	s.close(t)
	if s.log.Len() > 0 {
		t.Errorf("got log %s, want none", &s.log)
	}
}

// What is held comes again when it is returned, in its place, or others in it.
func TestReturnAndReplace(t *testing.T) {
	s := testSpool(t, t.TempDir())
	defer s.close(t)
	put(t, s.a, "abcd", "e")
	key, _, _ := s.a.Take()
	if !s.a.Return(key) {
		t.Error("the store does not have what it gave")
	}
	key, _, _ = s.a.Take()
	if ok, err := s.a.Replace(key, recordsOf("ab", "cd")...); !ok || err != nil {
		t.Fatalf("replace: %v, %v", ok, err)
	}
	key, _, _ = s.a.Take()
	if ok, err := s.a.Replace(key, recordsOf("a", "b")...); !ok || err != nil {
		t.Fatalf("replace: %v, %v", ok, err)
	}
	if s.a.Return(key) {
		t.Error("what was replaced came back")
	}
	wantNext(t, s.a, "a", "b", "cd", "e")
	if s.earA != (ear{}) {
		t.Errorf("the lane was told %+v of what it did itself", s.earA)
	}
}

// The oldest of all lanes goes when there is no room, but not what is held.
func TestMaxSize(t *testing.T) {
	dir := t.TempDir()
	s := testSpool(t, dir, func(o *Options) { o.MaxSize = 100_000 })
	defer s.close(t)
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i), 30_000) }
	put(t, s.b, text(0))
	put(t, s.a, text(1))
	put(t, s.a, text(2))
	put(t, s.a, text(3))
	if got, want := s.earB.lost[Full], 30_000; got != want {
		t.Errorf("lost of the other lane: got %d, want %d", got, want)
	}
	key, _, _ := s.a.Take()
	put(t, s.a, text(4), text(5))
	if got, want := s.earA.lost[Full], 60_000; got != want {
		t.Errorf("lost: got %d, want %d", got, want)
	}
	s.a.Return(key)
	wantNext(t, s.a, text(1), text(4), text(5))
	// The files do not grow with what went through them.
	for range 50 {
		put(t, s.a, text(6))
	}
	if files, size := segments(t, dir); size > 110_000 {
		t.Errorf("%v have %d bytes for at most 100,000 of records", files, size)
	}
}

func TestMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSpool(t, t.TempDir())
		defer s.close(t)
		put(t, s.a, "1")
		put(t, s.b, "2")
		time.Sleep(time.Hour / 2)
		put(t, s.a, "33")
		time.Sleep(time.Hour/2 + 1)
		wantNext(t, s.a, "33")
		wantNone(t, s.b)
		put(t, s.a, "4")
		time.Sleep(time.Hour + 1)
		put(t, s.a, "5")
		wantNext(t, s.a, "5")
		if s.earA.lost[Expired] != 2 || s.earB.lost[Expired] != 1 {
			t.Errorf("got %+v and %+v, want 2 and 1 expired", s.earA, s.earB)
		}
	})
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	first := testSpool(t, dir)
	_, err := Open(Options{Directory: dir})
	var inUse *InUseError
	if !errors.As(err, &inUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "delivery.directory") {
		t.Errorf("got %v, want an InUseError with the directory and the hint", err)
	}
	first.close(t)
	testSpool(t, dir).close(t)
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Directory: filepath.Join(file, "x")}); err == nil || !strings.Contains(err.Error(), "delivery.directory") {
		t.Errorf("got %v, want an error with a hint", err)
	}
}
