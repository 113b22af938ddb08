package bpf

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cilium/ebpf"
)

// ProgramStats is what the kernel counted of one program since it was loaded,
// while its statistics were enabled (sysctl kernel.bpf_stats_enabled).
type ProgramStats struct {
	Name string
	Runs uint64
	Time time.Duration // that all the runs took
}

// ProgramStats returns those of the programs that have run while statistics were
// enabled: none where they never were.
func (t *Tracer) ProgramStats() ([]ProgramStats, error) {
	var all []ProgramStats
	for _, program := range t.programs() {
		stats, err := program.Stats()
		if errors.Is(err, ebpf.ErrNotSupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the program statistics: %w", err)
		}
		if stats.RunCount > 0 {
			all = append(all, ProgramStats{programName(program), stats.RunCount, stats.Runtime})
		}
	}
	return all, nil
}

// programName returns the name of a program as it stands in the C file, out of
// the library's "Tracing(on_fork)#7", which knows it without asking the kernel.
func programName(p *ebpf.Program) string {
	_, rest, _ := strings.Cut(p.String(), "(")
	name, _, _ := strings.Cut(rest, ")")
	return name
}

// Waiting returns how much of the ring buffer holds records that were not read,
// and its size; both in bytes.
func (t *Tracer) Waiting() (waiting, size int) {
	return int(t.Written() - t.Position()), len(t.ring.data)
}
