package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// Options selects what the BPF programs capture.
type Options struct {
	// RingSize is the size of the ring buffer in bytes, a power of two and a
	// multiple of the page size.
	RingSize int
	// ArgsMaxBytes is how much of argv is captured, in bytes, up to 32768.
	ArgsMaxBytes int
	// WorkingDirectory turns Image.WorkingDirectory on.
	WorkingDirectory bool
	// Variables names the environment variables to capture at an exec: at most 32,
	// of at most 64 bytes each. Without any, no environment is read. Values
	// have up to 8192 bytes; a TRACESTATE up to 512; a TRACEPARENT the 55 of its
	// form, or "invalid" if it has another.
	Variables []string
	// CgroupPaths turns CgroupPath events on: the path of each cgroup comes before the
	// first Fork or Exec that has its id.
	CgroupPaths bool
	// OnlyDescendants limits tracing to the descendants that this process forks after
	// Open. The BPF programs filter, so other processes cost next to nothing.
	OnlyDescendants bool
	// Rules allows SetRules and MarkTree.
	Rules bool
	// Pin, if set, keeps the programs running after the agent ends: a directory of a
	// BPF file system, for procspan alone. Programs that a previous agent pinned
	// there are taken over or replaced; see Origin.
	Pin string
}

// The bounds of Options, as the BPF programs have them.
const (
	maxArgs         = int(procspanWireBoundARGS_MAX)
	maxVariables    = int(procspanWireBoundVARIABLES_MAX)
	maxVariableName = int(procspanWireBoundVARIABLE_NAME_MAX)
	maxValue        = int(procspanWireBoundVARIABLE_MAX) - maxVariableName - len("=\x00")
)

// Tracer is the BPF programs, loaded and attached. Only Interrupt is safe for
// concurrent use.
type Tracer struct {
	objects procspanObjects
	links   []link.Link
	ring    *ring
	decoder *Decoder

	features features
	self     process.ID // set by FollowChild

	// counters are those of dropped trees, by name; nil until they are needed.
	counters map[string]uint32

	origin  Origin
	session Session
	pins    *os.File // the directory of pins, locked; or nil
}

// Open loads and attaches the programs: everything that happens after it returns is
// read. Errors contain a hint where one is known; see [Error].
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

// openPinned takes over the programs pinned in a locked directory, or loads and pins
// new ones.
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
	return nil, explain("take over the BPF programs in "+o.Pin, err)
}

// load loads the programs, which takes the most time, and then attaches them in place
// of pinned ones.
func load(o Options, features features) (*Tracer, error) {
	spec, err := prepare(o, features)
	if err != nil {
		return nil, err
	}
	return loadSpec(spec, o, features)
}

func loadSpec(spec *ebpf.CollectionSpec, o Options, features features) (*Tracer, error) {
	t := &Tracer{decoder: NewDecoder(), features: features}
	if err := spec.LoadAndAssign(&t.objects, nil); err != nil {
		return nil, explain("load the BPF programs", err)
	}
	if err := t.start(o); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// raiseMemlock lifts RLIMIT_MEMLOCK, to which kernels before 5.11 charge BPF memory,
// and returns a function that restores it: a command run by procspan must not inherit
// it. If raising is refused, loading shows whether that matters.
func raiseMemlock() (restore func()) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil || rlimit.RemoveMemlock() != nil {
		return func() {}
	}
	return func() { _ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before) }
}

