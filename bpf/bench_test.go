package bpf

import (
	"os/exec"
	"slices"
	"strconv"
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

// BenchmarkRules measures what rules cost each event of a lifetime that none of them
// drops: without rules, without any yet, and with 50, in turns; and what
// marks of other processes cost.
func BenchmarkRules(b *testing.B) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	var rules []Rule
	for i := range 50 {
		r := Rule{Name: "noise", Drop: i%5 > 0, Executable: []Text{{Text: "noise-" + strconv.Itoa(i), Form: Form(i % 2)}, {Path: true, Text: "/usr/lib/noise/" + strconv.Itoa(i)}}}
		if i%7 == 0 {
			r.Users = []uint32{uint32(1000 + i)}
		}
		rules = append(rules, r)
	}
	took := map[string][]float64{}
	for b.Loop() {
		for _, name := range []string{"never", "none", "50", "marks"} {
			tr, err := Open(Options{RingSize: 16 << 20, ArgsMaxBytes: 4096, WorkingDirectory: true, CgroupPaths: true, Rules: name != "never"})
			if err != nil {
				b.Fatal(err)
			}
			if name == "50" {
				if err := tr.SetRules(rules); err != nil {
					b.Fatal(err)
				}
			}
			if name == "marks" {
				if err := tr.MarkTree(process.ID{PID: 1, Start: 1}, "noise"); err != nil {
					b.Fatal(err)
				}
			}
			took[name] = append(took[name], perEvent(b, tr))
			if err := tr.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	// The least is what the programs cost; the rest is what interrupted them.
	never := slices.Min(took["never"])
	b.ReportMetric(never, "never-ns/event")
	for _, name := range []string{"none", "50", "marks"} {
		b.ReportMetric(slices.Min(took[name])-never, name+"-more-ns/event")
	}
	b.ReportMetric(0, "ns/op")
}

// perEvent returns how long the programs run for an event of a lifetime, in ns.
func perEvent(b *testing.B, tr *Tracer) float64 {
	b.Helper()
	const lifetimes, events = 300, 3
	command := "for i in " + strings.Repeat("1 ", lifetimes) + "; do /bin/true; done"
	var took time.Duration
	for range 2 { // the first warms up
		before := runtimes(b, tr)
		if err := exec.Command("/bin/sh", "-c", command).Run(); err != nil {
			b.Fatal(err)
		}
		took = 0
		for name, after := range runtimes(b, tr) {
			took += after - before[name]
		}
	}
	return float64(took.Nanoseconds()) / lifetimes / events
}
