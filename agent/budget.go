package agent

// budget shares out the memory that the agent may take.
type budget struct {
	// images bounds the strings of running processes, in bytes, roughly.
	images int
	// journal is how large the journal of a keeper may get: on a tmpfs, which
	// daemon.state_directory is by default, it counts as memory.
	journal int64
}

// newBudget shares out a limit; 0 is none. By default limits, entries of processes take
// another fifth, what waits for the collector an eighth, and snapshots a fifth of 1 GiB.
func newBudget(limit int64) budget {
	b := budget{images: maxImageBytes, journal: 256 << 20}
	if limit > 0 {
		b.images = int(max(min(int64(b.images), limit/5), 8<<20))
		b.journal = max(min(b.journal, limit/8), 8<<20)
	}
	return b
}
