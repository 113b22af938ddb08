package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Loss counts what the BPF programs failed to report, by its reason.
type Loss struct {
	Reason string
	Count  uint64 // since the programs were attached
	// Concerns is what one of these losses is.
	Concerns Concern
}

// Concern is the kind of thing that was lost.
type Concern int

const (
	// Detail: a part of what is reported of a process.
	Detail Concern = iota
	// Event: a fork, an exec or an exit. The list of running processes may show which.
	Event
	// End: the exit of a process that had executed a program; also an Event.
	End
)

// Losses returns all kinds of losses, with their counts so far.
func (t *Tracer) Losses() ([]Loss, error) {
	losses := []Loss{
		procspanWireLossLOST_FORK:         {Reason: "fork: ring buffer full", Concerns: Event},
		procspanWireLossLOST_EXEC:         {Reason: "exec: ring buffer full", Concerns: Event},
		procspanWireLossLOST_EXIT:         {Reason: "exit: ring buffer full", Concerns: End},
		procspanWireLossLOST_FILTER:       {Reason: "descendants: too many to follow", Concerns: Event},
		procspanWireLossLOST_SCRATCH:      {Reason: "exec: no scratch memory for the CPU", Concerns: Event},
		procspanWireLossLOST_ARGS:         {Reason: "arguments: not readable"},
		procspanWireLossLOST_ENVIRONMENT:  {Reason: "environment: not readable"},
		procspanWireLossLOST_CGROUP:       {Reason: "cgroup path: ring buffer full, sent later"},
		procspanWireLossLOST_CGROUP_DEPTH: {Reason: "cgroup path: too long"},
		procspanWireLossLOST_CHILD_EXIT:   {Reason: "exit of a process that executed nothing: ring buffer full", Concerns: Event},
		procspanWireLossLOST_ENDED:        {Reason: "exit: no room to tell threads apart, may be missing or reported twice", Concerns: Event},
		procspanWireLossLOST_SIGNAL:       {Reason: "signal: no room for its sender"},
		procspanWireLossLOST_TRACESTATE:   {Reason: "TRACESTATE: longer than 512 bytes"},
		procspanWireLossLOST_USAGE:        {Reason: "usage: that of some threads is missing"},
		procspanWireLossLOST_TREE:         {Reason: "dropped trees: too many processes, some are exported"},
		procspanWireLossLOST_MARK:         {Reason: "dropped trees: too many processes, some are left to the agent"},
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
	// The kernel skips a program that already runs on the CPU, and counts that
	// (raw tracepoints since 6.1; before, they cannot nest).
	skipped := Loss{Reason: "program skipped by the kernel", Concerns: Event}
	err := t.eachStats(func(_ string, s *ebpf.ProgramStats) { skipped.Count += s.RecursionMisses })
	return append(losses, skipped), err
}
