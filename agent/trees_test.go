package agent

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// treeOf runs a shell that starts n processes, as procspan exec does, with rules, and
// returns the flow that has read it. It calls ready when the shell begins.
func treeOf(t testing.TB, n int, set rules.Set, ready func()) *flow {
	t.Helper()
	o, _ := unreachable()
	o.Ready = ready
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Config.Rules = set
	o.Config.TracePolicy.SplitOn = config.SplitOn{}
	o.oneCommand = true
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	exporter := newDiscardExporter(t, o, clock)
	o.cgroups = exporter.Workloads
	c := &command.Command{Path: "/bin/sh", Args: []string{"sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", n)}}
	f, code, _, err := follow(o, clock, process.NewIDs("test"), exportOutput{exporter}, c)
	if err != nil || code != 0 {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	flush(o, exporter)
	for _, l := range f.ledgers(exporter) {
		if missing := l.missing(); missing != 0 {
			t.Errorf("%d are missing in the ledger %+v", missing, l)
		}
	}
	return f
}

func events(f *flow) (sum uint64) {
	for _, n := range f.seen {
		sum += n
	}
	return sum
}

func dropTrees(t testing.TB, executables ...string) rules.Set {
	t.Helper()
	r := rules.Rule{Name: "noise", Action: rules.DropTree}
	for _, pattern := range executables {
		glob, err := rules.ParsePath(pattern)
		if err != nil {
			t.Fatal(err)
		}
		r.Match.Executable = append(r.Match.Executable, glob)
	}
	return rules.Set{r}
}

// The events of a dropped tree stay in the kernel: but for those of its root, or of what
// it starts before the agent, which alone knows the rule, has marked it.
func TestDroppedTree(t *testing.T) {
	needRoot(t)
	const n = 500
	all := treeOf(t, n, nil, nil)
	if got := events(all); got < 3*n {
		t.Fatalf("without rules, %d events are read, want %d", got, 3*n)
	}
	for _, tc := range []struct {
		name string
		set  rules.Set
		most uint64
	}{
		{"by name", dropTrees(t, "sh"), 10},
		{"by a glob that only the agent matches", dropTrees(t, "*h"), 3 * n},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := treeOf(t, n, tc.set, nil)
			if got := events(f); got > tc.most {
				t.Errorf("%d events are read, want %d at most", got, tc.most)
			}
			byRule, dropped := f.trees.dropped()
			if stats := f.table.Stats(); dropped+stats.Dropped != n+1 || stats.Ended != 0 {
				t.Errorf("the BPF programs have dropped %v, the agent %d, of %d; %d have a span", byRule, stats.Dropped, n+1, stats.Ended)
			}
		})
	}
}

// treeSize is how many processes a tree of BenchmarkDroppedTree has.
var treeSize = flag.Int("tree", 20_000, "processes in each tree of BenchmarkDroppedTree")

