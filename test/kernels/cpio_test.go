package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// entries reads an archive back, by the format's description.
func entries(t *testing.T, archive []byte) (list []string) {
	t.Helper()
	at := 0
	align := func() { at = (at + 3) &^ 3 }
	for {
		header := archive[at : at+110]
		if string(header[:6]) != "070701" {
			t.Fatalf("at %d: magic number %q", at, header[:6])
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(header[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatalf("at %d: field %d: %v", at, i, err)
			}
			return int(n)
		}
		inode, mode, size, nameSize := field(0), field(1), field(6), field(11)
		at += 110
		name := string(archive[at : at+nameSize])
		at += nameSize
		align()
		data := archive[at : at+size]
		at += size
		align()
		if !strings.HasSuffix(name, "\x00") {
			t.Errorf("the name %q has no end", name)
		}
		list = append(list, fmt.Sprintf("%d %o %s %q", inode, mode, strings.TrimSuffix(name, "\x00"), data))
		if name == "TRAILER!!!\x00" {
			if at != len(archive) {
				t.Errorf("%d bytes after the end", len(archive)-at)
			}
			return list
		}
	}
}

func TestCpio(t *testing.T) {
	var c cpio
	c.add("bin", 0o040755, nil)
	for i := range 5 { // every alignment of names and data
		c.add("f"+strings.Repeat("x", i), 0o100644, bytes.Repeat([]byte("d"), i))
	}
	got := strings.Join(entries(t, c.bytes()), "\n")
	want := `1 40755 bin ""
2 100644 f ""
3 100644 fx "d"
4 100644 fxx "dd"
5 100644 fxxx "ddd"
6 100644 fxxxx "dddd"
7 0 TRAILER!!! ""`
	if got != want {
		t.Errorf("the archive holds\n%s\nwant\n%s", got, want)
	}
}
