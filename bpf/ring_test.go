package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// fakeKernel writes to a ring as the kernel does: where there is no room, a
// record is lost.
type fakeKernel struct {
	ring               *ring
	consumer, producer uintptr
}

func newFakeKernel(size int) *fakeKernel {
	k := &fakeKernel{}
	k.ring = &ring{data: make([]byte, size), mask: uintptr(size - 1), consumer: &k.consumer, producer: &k.producer}
	return k
}

func (k *fakeKernel) write(record []byte, flags uint32) bool {
	whole := binary.LittleEndian.AppendUint32(nil, uint32(len(record))|flags)
	whole = append(append(whole, 0, 0, 0, 0), record...)
	whole = append(whole, make([]byte, -len(whole)&7)...)
	if int(k.producer-k.consumer)+len(whole) > len(k.ring.data) {
		return false
	}
	for i, b := range whole {
		k.ring.data[(k.producer+uintptr(i))&k.ring.mask] = b
	}
	k.producer += uintptr(len(whole))
	return true
}

// Records come out as they went in and in their order, wherever in the ring they
// lie; discarded ones do not; and all room comes back.
func TestRingRecords(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const size = 4096
	k := newFakeKernel(size)
	var waiting [][]byte
	read, over := 0, 0
	for read < 20_000 {
		record := make([]byte, random.IntN(300))
		for i := range record {
			record[i] = byte(random.Uint32())
		}
		if random.IntN(10) == 0 {
			k.write(record, ringDiscard)
		} else if k.write(record, 0) {
			waiting = append(waiting, record)
		}
		for random.IntN(3) > 0 {
			got, ok := k.ring.record()
			if ok != (len(waiting) > 0) {
				t.Fatalf("after %d records: another one: %v, want %v", read, ok, !ok)
			}
			if !ok {
				break
			}
			if !bytes.Equal(got, waiting[0]) {
				t.Fatalf("record %d: got %d bytes, want %d, or they differ", read, len(got), len(waiting[0]))
			}
			if len(got) > 0 && len(k.ring.wrapped) > 0 && &got[0] == &k.ring.wrapped[0] {
				over++
			}
			waiting = waiting[1:]
			read++
		}
		if kept := k.producer - k.consumer; kept > size {
			t.Fatalf("%d bytes are kept of %d", kept, size)
		}
	}
	for {
		if _, ok := k.ring.record(); !ok {
			break
		}
	}
	k.ring.release()
	if k.consumer != k.producer {
		t.Errorf("%d bytes of room did not come back", k.producer-k.consumer)
	}
	if over == 0 {
		t.Error("no record went over the end")
	}
}

// An interrupt ends the wait of a read, and of the next where none is waiting;
// what the ring holds comes first.
func TestRingInterrupt(t *testing.T) {
	defer raiseMemlock()()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		skipUnsupported(t, explain("make a ring buffer", err))
	}
	defer m.Close()
	r, err := newRing(m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, interrupt := range []func(){
		r.interrupt,
		func() { go r.interrupt() },
	} {
		interrupt()
		if record, err := r.read(time.Now().Add(time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %d bytes and %v, want the deadline to have passed", len(record), err)
		}
	}
}
