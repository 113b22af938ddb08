package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// Loss is a number of things that went missing in the kernel since the programs
// were attached.
type Loss struct {
	Reason string
	Count  uint64
	// Concerns says what a single one of them is.
	Concerns Concern
}

// Concern says what something that went missing was.
type Concern int

const (
	// Detail: a part of what is told about a process.
	Detail Concern = iota
	// Event: something that happened to a process. A look at the living may show
	// what it was.
	Event
	// End: the end of a process that had executed a program. It is an Event, too.
	End
)

// Losses returns every kind of loss there is, with its count so far.
func (t *Tracer) Losses() ([]Loss, error) {
	losses := []Loss{
		procspanWireLossLOST_FORK:          {Reason: "fork: ring buffer full", Concerns: Event},
		procspanWireLossLOST_EXEC:          {Reason: "exec: ring buffer full", Concerns: Event},
		procspanWireLossLOST_EXIT:          {Reason: "exit: ring buffer full", Concerns: End},
		procspanWireLossLOST_FILTER:        {Reason: "descendants: too many to follow", Concerns: Event},
		procspanWireLossLOST_SCRATCH:       {Reason: "exec: no scratch memory for the CPU", Concerns: Event},
		procspanWireLossLOST_ARGS:          {Reason: "arguments: not readable"},
		procspanWireLossLOST_ENVIRONMENT:   {Reason: "environment: not readable"},
		procspanWireLossLOST_NAME:          {Reason: "cgroup path: ring buffer full, told later"},
		procspanWireLossLOST_NAME_TOO_LONG: {Reason: "cgroup path: too long"},
		procspanWireLossLOST_CHILD_EXIT:    {Reason: "exit of a process that executed nothing: ring buffer full", Concerns: Event},
	}
	for i := range losses {
		var perCPU []uint64
		if err := t.objects.Losses.Lookup(uint32(i), &perCPU); err != nil {
			return nil, fmt.Errorf("read the loss counters: %w", err)
		}
		for _, n := range perCPU {
			losses[i].Count += n
		}
	}
	// Where a program was already running on the CPU, the kernel skips it
	// and counts (since 5.12; before, it counts nothing).
	skipped := Loss{Reason: "program skipped by the kernel", Concerns: Event}
	for _, program := range t.programs() {
		stats, err := program.Stats()
		if errors.Is(err, ebpf.ErrNotSupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the program statistics: %w", err)
		}
		skipped.Count += stats.RecursionMisses
	}
	return append(losses, skipped), nil
}
