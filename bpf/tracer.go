package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// Options says what the kernel programs gather.
type Options struct {
	// RingSize is the size of the ring buffer in bytes, a power of two and a
	// multiple of the page size.
	RingSize int
	// ArgsMaxBytes is how much of argv is taken, in bytes, up to 32768.
	ArgsMaxBytes int
	// WorkingDirectory turns Image.WorkingDirectory on.
	WorkingDirectory bool
	// Variables names the environment variables to look for at an exec: at most
	// 16, of at most 64 bytes each. Without any, no environment is read.
	Variables []string
	// CgroupPaths has a Named event tell the path of each cgroup before the first
	// Fork or Exec that shows its id.
	CgroupPaths bool
	// OnlyDescendants traces only processes that this one forks after Open,
	// and theirs, in the kernel already, until StopFollowing.
	OnlyDescendants bool
	// Pin, when set, has the programs go on when the agent ends: a directory of a
	// BPF file system, that is procspan's own. What an earlier agent has pinned
	// there is taken over, or replaced; see Start.
	Pin string
}

// maxArgs is ARGS_MAX of procspan.bpf.c.
const maxArgs = 32768

// Tracer is the kernel programs, loaded and attached. Its methods are for one
// goroutine, but for Interrupt.
type Tracer struct {
	objects procspanObjects
	links   []link.Link
	ring    *ring
	decoder *Decoder

	features features

	begun   Start
	session Session
	pins    *os.File // the directory of what is pinned, locked; or nil
}

// Open loads the programs and attaches them: what happens from its return on
// will be read. An error tells its cure; see [Error].
func Open(o Options) (*Tracer, error) {
	if err := enoughFiles(); err != nil {
		return nil, err
	}
	features, err := probe()
	if err != nil {
		return nil, err
	}
	return open(o, features)
}

func open(o Options, features features) (*Tracer, error) {
	if o.ArgsMaxBytes < 0 || o.ArgsMaxBytes > maxArgs {
		return nil, fmt.Errorf("capture arguments: limit is 0 to %d bytes (got %d)", maxArgs, o.ArgsMaxBytes)
	}
	if err := checkVariables(o.Variables); err != nil {
		return nil, err
	}
	defer raiseMemlock()()

	if o.Pin == "" {
		return load(o, features)
	}
	if err := onBPF(filepath.Dir(o.Pin)); err != nil {
		return nil, err
	}
	pins, err := lockPins(o.Pin)
	if err != nil {
		return nil, err
	}
	t, err := openPinned(o, features)
	if err != nil {
		_ = os.Remove(o.Pin) // fails unless it is empty
		return nil, errors.Join(err, pins.Close())
	}
	t.pins = pins
	return t, nil
}

// openPinned takes over what is pinned in a directory that is locked, or pins
// there anew.
func openPinned(o Options, features features) (*Tracer, error) {
	t, err := takeOver(o, features)
	switch {
	case err == nil:
		if _, err := t.introduce(); err != nil {
			return nil, errors.Join(err, t.Close())
		}
		return t, nil
	case errors.Is(err, errIncompatible), errors.Is(err, fs.ErrNotExist):
		return load(o, features)
	}
	return nil, explain("take over the kernel programs in "+o.Pin, err)
}

// load loads the programs, which takes the most time, and then attaches them, in
// the place of those that are pinned.
func load(o Options, features features) (*Tracer, error) {
	spec, err := prepare(o, features)
	if err != nil {
		return nil, err
	}
	t := &Tracer{decoder: NewDecoder(), features: features}
	if err := spec.LoadAndAssign(&t.objects, nil); err != nil {
		return nil, explain("load the kernel programs", err)
	}
	if err := t.start(o); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// raiseMemlock lifts RLIMIT_MEMLOCK, which kernels before 5.11 charge BPF
// memory to, and returns what sets it back: a command that procspan runs must
// not inherit it. Where raising is refused, loading says whether it mattered.
func raiseMemlock() (restore func()) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil || rlimit.RemoveMemlock() != nil {
		return func() {}
	}
	return func() { _ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before) }
}

// prepare sets what differs from kernel to kernel and from use to use.
func prepare(o Options, features features) (*ebpf.CollectionSpec, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the possible CPUs: %w", err)
	}
	spec, err := loadProcspan()
	if err != nil {
		return nil, fmt.Errorf("read the embedded kernel programs: %w", err)
	}
	spec.Maps[procspanMapEvents].MaxEntries = uint32(o.RingSize)
	spec.Maps[procspanMapScratch].MaxEntries = uint32(cpus)
	if len(o.Variables) > 0 {
		spec.Maps[procspanMapSearches].MaxEntries = uint32(cpus)
	}
	if !o.CgroupPaths {
		spec.Maps[procspanMapNamed].MaxEntries = 1
	}
	if !o.OnlyDescendants {
		spec.Maps[procspanMapFollowed].MaxEntries = 1
	}
	names, firsts, prefix := searched(o.Variables)
	for name, value := range map[string]any{
		procspanVarArgsLimit:      uint32(o.ArgsMaxBytes),
		procspanVarCaptureCwd:     o.WorkingDirectory,
		procspanVarCaptureCgroups: o.CgroupPaths,
		procspanVarOnlyFollowed:   o.OnlyDescendants,
		procspanVarHasGroupDead:   features.groupDead,
		procspanVarWatermark:      uint64(o.RingSize) / 4,

		procspanVarVariables:       names,
		procspanVarVariablesCount:  uint32(len(o.Variables)),
		procspanVarVariablesFirst:  firsts,
		procspanVarVariablesPrefix: prefix,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s of the kernel programs: %w", name, err)
		}
	}
	if !features.rdonlyCast {
		for _, program := range spec.Programs {
			removeCasts(program.Instructions)
		}
	}
	return spec, nil
}

