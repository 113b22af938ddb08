package timeline

import (
	"cmp"
	"slices"
	"time"
)

// Command is all processes of a job that ran the same program.
type Command struct {
	Program Text
	Count   int
	Failed  int
	// Sum, P50, P95 and Max are of the durations. A process that waits for its
	// children counts with all of its time.
	Sum, P50, P95, Max time.Duration
	// CPU and RunDelay are sums; PeakRSS is the most of one process, in bytes.
	CPU, RunDelay time.Duration
	PeakRSS       uint64
	// Path is how long processes of this command hold the critical path.
	Path time.Duration
}

// Commands returns the commands of a job: those that hold the path the longest
// first, then those with the most CPU time.
func (m *Model) Commands(path *Path) []Command {
	of := make(map[Text][]int32)
	for i, program := range m.Program {
		of[program] = append(of[program], int32(i))
	}
	all := make([]Command, 0, len(of))
	for program, processes := range of {
		all = append(all, m.command(program, processes, path))
	}
	sortBy(all, func(a, b *Command) int {
		return cmp.Or(cmp.Compare(b.Path, a.Path), cmp.Compare(b.CPU, a.CPU), cmp.Compare(b.Sum, a.Sum),
			cmp.Compare(m.Texts[a.Program], m.Texts[b.Program]))
	})
	return all
}

func (m *Model) command(program Text, processes []int32, path *Path) Command {
	c := Command{Program: program, Count: len(processes)}
	durations := make([]time.Duration, 0, len(processes))
	for _, i := range processes {
		d := m.Duration(int(i))
		durations = append(durations, d)
		c.Sum += d
		c.CPU += m.CPU(int(i))
		c.RunDelay += time.Duration(m.RunDelay[i])
		c.PeakRSS = max(c.PeakRSS, m.PeakRSS[i])
		c.Path += time.Duration(path.Held[i])
		if m.Has(int(i), Failed) {
			c.Failed++
		}
	}
	slices.Sort(durations)
	c.P50, c.P95, c.Max = quantile(durations, 0.5), quantile(durations, 0.95), durations[len(durations)-1]
	return c
}

// quantile returns the smallest of the sorted values that a share q of them do
// not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	at := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(at, 1), len(sorted))-1]
}
