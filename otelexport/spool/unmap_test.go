package spool

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// What is given back to the kernel is never more than what is mapped, however the
// file grows: beyond lies the memory of others.
func TestUnmapStaysWithinTheMapping(t *testing.T) {
	dir := t.TempDir()
	s := testSpool(t, dir)
	longer := false
	for i := range 120 {
		put(t, s.a, strings.Repeat("x", 10_000+i*7919%1_000_000))
		if i%3 == 2 {
			key, _, err := s.a.Take()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.a.Remove(key); err != nil {
				t.Fatal(err)
			}
		}
		length := mappingAt(t, s.db.Info().Data)
		if s.mapped <= 0 || s.mapped > length {
			t.Fatalf("after %d records: %d bytes are given back, %d are mapped", i+1, s.mapped, length)
		}
		info, err := s.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		longer = longer || info.Size() > length
	}
	if !longer {
		t.Error("the file was never longer than its mapping: this test does not see what it is for")
	}
	s.close(t)
}

// mappingAt returns the length of the mapping that begins at an address.
func mappingAt(t *testing.T, address uintptr) int64 {
	t.Helper()
	file, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var from, to uintptr
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &from, &to); err == nil && from == address {
			return int64(to - from)
		}
	}
	t.Fatalf("nothing is mapped at %x", address)
	return 0
}
