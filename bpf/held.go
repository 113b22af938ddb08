package bpf

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// Skim passes over the complete records that the ring has, without decoding them:
// they are held, as if they had been read.
func (t *Tracer) Skim() { t.ring.skim() }

// HeldRecords returns the records that are held, as Records reads them. They are
// valid until the next call of Read, Skim, Release or HeldRecords.
func (t *Tracer) HeldRecords() []byte { return t.ring.heldBytes() }

// skim moves next behind the last record before one that the kernel is writing.
func (r *ring) skim() {
	r.end = atomic.LoadUintptr(r.producer)
	for r.next != r.end {
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[r.next&r.mask])))
		if header&ringBusy != 0 {
			return
		}
		r.next += recordSize(header)
	}
}

// recordSize is how much of the ring a record takes, by its header.
func recordSize(header uint32) uintptr {
	return ringHeader + (uintptr(header&^(ringBusy|ringDiscard))+7)&^7
}

// heldBytes returns what stands in the ring between released and next, in one piece.
func (r *ring) heldBytes() []byte {
	n, at := r.next-r.released, r.released&r.mask
	if rest := uintptr(len(r.data)) - at; n > rest {
		r.joined = append(append(r.joined[:0], r.data[at:]...), r.data[:n-rest]...)
		return r.joined
	}
	return r.data[at : at+n : at+n]
}

// Records yields the records of what HeldRecords returned, for Decoder.Decode. It
// yields nil at the end if b does not end with a whole record.
func Records(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			if len(b) < ringHeader {
				yield(nil)
				return
			}
			header := binary.NativeEndian.Uint32(b)
			size := uintptr(header &^ (ringBusy | ringDiscard))
			whole := recordSize(header)
			if uintptr(len(b)) < whole {
				yield(nil)
				return
			}
			if header&ringDiscard == 0 && !yield(b[ringHeader:ringHeader+size:ringHeader+size]) {
				return
			}
			b = b[whole:]
		}
	}
}

// RecordFormat identifies the layout of records: a Decoder reads those of programs
// that have the same.
func RecordFormat() uint64 {
	sum := fnv.New64a()
	for _, t := range []reflect.Type{
		reflect.TypeFor[procspanWireFork](), reflect.TypeFor[procspanWireExec](),
		reflect.TypeFor[procspanWireExit](), reflect.TypeFor[procspanWireForkExit](),
		reflect.TypeFor[procspanWireCgroup](),
	} {
		writeLayout(sum, t)
	}
	return sum.Sum64()
}

// writeLayout writes what a struct looks like in memory.
func writeLayout(w io.Writer, t reflect.Type) {
	fmt.Fprint(w, t.Kind(), t.Size())
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprint(w, f.Name, f.Offset)
			writeLayout(w, f.Type)
		}
	case reflect.Array:
		writeLayout(w, t.Elem())
	}
}
