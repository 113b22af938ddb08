package config

// Bounds of a ring buffer whose size is auto.
const (
	ringPerCPU = 4 << 20
	minAuto    = 8 << 20
	maxAuto    = 256 << 20
)

// RingBytes returns the size of the ring buffer on a host with so many CPUs.
// Each CPU can fill its share before the reader wakes, so auto is a power of two
// of at least 4 MiB for each CPU: 8 MiB at 2 CPUs, 256 MiB from 33.
func (k Kernel) RingBytes(cpus int) int {
	if k.RingSize != 0 {
		return k.RingSize
	}
	size := minAuto
	for size < maxAuto && size < cpus*ringPerCPU {
		size *= 2
	}
	return size
}

// HonoursSampled reports whether a TRACEPARENT that says "not sampled" is kept
// to; byDefault is what holds where nothing is configured.
func (p TracePolicy) HonoursSampled(byDefault bool) bool {
	if p.HonourSampled == nil {
		return byDefault
	}
	return *p.HonourSampled
}
