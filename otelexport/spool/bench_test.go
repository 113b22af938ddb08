package spool

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// batchBytes is that of 512 spans.
const batchBytes = 400 << 10

func BenchmarkPut(b *testing.B) {
	for _, together := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d together", together), func(b *testing.B) {
			s := testSpool(b, b.TempDir(), func(o *Options) { o.MaxSize = 256 << 20 })
			defer s.close(b)
			var all []Record
			for range together {
				all = append(all, Record{512, []byte(strings.Repeat("x", batchBytes))})
			}
			b.SetBytes(int64(together * batchBytes))
			for b.Loop() {
				if err := s.a.Put(all...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDrain also says how much memory is left behind by a large store.
func BenchmarkDrain(b *testing.B) {
	s := testSpool(b, b.TempDir())
	defer s.close(b)
	r := Record{512, []byte(strings.Repeat("x", batchBytes))}
	b.SetBytes(300 * batchBytes)
	for b.Loop() {
		b.StopTimer()
		for range 300 {
			if err := s.a.Put(r); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for range 300 {
			key, _, err := s.a.Take()
			if err != nil {
				b.Fatal(err)
			}
			if err := s.a.Remove(key); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(resident(b)), "KiB-resident")
}

// resident returns the resident set of this process, in KiB.
func resident(b *testing.B) (kib int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib
}