// prepare adapts the programs to this kernel and to the options.
func prepare(o Options, features features) (*ebpf.CollectionSpec, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the possible CPUs: %w", err)
	}
	spec, err := loadProcspan()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF programs: %w", err)
	}
	spec.Maps[procspanMapEvents].MaxEntries = uint32(o.RingSize)
	spec.Maps[procspanMapScratch].MaxEntries = uint32(cpus)
	if len(o.Variables) > 0 {
		spec.Maps[procspanMapSearches].MaxEntries = uint32(cpus)
	}
	if !o.CgroupPaths {
		spec.Maps[procspanMapCgroupsSent].MaxEntries = 1
	}
	if !o.OnlyDescendants {
		spec.Maps[procspanMapFollowed].MaxEntries = 1
	}
	if !o.Rules {
		spec.Maps[procspanMapTrees].MaxEntries = 1
		spec.Maps[procspanMapMarks].MaxEntries = 1
		spec.Maps[procspanMapRuleTexts].MaxEntries = 1
		spec.Maps[procspanMapRuleUsers].MaxEntries = 1
	}
	names, firsts, prefix := searched(o.Variables)
	limits, traceparent, tracestate := variableLimits(o.Variables)
	for name, value := range map[string]any{
		procspanVarArgsLimit:      uint32(o.ArgsMaxBytes),
		procspanVarCaptureCwd:     o.WorkingDirectory,
		procspanVarCaptureCgroups: o.CgroupPaths,
		procspanVarOnlyFollowed:   o.OnlyDescendants,
		procspanVarHasGroupDead:   features.groupDead,
		procspanVarRulesEnabled:   o.Rules,
		procspanVarWatermark:      uint64(o.RingSize) / watermarkShare,

		procspanVarVariables:       names,
		procspanVarVariablesCount:  uint32(len(o.Variables)),
		procspanVarVariablesFirst:  firsts,
		procspanVarVariablesPrefix: prefix,
		procspanVarVariablesMax:    limits,
		procspanVarTraceparent:     traceparent,
		procspanVarTracestate:      tracestate,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s of the BPF programs: %w", name, err)
		}
	}
	if !features.rdonlyCast {
		for _, program := range spec.Programs {
			removeCasts(program.Instructions)
		}
	}
	return spec, nil
}

// removeCasts replaces calls of bpf_rdonly_cast, the only kernel function that is
// called, by their effect: they return their first argument.
func removeCasts(code asm.Instructions) {
	for i := range code {
		if code[i].IsKfuncCall() {
			code[i] = asm.Mov.Reg(asm.R0, asm.R1)
		}
	}
}

// programs returns the tracing programs in the order of their attachment. The exit's
// precedes those of exec and fork, so that the end of a process is seen even if it
// ends during attachment.
func (t *Tracer) programs() []*ebpf.Program {
	return []*ebpf.Program{t.objects.OnSignal, t.objects.OnExit, t.objects.OnExec, t.objects.OnFork}
}

// programNames returns the names of programs, in the same order.
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
			return explain("remove the BPF programs in "+o.Pin, err)
		}
		if replaced {
			t.origin = Replaced
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

// Methods describes which of several methods this kernel allows.
func (t *Tracer) Methods() string {
	exit := "the last thread is found by signal->live (the exit tracepoint has no group_dead)"
	if t.features.groupDead {
		exit = "the last thread is found by the exit tracepoint (group_dead)"
	}
	oom := "the memory cgroup whose limit was hit is unknown (no mem_cgroup->oom_lock)"
	if t.features.oomLock {
		oom = "the memory cgroup whose limit was hit is found by mem_cgroup->oom_lock"
	}
	return exit + "; " + oom
}

// Read waits for the next event until the deadline and fills ev. Once the deadline has
// passed and the ring is drained, it returns os.ErrDeadlineExceeded. Other errors are
// ErrMalformed for a single record, or a failure of the ring itself.
func (t *Tracer) Read(deadline time.Time, ev *process.Event) error {
	record, err := t.ring.read(deadline)
	if err != nil {
		return err
	}
	return t.decoder.Decode(record, ev)
}

// Interrupt makes the current or the next Read return as if its deadline had passed.
// Any goroutine may call it, until Close is called.
func (t *Tracer) Interrupt() {
	t.ring.interrupt()
}

// Detach ends the tracing, unless the programs are pinned. The rest of the ring can
// still be read.
func (t *Tracer) Detach() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, l.Close())
	}
	t.links = nil
	return errors.Join(errs...)
}

// Close detaches and releases everything. It is idempotent.
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