// removeCasts makes of the calls of bpf_rdonly_cast, the only kernel function that is
// called, what the kernel makes of them: the result is the first argument.
func removeCasts(code asm.Instructions) {
	for i := range code {
		if code[i].IsKfuncCall() {
			code[i] = asm.Mov.Reg(asm.R0, asm.R1)
		}
	}
}

// The bounds of Options.Variables, VARIABLES_MAX and VARIABLE_NAME_MAX of
// procspan.bpf.c.
const (
	maxVariables    = 16
	maxVariableName = 64
)

func checkVariables(names []string) error {
	if len(names) > maxVariables {
		return fmt.Errorf("look for environment variables: at most %d names (got %d)", maxVariables, len(names))
	}
	for _, name := range names {
		if name == "" || len(name) > maxVariableName || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("look for environment variables: a name is 1 to %d bytes, none of them '=' or NUL (got %q)", maxVariableName, name)
		}
	}
	return nil
}

// searched returns the names as the kernel side compares them, each followed by
// '=', the set of the bytes c that they begin with, bit c%64, and eight times each
// of the two bytes that all of these begin with, or zeros.
func searched(names []string) (terms [maxVariables][maxVariableName + 1]byte, firsts uint64, prefix [2]uint64) {
	alike := len(names) > 0
	for i, name := range names {
		copy(terms[i][:], name+"=")
		firsts |= 1 << (name[0] % 64)
		alike = alike && [2]byte(terms[i][:2]) == [2]byte(terms[0][:2])
	}
	if alike {
		const each = 0x0101010101010101
		prefix = [2]uint64{each * uint64(terms[0][0]), each * uint64(terms[0][1])}
	}
	return terms, firsts, prefix
}

// programs returns those that see events, in the order they are attached in. The
// exit's goes before the exec's and the fork's: a process that ends while they are
// being attached is then known to have ended.
func (t *Tracer) programs() []*ebpf.Program {
	return []*ebpf.Program{t.objects.OnSignal, t.objects.OnExit, t.objects.OnExec, t.objects.OnFork}
}

// programNames are the names of programs, in their order.
func programNames() []string {
	return []string{procspanProgOnSignal, procspanProgOnExit, procspanProgOnExec, procspanProgOnFork}
}

func (t *Tracer) openRing(o Options) error {
	ring, err := newRing(t.objects.Events)
	if err != nil {
		return explain("open the ring buffer", err)
	}
	ring.held = o.Pin != ""
	t.ring = ring
	return nil
}

// start opens the ring, attaches, and pins.
func (t *Tracer) start(o Options) error {
	if err := t.openRing(o); err != nil {
		return err
	}
	self, err := t.introduce()
	if err == nil && o.OnlyDescendants {
		err = t.followSelf(self)
	}
	if err != nil {
		return err
	}
	if o.Pin != "" {
		replaced, err := removePinned(o.Pin)
		if err != nil {
			return explain("remove the kernel programs in "+o.Pin, err)
		}
		if replaced {
			t.begun = Replaced
		}
	}
	for _, program := range t.programs() {
		attached, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return explain(fmt.Sprintf("attach %s", program), err)
		}
		t.links = append(t.links, attached)
	}
	if o.Pin != "" {
		return t.pin(o)
	}
	return nil
}

// Paths says in words which of several ways this kernel made the tracer take.
func (t *Tracer) Paths() string {
	exit := "the last thread is told by signal->live (the exit tracepoint has no group_dead)"
	if t.features.groupDead {
		exit = "the last thread is told by the exit tracepoint (group_dead)"
	}
	oom := "the limit of a memory cgroup that was hit is not told (there is no mem_cgroup->oom_lock)"
	if t.features.oomLock {
		oom = "the limit of a memory cgroup that was hit is told by mem_cgroup->oom_lock"
	}
	return exit + "; " + oom
}

// Read waits for the next event until the deadline and fills ev. Once the
// deadline has passed and all that the ring holds has been read, it returns
// os.ErrDeadlineExceeded. Any other error is a record that could not be
// decoded, or the ring itself failing.
func (t *Tracer) Read(deadline time.Time, ev *process.Event) error {
	record, err := t.ring.read(deadline)
	if err != nil {
		return err
	}
	return t.decoder.Decode(record, ev)
}

// Interrupt has Read, now or at its next call, behave as if its deadline had
// passed. Unlike the other methods it may be called by any goroutine, until
// Close is.
func (t *Tracer) Interrupt() {
	t.ring.interrupt()
}

// Detach ends the observation, unless the programs are pinned. What the ring still
// holds can be read after.
func (t *Tracer) Detach() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, l.Close())
	}
	t.links = nil
	return errors.Join(errs...)
}

// Close detaches and releases everything; it may be called again.
func (t *Tracer) Close() error {
	err := t.Detach()
	if t.ring != nil {
		err = errors.Join(err, t.ring.close())
		t.ring = nil
	}
	if t.pins != nil {
		err = errors.Join(err, t.pins.Close())
		t.pins = nil
	}
	return errors.Join(err, t.objects.Close())
}
