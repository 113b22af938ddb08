package bpf

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// ProgramStats is the kernel's run statistics of one BPF program since it was loaded,
// as far as they were enabled (sysctl kernel.bpf_stats_enabled).
type ProgramStats struct {
	Name string
	Runs uint64
	Time time.Duration // of all runs together
}

// ProgramStats returns the statistics of the programs that ran while statistics were
// enabled: none if they never were.
func (t *Tracer) ProgramStats() ([]ProgramStats, error) {
	var all []ProgramStats
	err := t.eachStats(func(name string, s *ebpf.ProgramStats) {
		if s.RunCount > 0 {
			all = append(all, ProgramStats{name, s.RunCount, s.Runtime})
		}
	})
	return all, err
}

// eachStats visits the statistics of the programs, where the kernel has them.
func (t *Tracer) eachStats(visit func(name string, s *ebpf.ProgramStats)) error {
	for i, program := range t.programs() {
		stats, err := program.Stats()
		switch {
		case err == nil:
			visit(programNames()[i], stats)
		case !errors.Is(err, ebpf.ErrNotSupported):
			return fmt.Errorf("read the program statistics: %w", err)
		}
	}
	return nil
}

// Unread returns how much of the ring buffer holds unread records, and its size,
// both in bytes.
func (t *Tracer) Unread() (unread, size int) {
	return int(t.Written() - t.Position()), len(t.ring.data)
}