// BenchmarkDroppedTree measures what a lifetime costs the agent that is in a dropped
// tree, and one that is not.
func BenchmarkDroppedTree(b *testing.B) {
	for _, bc := range []struct {
		name string
		set  rules.Set
	}{{"reported", nil}, {"dropped", dropTrees(b, "sh")}} {
		b.Run(bc.name, func(b *testing.B) {
			read, cpu, total := uint64(0), int64(0), 0
			for b.Loop() {
				begin := int64(0) // without what it takes to load the BPF programs
				read += events(treeOf(b, *treeSize, bc.set, func() { begin = cpuSoFar(b) }))
				cpu += cpuSoFar(b) - begin
				total += *treeSize
			}
			b.ReportMetric(float64(read)/float64(total), "events/lifetime")
			b.ReportMetric(float64(cpu)/float64(total), "cpu-ns/lifetime")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fakeTrees are BPF programs that note what they are told.
type fakeTrees struct {
	set     []bpf.Rule
	marks   map[process.ID]string
	counted map[string]uint64
}

func (k *fakeTrees) SetRules(set []bpf.Rule) error { k.set = set; return nil }
func (k *fakeTrees) MarkTree(id process.ID, rule string) error {
	k.marks[id] = rule
	return nil
}
func (k *fakeTrees) UnmarkTree(id process.ID) error {
	delete(k.marks, id)
	return nil
}
func (k *fakeTrees) Marked() ([]process.ID, error) {
	return slices.Collect(maps.Keys(k.marks)), nil
}
func (k *fakeTrees) Dropped() (map[string]uint64, error) { return maps.Clone(k.counted), nil }

// Marks follow what the table decides: at an exec, and when the rules change.
func TestTreesFollowTheTable(t *testing.T) {
	compile := func(set rules.Set) process.Policy {
		return process.Policy{Rules: rules.Compile(set, ruleHost{cgroups: otelexport.NewCgroups()})}
	}
	noise := dropTrees(t, "noise")
	kernel := &fakeTrees{marks: map[process.ID]string{}, counted: map[string]uint64{"noise": 7}}
	f := &flow{log: newLog(io.Discard), trees: trees{log: newLog(io.Discard), kernel: kernel}, out: cgroupOutput{otelexport.NewCgroups()}}
	f.table = process.NewTable(process.Limits{Processes: 100, Bytes: 1 << 20}, compile(noise), process.NewIDs("test"))
	id := func(pid uint32) process.ID { return process.ID{PID: pid, Start: process.Time(pid)} }
	started := process.Time(100)
	apply := func(kind process.Kind, pid, parent uint32, executable string, marked bool) {
		t.Helper()
		started++
		f.event = process.Event{Kind: kind, At: started, ID: id(pid), Parent: id(parent), ExecID: uint64(started), FirstExec: true, Execed: true, Marked: marked}
		f.event.Image = process.Image{Filename: "/bin/" + executable, Executable: "/bin/" + executable}
		f.apply()
	}
	want := func(when string, pids ...uint32) {
		t.Helper()
		if len(kernel.marks) != len(pids) {
			t.Errorf("%s: marked are %v, want %v", when, kernel.marks, pids)
		}
		for _, pid := range pids {
			if kernel.marks[id(pid)] != "noise" {
				t.Errorf("%s: pid %d is not marked: %v", when, pid, kernel.marks)
			}
		}
	}
	start := func(pid, parent uint32, executable string, marked bool) {
		t.Helper()
		apply(process.Fork, pid, parent, "", false)
		apply(process.Exec, pid, parent, executable, marked)
	}

	kernel.marks[id(3)] = "of an earlier agent"
	start(10, 1, "noise", false) // before the agent begins
	start(11, 10, "child", false)
	f.trees.begin(f.table, kernelRules(noise))
	want("at the start", 10, 11)
	if len(kernel.set) != 1 || !kernel.set[0].Decides() {
		t.Errorf("the BPF programs follow %+v", kernel.set)
	}
	start(20, 1, "quiet", false)
	want("another process", 10, 11)
	start(21, 20, "noise", false)
	want("a root that the BPF programs did not mark", 10, 11, 21)
	kernel.marks[id(22)] = "noise"
	start(22, 20, "noise", true)
	want("one that they marked", 10, 11, 21, 22)
	kernel.marks[id(23)] = "noise"
	start(23, 20, "quiet", true)
	want("one that they should not have", 10, 11, 21, 22)
	apply(process.Exit, 21, 20, "", false)
	want("an exit", 10, 11, 22)

	other := dropTrees(t, "quiet")
	f.table.SetPolicy(compile(other))
	f.trees.follow(f.table, kernelRules(other))
	want("other rules", 20, 22, 23) // and what is below it
	f.table.SetPolicy(process.Policy{})
	f.trees.follow(f.table, nil)
	want("no rules")
	kernel.counted["noise"] = 12
	if _, n := f.trees.dropped(); n != 5 {
		t.Errorf("%d were dropped since the start, want 5", n)
	}
	f.trees.end()
	kernel.counted = nil
	if _, n := f.trees.dropped(); n != 5 {
		t.Errorf("after the end, %d were dropped since the start, want 5", n)
	}
}
