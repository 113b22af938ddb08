package bpf

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is held, whether it was read or skimmed, is what the kernel wrote, in its
// order, wherever in the ring it lies, up to the first record that is being written.
func TestHeldRecords(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	k := newFakeKernel(4096)
	k.ring.held = true
	for round := range 2000 {
		var want [][]byte
		for random.IntN(12) > 0 {
			record := make([]byte, random.IntN(200))
			for i := range record {
				record[i] = byte(random.Uint32())
			}
			if random.IntN(10) == 0 {
				k.write(record, ringDiscard)
			} else if k.write(record, 0) {
				want = append(want, record)
			}
		}
		for range random.IntN(3) {
			k.ring.record()
		}
		if round%2 == 0 {
			k.write(make([]byte, 8), ringBusy)
		}
		k.ring.skim()
		got := slices.Collect(Records(k.ring.heldBytes()))
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("round %d: got %d records, want %d", round, len(got), len(want))
		}
		k.ring.commit()
		if k.consumer != k.ring.next {
			t.Fatalf("round %d: the kernel has room up to %d, want %d", round, k.consumer, k.ring.next)
		}
		if k.consumer != k.producer { // the record is written now
			k.ring.data[(k.consumer+3)&k.ring.mask] = 0
			k.ring.skim()
			k.ring.commit()
		}
	}
}

// Bytes that do not end with a whole record end in a nil one.
func TestRecordsCut(t *testing.T) {
	k := newFakeKernel(4096)
	k.write([]byte("one"), 0)
	k.write([]byte("another"), 0)
	k.ring.skim()
	whole := k.ring.heldBytes()
	for n := range len(whole) {
		records := slices.Collect(Records(whole[:n]))
		border := n == 0 || n == 16
		if last := len(records) - 1; !border && (last < 0 || records[last] != nil) || border && slices.ContainsFunc(records, func(r []byte) bool { return r == nil }) {
			t.Errorf("%d of %d bytes: got %q", n, len(whole), records)
		}
	}
}
