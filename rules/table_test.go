package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/procspan/procspan/process"
)

// TestSampling: of many traces, those that a rule samples are whole, and their number
// times the adjusted count in their tracestate estimates all within 3 σ.
func TestSampling(t *testing.T) {
	const traces, share = 60_000, 0.01
	set := Set{{Name: "some", Match: Match{Ancestor: globs("cron")}, Sample: pointer(share)}}
	table := process.NewTable(process.Limits{Processes: 1000, Bytes: 1 << 20}, process.Policy{Session: true, Rules: Compile(set, &fakeHost{})}, process.NewIDs("sampling"))
	h := &host{table: table}
	cron := h.process(2, "/usr/sbin/cron")
	spans := map[process.TraceID]int{}
	estimate := 0.0
	take := func(ended []*process.Lifetime) {
		for _, l := range ended {
			spans[l.Context.Trace]++
			if l.ParentSpan == (process.SpanID{}) {
				estimate += adjusted(t, l.TraceState)
			}
		}
	}
	for range traces {
		job := h.fork(cron)
		job.groups.Session = job.id.PID
		h.exec(job, "/bin/sh")
		one, other := h.fork(job), h.fork(job)
		h.exec(one, "/bin/a")
		h.exec(other, "/bin/b")
		take(h.exit(one))
		take(h.exit(job)) // before a child
		take(h.exit(other))
	}
	for id, n := range spans {
		if n != 3 {
			t.Fatalf("trace %x has %d spans, want 3", id, n)
		}
	}
	sigma := math.Sqrt(traces * share * (1 - share))
	if got := float64(len(spans)); math.Abs(got-traces*share) > 3*sigma {
		t.Errorf("%v traces are sampled of %d, want %v ± %.0f", got, traces, traces*share, 3*sigma)
	}
	if math.Abs(estimate-traces) > 3*sigma/share {
		t.Errorf("the estimate is %.0f, want %d ± %.0f", estimate, traces, 3*sigma/share)
	}
	if s := table.Stats(); int(s.SampledOut) != 3*(traces-len(spans)) {
		t.Errorf("%+v", s)
	}
}

// adjusted returns the adjusted count that a tracestate gives, as OpenTelemetry's
// specification defines it.
func adjusted(t *testing.T, state string) float64 {
	hex, ok := strings.CutPrefix(state, "ot=th:")
	threshold, err := strconv.ParseUint(hex+strings.Repeat("0", 14-len(hex)), 16, 64)
	if !ok || err != nil {
		t.Fatalf("tracestate %q: %v", state, err)
	}
	return math.Pow(2, 56) / (math.Pow(2, 56) - float64(threshold))
}

// host makes events, one a tick.
type host struct {
	table *process.Table
	now   process.Time
	pids  uint32
}

type task struct {
	id, parent process.ID
	groups     process.Groups
	execs      uint64
}

func (h *host) tick() process.Time { h.now++; return h.now }

// process is one that was found running.
func (h *host) process(pid uint32, file string) *task {
	p := &task{id: process.ID{PID: pid, Start: h.tick()}}
	h.table.Adopt([]process.Living{{ID: p.id, Execed: true, Image: process.Image{Executable: file}}})
	return p
}

func (h *host) fork(parent *task) *task {
	h.pids++
	p := &task{id: process.ID{PID: 10 + h.pids%500, Start: h.tick()}, parent: parent.id, groups: parent.groups, execs: parent.execs}
	h.table.Apply(&process.Event{Kind: process.Fork, At: p.id.Start, ID: p.id, Parent: parent.id, Groups: parent.groups, ExecID: p.execs})
	return p
}

func (h *host) exec(p *task, file string) {
	h.execImage(p, process.Image{Filename: file, Executable: file, Args: file + "\x00"})
}

func (h *host) execImage(p *task, im process.Image) {
	p.execs++
	h.table.Apply(&process.Event{Kind: process.Exec, At: h.tick(), ID: p.id, Parent: p.parent, Groups: p.groups, ExecID: p.execs, FirstExec: true, Image: im})
}

func (h *host) exit(p *task) []*process.Lifetime {
	return h.table.Apply(&process.Event{Kind: process.Exit, At: h.tick(), ID: p.id, Parent: p.parent, Groups: p.groups, Execed: p.execs > 0, ExecID: p.execs})
}

// benchSet has so many rules of the usual kinds; few processes match one.
func benchSet(n int) (set Set) {
	for i := range n {
		r := Rule{Name: fmt.Sprint("rule ", i), Action: Drop}
		switch i % 5 {
		case 0:
			r.Match.Executable = globs(fmt.Sprintf("tool-%d*", i), fmt.Sprintf("/opt/**/x%d", i))
		case 1:
			r.Match.Ancestor = globs(fmt.Sprintf("daemon-%d", i%20))
		case 2:
			r.Match.Slice = globs(fmt.Sprintf("app-%d-*.slice", i))
		case 3:
			r.Match.User = []string{strconv.Itoa(2000 + i)}
		case 4:
			r.Match.Executable, r.Match.Duration = globs(fmt.Sprintf("short-%d", i)), Duration{Below: 1}
		}
		set = append(set, r)
	}
	return set
}

// BenchmarkRules is what rules add to an exec: with so many rules, and with none.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{0, 1, 50, 250} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			c := Compile(benchSet(n), &fakeHost{})
			p := &process.Candidate{
				Image:       &process.Image{Filename: "/usr/bin/gcc", Executable: "/usr/bin/x86_64-linux-gnu-gcc-12", Args: "gcc\x00-c\x00x.c\x00"},
				Groups:      &process.Groups{Cgroup: process.Cgroup{V2: 7, V1: 7}},
				Credentials: &process.Credentials{EffectiveUser: 33},
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Program(p.Image)
				if c.Start(p) != nil {
					b.Fatal("a rule matched")
				}
			}
		})
	}
}

// BenchmarkTable is a lifetime, fork to exit, in a table with so many rules; -1 is one
// that asks none.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{-1, 0, 50} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			policy := process.Policy{}
			if n >= 0 {
				policy.Rules = Compile(benchSet(n), &fakeHost{})
			}
			h := &host{table: process.NewTable(process.Limits{Processes: 1000, Bytes: 1 << 20}, policy, process.NewIDs("bench"))}
			shell := h.process(2, "/bin/sh")
			im := process.Image{Filename: "/usr/bin/gcc", Executable: "/usr/bin/x86_64-linux-gnu-gcc-12", Args: "gcc\x00-c\x00x.c\x00"}
			b.ReportAllocs()
			for b.Loop() {
				p := h.fork(shell)
				h.execImage(p, im)
				for _, l := range h.exit(p) {
					h.table.Recycle(l)
				}
			}
		})
	}
}
