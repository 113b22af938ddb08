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

// ring reads the records of a ring buffer map, where they are, one after the
// other. It is for one goroutine, but for interrupt.
//
// It differs from the library's reader in three ways that a busy host notices:
// it waits in the runtime's poller and not in a system call of its own, after
// which the runtime's monitor would keep watch every 20 µs for a while (a fifth
// of the agent's time); records are not copied; and the ring is mapped once, not
// twice in a row, which counts as resident memory.
type ring struct {
	// The positions are in mapped memory that the kernel shares: bytes since the
	// map was made, of what was read and what was written.
	consumer, producer *uintptr
	data               []byte
	mask               uintptr

	next uintptr // where the record after the last one read begins
	end  uintptr // up to where the ring is known to be written
	told uintptr // the consumer's position as the kernel knows it
	held bool    // told moves by commit only
	// awake says that what is there is being read, late that the deadline has
	// passed since.
	awake, late bool

	over []byte // a record that goes over the end of data, in one piece

	file        *os.File // the map, for the poller
	conn        syscall.RawConn
	interrupted atomic.Bool
	mapped      [][]byte
}

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
		return nil, fmt.Errorf("map the ring buffer's position: %w", err)
	}
	written, err := r.mmap(m, page, page+size, unix.PROT_READ)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring buffer: %w", err), r.close())
	}
	r.consumer = (*uintptr)(unsafe.Pointer(unsafe.SliceData(consumer)))
	r.producer = (*uintptr)(unsafe.Pointer(unsafe.SliceData(written)))
	r.data = written[page:]
	r.told = atomic.LoadUintptr(r.consumer) // a map that another reader has left
	r.next, r.end = r.told, r.told
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

// poll hands a descriptor of the map to the runtime's poller.
func (r *ring) poll(m *ebpf.Map) error {
	const doing = "wait for the ring buffer"
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // what the runtime tells pollable files by
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

// read waits until the deadline or until the ring is a quarter full, and then
// returns the records that are there, one at each call. After the last one it
// returns os.ErrDeadlineExceeded, if the deadline had passed by then, or waits
// again. A record is valid until the next call; it must not be written to.
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
	if r.next-r.told >= uintptr(len(r.data))/16 {
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
		r.over = append(r.over[:0], r.data[at:]...)
		r.over = append(r.over, r.data[:size-uintptr(len(r.over))]...)
		return r.over, true
	}
}

// release gives the kernel the room of what was read, unless it is held.
func (r *ring) release() {
	if !r.held {
		r.commit()
	}
}

// commit gives the kernel the room of what was read. What comes after is read
// again by whoever opens the ring next.
func (r *ring) commit() {
	if r.told != r.next {
		r.told = r.next
		atomic.StoreUintptr(r.consumer, r.told)
	}
}

// seek goes on at a position that an earlier reader had come to, and reports
// whether the ring still has all that follows it.
func (r *ring) seek(to uintptr) bool {
	r.end = atomic.LoadUintptr(r.producer)
	if to-r.told > r.end-r.told { // before told, too: positions wrap
		return false
	}
	r.next = to
	return true
}

// wait returns nil when the ring is a quarter full, which the kernel side says
// once, while it fills.
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
	looked := false
	err := r.conn.Read(func(uintptr) bool {
		// The poller is armed by now, so that it misses nothing.
		full := atomic.LoadUintptr(r.producer)-r.next >= uintptr(len(r.data))/4
		done := looked || full
		looked = true
		return done
	})
	if err != nil {
		r.interrupted.Store(false)
	}
	return err
}

// interrupt has wait, now or at its next call, behave as if its deadline had
// passed.
func (r *ring) interrupt() {
	r.interrupted.Store(true)
	_ = r.file.SetReadDeadline(time.Unix(1, 0)) // fails for a ring that is closed
}

// close gives the memory back; no record is valid any more.
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
