package main

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What was flushed is there after a power cut. Of what was not, each sector is what
// it was before or after the write, and all that can happen does.
func TestPowerCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[int]int{} // sectors of the write that was not flushed: how often
	for range 200 {
		d := newDisk(make([]byte, 8192))
		if status, _ := d.do(nbdWrite, 0, 4096, bytes.Repeat([]byte{1}, 4096)); status != nbdOK {
			t.Fatal("cannot write")
		}
		d.do(nbdFlush, 0, 0, nil)
		d.do(nbdWrite, 2048, 2048, bytes.Repeat([]byte{2}, 2048))
		if _, got := d.do(nbdRead, 2048, 1, nil); got[0] != 2 {
			t.Fatal("cannot read what is in the cache")
		}
		if writes := d.cut(random); writes != 1 {
			t.Fatalf("got %d writes in the cache, want 1", writes)
		}
		_, got := d.do(nbdRead, 0, 8192, nil)
		if !bytes.Equal(got[:2048], bytes.Repeat([]byte{1}, 2048)) || !bytes.Equal(got[4096:], make([]byte, 4096)) {
			t.Fatal("what was flushed is not there")
		}
		n := 0
		for at := 2048; at < 4096; at += 512 {
			sector := got[at : at+512]
			if bytes.Count(sector, []byte{1}) != 512 && bytes.Count(sector, []byte{2}) != 512 {
				t.Fatal("a sector is torn")
			}
			n += bytes.Count(sector, []byte{2}) / 512
		}
		kept[n]++
	}
	for n := range 5 {
		if kept[n] == 0 {
			t.Errorf("%d sectors were kept never: %v", n, kept)
		}
	}
	if status, _ := newDisk(nil).do(nbdRead, 0, 1, nil); status != nbdInvalid {
		t.Error("read beyond the end")
	}
}
