// Package raw runs sequences of system calls without any language runtime in
// between: what a scenario says is what the kernel sees, thread by thread.
//
// In goes a Block, a list of steps put together in Go: system calls, forks and
// threads with a body of their own, and a few steps on shared memory. Out come
// either their effects, when the block runs in this process (Run), or a static
// ELF program of about a kilobyte that runs them (ELF).
//
// Rules: the loop that executes the steps is a page of assembly that uses
// registers only. It touches no stack, so that a child of vfork and a thread
// may share the one of their parent, and nothing of the Go runtime, so that it
// may go on in a forked child. A step that fails ends its process with a
// message and status StatusBroken unless it was added by Try.
package raw

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StatusBroken is the exit status of a process in which a step failed that
// must not fail: the scenario itself is broken.
const StatusBroken = 98

// The shared memory: one memfd, mapped at the same address by this process
// (Share) and by every ELF program, so that cells mean the same everywhere.
const (
	sharedBase = 1 << 37
	sharedSize = 64 << 10
	sharedFD   = 200
)

// Operations of futex(2), which x/sys/unix lacks.
const (
	futexWait = 0
	futexWake = 1
)

// Shared is the memory in which all processes of a scenario note what they see.
type Shared struct{ used uintptr }

// Cell is the address of a 64-bit number in the shared memory.
type Cell uintptr

// Share creates the shared memory. A process can have one at a time.
func Share() (*Shared, error) {
	fd, err := unix.MemfdCreate("scenario", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create shared memory: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, sharedSize); err != nil {
		return nil, fmt.Errorf("size shared memory: %w", err)
	}
	if err := unix.Dup3(fd, sharedFD, 0); err != nil {
		return nil, fmt.Errorf("place shared memory: %w", err)
	}
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, sharedBase, sharedSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE, sharedFD, 0)
	if errno != 0 {
		return nil, fmt.Errorf("map shared memory: %w", errno)
	}
	return &Shared{}, nil
}

// Close removes the shared memory from this process.
func (s *Shared) Close() error {
	_, _, errno := unix.Syscall(unix.SYS_MUNMAP, sharedBase, sharedSize, 0)
	if err := unix.Close(sharedFD); err != nil || errno == 0 {
		return err
	}
	return errno
}

// Cells returns the first of n new neighbouring cells, all zero.
func (s *Shared) Cells(n int) Cell {
	c := Cell(sharedBase + s.used)
	s.used += uintptr(n) * 8
	if s.used > sharedSize {
		panic("scenario/raw: out of shared memory")
	}
	return c
}

// At returns the i-th neighbour of c.
func (c Cell) At(i int) Cell { return c + Cell(i)*8 }

// Addr is an argument: the address of c.
func (c Cell) Addr() Arg { return Arg{value: uintptr(c)} }

// Val is an argument: what c holds when the step is executed.
func (c Cell) Val() Arg { return Arg{value: uintptr(c), load: true} }

// Get reads c.
func (c Cell) Get() int64 { return atomic.LoadInt64(c.pointer()) }

// Put sets c.
func (c Cell) Put(n int64) { atomic.StoreInt64(c.pointer(), n) }

// Open sets c to 1 and wakes the processes that wait for it.
func (c Cell) Open() {
	c.Put(1)
	unix.Syscall6(unix.SYS_FUTEX, uintptr(c), futexWake, 1<<30, 0, 0, 0)
}

// Await waits until c is not zero any more.
func (c Cell) Await(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for c.Get() == 0 {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		ts := unix.NsecToTimespec(int64(left))
		unix.Syscall6(unix.SYS_FUTEX, uintptr(c), futexWait, 0, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
	return nil
}

// Time reads the timespec that Block.Clock wrote to c, in ns; 0 if it did not.
func (c Cell) Time() int64 { return c.Get()*1e9 + c.At(1).Get() }

// SetTime writes the current time as Block.Clock does.
func (c Cell) SetTime() {
	now := time.Now().UnixNano()
	c.Put(now / 1e9)
	c.At(1).Put(now % 1e9)
}

// Usage reads the struct rusage that Block.WaitUsage wrote to c.
func (c Cell) Usage() unix.Rusage { return *(*unix.Rusage)(unsafe.Pointer(c.pointer())) }

// pointer is valid until Shared is closed.
func (c Cell) pointer() *int64 {
	return *(**int64)(unsafe.Pointer(&c))
}

// Run executes the block in this process and returns when its steps are
// through; its children may still run. A block may run again, but not grow.
func (b *Block) Run() {
	if b.start == 0 {
		b.start = b.finish(step{nr: opEnd})
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run(b.start)
}

// Implemented in loop_*.s.

// run executes the steps at the address given until opEnd.
func run(steps uintptr)

// loop is the body of run, entered with the address in a register.
//
//lint:ignore U1000 the assembly refers to it
func loop()

// loopAddr returns where the machine code of loop begins.
func loopAddr() uintptr
