package raw

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Steps with negative numbers are not system calls. Known to loop_*.s.
const (
	opEnd   = -1 // return to Go
	opSpin  = -2 // until *a0 >= a1
	opAdd   = -3 // *a0 += a1, atomic
	opFault = -4 // read address a0
	opStore = -5 // *a0 = a1
)

// step is one entry of the list that the loop executes. Its layout is known
// to loop_*.s.
type step struct {
	nr      int64
	args    [6]uintptr
	load    uint64  // bit i: args[i] is the address of the argument
	out     uintptr // where to store the result, or 0
	onZero  uintptr // the steps to go on with when the result is 0, or 0
	onError uintptr // the steps to go on with when it is an error, or 0
}

const stepSize = unsafe.Sizeof(step{})

// Arg is one argument of a system call.
type Arg struct {
	value uintptr
	load  bool
}

// N is a number as an argument.
func N[T ~int | ~int64 | ~uint64 | ~uintptr](n T) Arg { return Arg{value: uintptr(n)} }

// arena is where steps and the strings they point to live: memory of this
// process, or the image of a program to be.
type arena struct {
	base uintptr
	buf  []byte
	used int
}

func (a *arena) alloc(n int) (uintptr, []byte) {
	at := (a.used + 7) &^ 7
	if at+n > len(a.buf) {
		panic("scenario/raw: out of memory for steps")
	}
	a.used = at + n
	return a.base + uintptr(at), a.buf[at : at+n]
}

func (a *arena) put(data []byte) uintptr {
	addr, mem := a.alloc(len(data))
	copy(mem, data)
	return addr
}

// Block is a list of steps under construction.
type Block struct {
	arena *arena
	steps []step
	start uintptr // of the steps, once they are complete
}

// New returns an empty block to run in this process, with room for size bytes
// of steps and strings.
func New(size int) (*Block, error) {
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map memory for steps: %w", err)
	}
	return &Block{arena: &arena{base: uintptr(unsafe.Pointer(&buf[0])), buf: buf}}, nil
}

// Free gives the memory of a block from New back.
func (b *Block) Free() error { return unix.Munmap(b.arena.buf) }

// finish appends last, writes the steps to the arena and returns their address.
func (b *Block) finish(last step) uintptr {
	steps := append(b.steps, last)
	return b.arena.put(unsafe.Slice((*byte)(unsafe.Pointer(&steps[0])), len(steps)*int(stepSize)))
}

func (b *Block) add(nr int64, args []Arg) *step {
	s := step{nr: nr}
	for i, a := range args {
		s.args[i] = a.value
		if a.load {
			s.load |= 1 << i
		}
	}
	b.steps = append(b.steps, s)
	return &b.steps[len(b.steps)-1]
}

// fatal returns steps that say what failed and end the process.
func (b *Block) fatal(what string) uintptr {
	msg := "scenario: " + what + " failed\n"
	child := &Block{arena: b.arena}
	child.Try(unix.SYS_WRITE, N(2), b.Bytes(msg), N(len(msg)))
	child.Try(unix.SYS_EXIT_GROUP, N(StatusBroken))
	return child.finish(step{nr: opFault})
}

// Try adds a system call that may fail.
func (b *Block) Try(nr int64, args ...Arg) { b.add(nr, args) }

// Must adds a system call that must not fail.
func (b *Block) Must(what string, nr int64, args ...Arg) {
	onError := b.fatal(what)
	b.add(nr, args).onError = onError
}

// Into adds a system call whose result, or negative errno, goes to out.
func (b *Block) Into(out Cell, nr int64, args ...Arg) {
	b.add(nr, args).out = uintptr(out)
}

// Clone adds a clone. The child executes body; the parent stores the child's
// id in out and goes on. A child that comes to the end of body is broken.
func (b *Block) Clone(out Cell, flags uintptr, body func(*Block)) {
	b.clone(out, body, unix.SYS_CLONE, N(flags), N(0))
}

// ForkInto adds a fork whose child is born in the cgroup that the descriptor
// names (CLONE_INTO_CGROUP, version 2 only).
func (b *Block) ForkInto(out Cell, cgroup int, body func(*Block)) {
	b.clone3(out, body, unix.CLONE_INTO_CGROUP, 0, uintptr(cgroup))
}

// ForkAs adds a fork whose child gets the id in pid, which must be free, in its pid
// namespace.
func (b *Block) ForkAs(out, pid Cell, body func(*Block)) { b.clone3(out, body, 0, pid, 0) }

func (b *Block) clone3(out Cell, body func(*Block), flags uintptr, pid Cell, cgroup uintptr) {
	pids := uintptr(min(pid, 1))
	args := words(flags, 0, 0, 0, Fork, 0, 0, 0, uintptr(pid), pids, cgroup) // struct clone_args
	b.clone(out, body, unix.SYS_CLONE3, N(b.arena.put(args)), N(len(args)))
}

