package config

import "testing"

func TestRingBytes(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct{ size, cpus, want int }{
		{0, 0, 8 * mib}, {0, 1, 8 * mib}, {0, 2, 8 * mib}, {0, 3, 16 * mib}, {0, 4, 16 * mib}, {0, 8, 32 * mib},
		{0, 48, 256 * mib}, {0, 64, 256 * mib}, {0, 1024, 256 * mib},
		{64 << 10, 64, 64 << 10}, {1 << 30, 1, 1 << 30},
	} {
		if got := (Kernel{RingSize: tt.size}).RingBytes(tt.cpus); got != tt.want {
			t.Errorf("RingBytes of %d at %d CPUs = %d, want %d", tt.size, tt.cpus, got, tt.want)
		}
	}
}
