package bpf

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring reads the records of a ring buffer map in place, one after the other. Only
// interrupt is safe for concurrent use.
//
// It differs from the library's reader in three ways that matter on a busy host: it
// waits in the runtime's poller, not in a system call of its own, after which the
// runtime's monitor would wake every 20 µs for a while (a fifth of the agent's CPU
// time); it does not copy records; and it maps the ring once, not twice in a row,
// which would count as resident memory.
type ring struct {
	// The positions, in memory shared with the kernel: bytes read and bytes written
	// since the map was created. The kernel publishes a record by clearing its busy
	// bit (xchg in bpf_ringbuf_commit, kernel/bpf/ringbuf.c) after it has advanced
	// producer, so a reader that loads producer and then the header sees it whole.
	consumer, producer *uintptr
	data               []byte
	mask               uintptr

	next     uintptr // where the next record begins
	end      uintptr // the producer's position when last loaded
	released uintptr // the consumer's position as the kernel knows it
	held     bool    // released advances by commit only
	// awake: read is draining the ring; late: its deadline has passed meanwhile.
	awake, late bool

	wrapped []byte // a copy of a record that wraps around the end of data
	joined  []byte // held records that run over the end of data, in one piece

	file        *os.File // the map's descriptor, for the poller
	conn        syscall.RawConn
	interrupted atomic.Bool
	mapped      [][]byte
}

// watermarkShare: the reader is woken when 1/watermarkShare of the ring is unread.
const watermarkShare = 4

// The header of a record in the ring (struct bpf_ringbuf_hdr).
const (
	ringHeader  = 8
	ringBusy    = unix.BPF_RINGBUF_BUSY_BIT
	ringDiscard = unix.BPF_RINGBUF_DISCARD_BIT
)

// newRing maps the ring of m, which stays the caller's.
func newRing(m *ebpf.Map) (*ring, error) {
	size, page := int(m.MaxEntries()), os.Getpagesize()
	r := &ring{mask: uintptr(size - 1)}
	consumer, err := r.mmap(m, 0, page, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, fmt.Errorf("map the ring buffer's consumer position: %w", err)
	}
	written, err := r.mmap(m, page, page+size, unix.PROT_READ)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring buffer: %w", err), r.close())
	}
	r.consumer = (*uintptr)(unsafe.Pointer(unsafe.SliceData(consumer)))
	r.producer = (*uintptr)(unsafe.Pointer(unsafe.SliceData(written)))
	r.data = written[page:]
	r.released = atomic.LoadUintptr(r.consumer) // an earlier agent may have read
	r.next, r.end = r.released, r.released
	if err := r.poll(m); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *ring) mmap(m *ebpf.Map, offset, size, protection int) ([]byte, error) {
	b, err := unix.Mmap(m.FD(), int64(offset), size, protection, unix.MAP_SHARED)
	if err == nil {
		r.mapped = append(r.mapped, b)
	}
	return b, err
}

// poll registers a duplicate descriptor of the map with the runtime's poller.
func (r *ring) poll(m *ebpf.Map) error {
	const doing = "wait for the ring buffer"
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime polls non-blocking files only
		_ = unix.Close(fd)
		return fmt.Errorf("%s: %w", doing, err)
	}
	r.file = os.NewFile(uintptr(fd), "ring buffer")
	if r.conn, err = r.file.SyscallConn(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := r.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// read waits until the deadline or until the ring passes its watermark, and then
// returns the records in the ring, one per call. After the last one it returns
// os.ErrDeadlineExceeded if the deadline has passed, and waits again otherwise. A
// record is valid until the next call and must not be written to.
func (r *ring) read(deadline time.Time) ([]byte, error) {
	for {
		if r.awake {
			if record, ok := r.record(); ok {
				return record, nil
			}
			r.release()
			r.awake = false
			if r.late {
				r.late = false
				return nil, os.ErrDeadlineExceeded
			}
		}
		switch err := r.wait(deadline); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.late = true
		case err != nil:
			return nil, fmt.Errorf("wait for the ring buffer: %w", err)
		}
		r.awake = true
	}
}

// record returns the next record; ok is false when there is none.
func (r *ring) record() (record []byte, ok bool) {
	if r.next-r.released >= uintptr(len(r.data))/16 {
		r.release()
	}
	for {
		if r.next == r.end {
			if r.end = atomic.LoadUintptr(r.producer); r.next == r.end {
				return nil, false
			}
		}
		at := r.next & r.mask
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at])))
		if header&ringBusy != 0 { // until the kernel has written the record
			runtime.Gosched()
			continue
		}
		size := uintptr(header &^ (ringBusy | ringDiscard))
		at = (at + ringHeader) & r.mask
		r.next += ringHeader + (size+7)&^7
		if header&ringDiscard != 0 {
			continue
		}
		if at+size <= uintptr(len(r.data)) {
			return r.data[at : at+size : at+size], true
		}
		r.wrapped = append(r.wrapped[:0], r.data[at:]...)
		r.wrapped = append(r.wrapped, r.data[:size-uintptr(len(r.wrapped))]...)
		return r.wrapped, true
	}
}

// release frees the room of the records read, unless it is held.
func (r *ring) release() {
	if !r.held {
		r.commit()
	}
}

// commit frees the room of the records read. The next to open the ring reads on
// from there.
func (r *ring) commit() {
	if r.released != r.next {
		r.released = r.next
		atomic.StoreUintptr(r.consumer, r.released)
	}
}

// seek moves to a position that an earlier reader had reached, and reports whether
// the ring still holds everything after it.
func (r *ring) seek(to uintptr) bool {
	r.end = atomic.LoadUintptr(r.producer)
	if to-r.released > r.end-r.released { // also if to is before released: positions wrap
		return false
	}
	r.next = to
	return true
}

// wait returns nil once the ring passes its watermark. The BPF programs wake it
// once, while the ring fills.
func (r *ring) wait(deadline time.Time) error {
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		return os.ErrDeadlineExceeded
	}
	if err := r.file.SetReadDeadline(deadline); err != nil {
		return err
	}
	if r.interrupted.Swap(false) { // before the deadline was set
		return os.ErrDeadlineExceeded
	}
	checked := false
	err := r.conn.Read(func(uintptr) bool {
		// The poller is armed now, so no wake-up is missed.
		full := atomic.LoadUintptr(r.producer)-r.next >= uintptr(len(r.data))/watermarkShare
		done := checked || full
		checked = true
		return done
	})
	if err != nil {
		r.interrupted.Store(false)
	}
	return err
}

// interrupt makes the current or the next wait return as if its deadline had passed.
func (r *ring) interrupt() {
	r.interrupted.Store(true)
	_ = r.file.SetReadDeadline(time.Unix(1, 0)) // fails if the ring is closed
}

// close unmaps the ring; records become invalid.
func (r *ring) close() error {
	var errs []error
	if r.file != nil {
		errs = append(errs, r.file.Close())
		r.file = nil
	}
	for _, b := range r.mapped {
		errs = append(errs, unix.Munmap(b))
	}
	r.mapped, r.data, r.consumer, r.producer = nil, nil, nil, nil
	return errors.Join(errs...)
}