func (b *Block) clone(out Cell, body func(*Block), nr int64, args ...Arg) {
	child := &Block{arena: b.arena}
	body(child)
	onZero := child.finish(step{nr: unix.SYS_EXIT_GROUP, args: [6]uintptr{StatusBroken}})
	onError := b.fatal("clone")
	s := b.add(nr, args)
	s.out, s.onZero, s.onError = uintptr(out), onZero, onError
}

// What Clone is told for a fork, a vfork (the parent stands still until the
// child execs or ends) and a thread.
const (
	Fork   = uintptr(unix.SIGCHLD)
	Vfork  = unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD)
	Thread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM
)

// Fork adds a fork.
func (b *Block) Fork(out Cell, body func(*Block)) { b.Clone(out, Fork, body) }

// Vfork adds a vfork.
func (b *Block) Vfork(out Cell, body func(*Block)) { b.Clone(out, Vfork, body) }

// Thread adds the start of a thread.
func (b *Block) Thread(out Cell, body func(*Block)) { b.Clone(out, Thread, body) }

// Exec adds an execve that must succeed.
func (b *Block) Exec(path string, argv, env []string) {
	b.Must("exec "+path, unix.SYS_EXECVE, b.Bytes(path), b.Strings(argv...), b.Strings(env...))
}

// Exit ends the thread.
func (b *Block) Exit(code int) { b.Try(unix.SYS_EXIT, N(code)) }

// ExitGroup ends the process.
func (b *Block) ExitGroup(code int) { b.Try(unix.SYS_EXIT_GROUP, N(code)) }

// Wait waits for the child whose id is in pid and stores its wait status.
func (b *Block) Wait(pid, status Cell) { b.WaitUsage(pid, status, 0) }

// UsageCells is how many neighbouring cells a struct rusage takes.
const UsageCells = int(unsafe.Sizeof(unix.Rusage{}) / 8)

// WaitUsage also stores what the child used; see Cell.Usage.
func (b *Block) WaitUsage(pid, status, usage Cell) {
	b.Must("wait4", unix.SYS_WAIT4, pid.Val(), status.Addr(), N(unix.WALL), usage.Addr())
}

// Usage stores what the process has used; see Cell.Usage.
func (b *Block) Usage(c Cell) {
	b.Must("getrusage", unix.SYS_GETRUSAGE, N(unix.RUSAGE_SELF), c.Addr())
}

// Clock stores CLOCK_REALTIME in two neighbouring cells.
func (b *Block) Clock(c Cell) {
	b.Must("clock_gettime", unix.SYS_CLOCK_GETTIME, N(unix.CLOCK_REALTIME), c.Addr())
}

// Nap sleeps for some milliseconds, where time passing is the scenario.
func (b *Block) Nap(ms int) {
	addr := b.Bytes(string(words(uintptr(ms/1000), uintptr(ms%1000)*1e6)))
	b.Must("nanosleep", unix.SYS_NANOSLEEP, addr, N(0))
}

// Open sets the cell to 1 and wakes the processes that wait for it.
func (b *Block) Open(c Cell) {
	b.add(opStore, []Arg{c.Addr(), N(1)})
	b.Try(unix.SYS_FUTEX, c.Addr(), N(futexWake), N(1<<30))
}

// Await waits until the cell is opened.
func (b *Block) Await(c Cell) {
	b.Try(unix.SYS_FUTEX, c.Addr(), N(futexWait), N(0), N(0))
	b.Spin(c)
}

// Set stores a number.
func (b *Block) Set(c Cell, n int) { b.add(opStore, []Arg{c.Addr(), N(n)}) }

// Spin waits, spinning, until the cell is opened.
func (b *Block) Spin(c Cell) { b.add(opSpin, []Arg{c.Addr(), N(1)}) }

// Meet waits, spinning, until n threads have come to the same cell.
func (b *Block) Meet(c Cell, n int) {
	b.add(opAdd, []Arg{c.Addr(), N(1)})
	b.add(opSpin, []Arg{c.Addr(), N(n)})
}

// Fault reads address 0.
func (b *Block) Fault() { b.add(opFault, []Arg{N(0)}) }

// Bytes places a NUL-terminated string and returns its address.
func (b *Block) Bytes(s string) Arg { return N(b.arena.put(append([]byte(s), 0))) }

// Strings places a NULL-terminated list of strings and returns its address.
func (b *Block) Strings(list ...string) Arg {
	var addrs []Arg
	for _, s := range list {
		addrs = append(addrs, b.Bytes(s))
	}
	return b.Pointers(addrs...)
}

// Pointers places a NULL-terminated list of addresses and returns its own.
func (b *Block) Pointers(list ...Arg) Arg {
	var addrs []uintptr
	for _, a := range list {
		addrs = append(addrs, a.value)
	}
	return N(b.arena.put(words(append(addrs, 0)...)))
}

// Slot places n bytes that the caller may rewrite between runs in this process.
func (b *Block) Slot(n int) ([]byte, Arg) {
	addr, mem := b.arena.alloc(n)
	return mem, N(addr)
}

func words(ws ...uintptr) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&ws[0])), len(ws)*8)...)
}
