package bpf

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// BenchmarkLifetime measures what each program costs the lifetime of one small
// process that a shell starts, by the kernel's own count; the median, since
// machines are noisy.
func BenchmarkLifetime(b *testing.B) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	tr, err := Open(Options{
		RingSize: 16 << 20, ArgsMaxBytes: 4096, WorkingDirectory: true, CgroupPaths: true,
		Variables: []string{"TRACEPARENT", "TRACESTATE"},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	const perRound = 200
	took := map[string][]float64{}
	for b.Loop() {
		before := runtimes(b, tr)
		if err := exec.Command("/bin/sh", "-c", "for i in "+strings.Repeat("1 ", perRound)+"; do /bin/true; done").Run(); err != nil {
			b.Fatal(err)
		}
		var sum time.Duration
		for name, after := range runtimes(b, tr) {
			spent := after - before[name]
			sum += spent
			took[name] = append(took[name], float64(spent.Nanoseconds())/perRound)
		}
		took["all"] = append(took["all"], float64(sum.Nanoseconds())/perRound)
		for ev := (process.Event{}); tr.Read(time.Now(), &ev) == nil; {
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name+"-ns")
	}
	b.ReportMetric(0, "ns/op")
}

// runtimes returns how long each program has run, by its name.
func runtimes(b *testing.B, tr *Tracer) map[string]time.Duration {
	b.Helper()
	all := map[string]time.Duration{}
	for _, program := range tr.programs() {
		stats, err := program.Stats()
		if err != nil {
			b.Fatal(err)
		}
		info, err := program.Info()
		if err != nil {
			b.Fatal(err)
		}
		all[info.Name] = stats.Runtime
	}
	return all
}
