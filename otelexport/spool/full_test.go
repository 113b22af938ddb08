package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/procspan/procspan/test/tinydisk"
)

// On a disk that is really full, Put says so and keeps nothing; what was there
// before is still there, and Put works again when there is room.
func TestFullDisk(t *testing.T) {
	disk := tinydisk.New(t, 8<<20)
	s := testSpool(t, filepath.Join(disk, "store"))
	text := strings.Repeat("x", 1<<20)
	put(t, s.a, "first")
	stored := 0
	var err error
	for ; stored < 100; stored++ {
		if err = s.a.Put(Record{1, []byte(text)}); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || stored == 0 {
		t.Fatalf("got error %v after %d MiB, want ENOSPC after a few", err, stored)
	}
	for range 3 { // and again
		if err := s.a.Put(Record{1, []byte(text)}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got error %v, want ENOSPC", err)
		}
	}
	wantNext(t, s.a, "first")
	for range stored {
		key, r, err := s.a.Take()
		if err != nil || string(r.Data) != text {
			t.Fatalf("got %d bytes, error %v, want what was put", len(r.Data), err)
		}
		if err := s.a.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
	wantNone(t, s.a)
	put(t, s.a, text, "last")
	if s.earA != (ear{}) {
		t.Errorf("got %+v, want nothing found or lost", s.earA)
	}
	s.close(t)

	s = testSpool(t, filepath.Join(disk, "store"))
	defer s.close(t)
	key, r, err := s.a.Take()
	if err != nil || string(r.Data) != text {
		t.Fatalf("after a restart: got %d bytes, error %v", len(r.Data), err)
	}
	if err := s.a.Remove(key); err != nil {
		t.Fatal(err)
	}
	wantNext(t, s.a, "last")
	if s.log.Len() > 0 {
		t.Errorf("got log %s, want none", &s.log)
	}
}

// A disk so full that not even an empty store fits.
func TestDiskFullFromTheStart(t *testing.T) {
	disk := tinydisk.New(t, 1<<20)
	dir := filepath.Join(disk, "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	filler := tinydisk.Fill(t, disk)
	s := testSpool(t, dir)
	defer s.close(t)
	for range 2 {
		if err := s.a.Put(recordsOf("x")...); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got error %v, want ENOSPC", err)
		}
		wantNone(t, s.a)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	put(t, s.a, "x")
	wantNext(t, s.a, "x")
}
