package agent

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// fakeRing is a ring without a kernel. What put writes counts as read at once; what
// write writes does not.
type fakeRing struct {
	held, unread []byte
	released     uint64
	sought       []uint64
	stays        bool          // Seek is refused
	looked       int64         // CPU time of the thread at the last look, or 0
	longest      time.Duration // between two looks at one snapshot
	onLook       func()
}

// look is called while a snapshot is written, as often as the ring is looked at.
func (r *fakeRing) look() {
	if r.onLook != nil {
		r.onLook()
	}
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now) != nil {
		return
	}
	if r.looked != 0 {
		r.longest = max(r.longest, time.Duration(now.Nano()-r.looked))
	}
	r.looked = now.Nano()
}

func appendRecord(b, record []byte) []byte {
	b = binary.NativeEndian.AppendUint64(b, uint64(len(record)))
	b = append(b, record...)
	return append(b, make([]byte, -len(record)&7)...)
}

func (r *fakeRing) put(record []byte)   { r.held = appendRecord(r.held, record) }
func (r *fakeRing) write(record []byte) { r.unread = appendRecord(r.unread, record) }

func (r *fakeRing) Position() uint64 { return r.released + uint64(len(r.held)) }
func (r *fakeRing) Held() uint64     { r.looked = 0; return uint64(len(r.held)) }
func (r *fakeRing) Written() uint64  { r.look(); return r.Position() + uint64(len(r.unread)) }

// Seek goes to a position; what is there is not known.
func (r *fakeRing) Seek(to uint64) bool {
	r.released, r.sought = to, append(r.sought, to)
	return !r.stays
}

func (r *fakeRing) HeldRecords() []byte { return r.held }

func (r *fakeRing) Skim() {
	r.held, r.unread = append(r.held, r.unread...), r.unread[:0]
}

func (r *fakeRing) Release() {
	r.released += uint64(len(r.held))
	r.held = r.held[:0]
}
