package timeline

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/process"
)

// The order in which lifetimes come does not matter.
func TestOrderOfLifetimes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lives := makeJob(300)
	want := buildJob(lives)
	for range 5 {
		r.Shuffle(len(lives), func(i, j int) { lives[i], lives[j] = lives[j], lives[i] })
		got := buildJob(lives)
		if !slices.Equal(got.PID, want.PID) || !slices.Equal(got.Parent, want.Parent) || !slices.Equal(got.Lane, want.Lane) {
			t.Fatal("another order of the same lifetimes gave another model")
		}
		for i := range want.Len() {
			if got.Line(i, 100) != want.Line(i, 100) {
				t.Fatalf("process %d is %q, want %q", i, got.Line(i, 100), want.Line(i, 100))
			}
		}
	}
}

// Parents that form a circle, as only a damaged file has them, are cut.
func TestCircle(t *testing.T) {
	b := NewBuilder()
	for pid := range uint32(3) {
		b.Add(&process.Lifetime{
			ID: process.ID{PID: pid, Start: 1}, Parent: process.ID{PID: (pid + 1) % 3, Start: 1},
			Start: origin, End: origin + 10,
		}, "")
	}
	m := b.Model(Job{})
	roots := 0
	for i, p := range m.Parent {
		if p == None {
			roots++
		} else if int(p) >= i {
			t.Errorf("process %d stands before its parent %d", i, p)
		}
	}
	if roots != 1 {
		t.Errorf("%d roots, want 1", roots)
	}
	checkPath(t, m, m.Path())
}

func TestEmpty(t *testing.T) {
	m := NewBuilder().Model(Job{})
	if p := m.Path(); len(p.Segments) != 0 {
		t.Errorf("an empty job has the path %+v", p.Segments)
	}
	if m.WhatIf(m.Path()).Slots(2).About != 0 || len(m.Findings(m.Path())) != 0 || len(m.Commands(m.Path())) != 0 {
		t.Error("an empty job has something to say")
	}
}

// No two processes of a lane overlap, and none could have a lower one.
func TestLanes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		m := randomModel(r, 1+r.IntN(30), "make")
		free := map[int32]int64{}
		for i := range m.Len() {
			lane := m.Lane[i]
			if at, used := free[lane]; used && at > m.Start[i] {
				t.Fatalf("process %d starts at %d in lane %d, which is taken until %d", i, m.Start[i], lane, at)
			}
			for lower := range lane {
				if free[lower] <= m.Start[i] {
					t.Fatalf("process %d has lane %d, and %d is free", i, lane, lower)
				}
			}
			free[lane] = max(m.End[i], m.Start[i]+1)
		}
	}
}

// The sums over time are those of the processes.
func TestLoad(t *testing.T) {
	s := newStory(t).add(
		life{name: "make", end: 100, cpu: 10},
		life{name: "a", under: "make", start: 0, end: 50, cpu: 50},
		life{name: "b", under: "make", start: 25, end: 75, cpu: 25},
	)
	m := s.model("make")
	for _, n := range []int{1, 4, 7, 1000} {
		l := m.Load(n)
		var cpu, running float64
		for i := range n {
			cpu += l.CPUs[i] * l.Width
			running += l.Running[i] * l.Width
		}
		if want := 85e6; cpu < want*0.999999 || cpu > want*1.000001 {
			t.Errorf("%d slices: CPU time %g, want %g", n, cpu, want)
		}
		// a 50, b 50, make alone 25
		if want := 125e6; running < want*0.999999 || running > want*1.000001 {
			t.Errorf("%d slices: running %g, want %g", n, running, want)
		}
	}
	if l := m.Load(4); fmt.Sprint(l.Running) != "[1 2 1 1]" {
		t.Errorf("running %v", l.Running)
	}
}

func TestCommands(t *testing.T) {
	s := newStory(t).add(life{name: "make", end: 100, args: "-j2"})
	for i := range 20 {
		code := 0
		if i == 3 {
			code = 1
		}
		s.add(life{name: fmt.Sprintf("cc#%d", i), under: "make", start: float64(4 * i), end: float64(4*i + i%4 + 1), waited: yes, cpu: 1, code: code})
	}
	m := s.model("make")
	all := m.Commands(m.Path())
	if len(all) != 2 {
		t.Fatalf("%d commands, want 2", len(all))
	}
	cc := all[slices.IndexFunc(all, func(c Command) bool { return m.Text(c.Program) == "cc" })]
	want := Command{
		Program: cc.Program, Count: 20, Failed: 1, Sum: 50 * time.Millisecond, P50: 2 * time.Millisecond,
		P95: 4 * time.Millisecond, Max: 4 * time.Millisecond, CPU: 20 * time.Millisecond, Path: 50 * time.Millisecond,
	}
	if cc != want {
		t.Errorf("cc is %+v\nwant %+v", cc, want)
	}
	sum := time.Duration(0)
	for _, c := range all {
		sum += c.Path
	}
	if sum != m.Elapsed {
		t.Errorf("the commands hold %v of the path, the job took %v", sum, m.Elapsed)
	}
}

func TestDeclaredSlots(t *testing.T) {
	for args, want := range map[string]int{
		"": 0, "-j8": 8, "-j 8": 8, "-j": 0, "-k -j3 all": 3, "--jobs=5": 5, "--jobs 6": 6, "-jx": 0, "-j0": 0, "-j99999999": 0, "all -j": 0,
	} {
		s := newStory(t).add(life{name: "make", end: 1, args: args})
		if got := s.model("make").declaredSlots(0); got != want {
			t.Errorf("make %s has %d slots, want %d", args, got, want)
		}
	}
}

// makeJob returns what a make of n objects leaves: sh, cc and cc1 for each.
func makeJob(n int) []*process.Lifetime {
	r := rand.New(rand.NewPCG(9, 9))
	id := func(i int) process.ID { return process.ID{PID: uint32(i + 1), Start: origin} }
	var all []*process.Lifetime
	add := func(parent int, start, end int64, name string, args ...string) int {
		text := ""
		for _, a := range append([]string{name}, args...) {
			text += a + "\x00"
		}
		i := len(all)
		l := &process.Lifetime{
			ID: id(i), Start: origin + process.Time(start), End: origin + process.Time(end), ParentWaiting: process.Yes,
			Image: process.Image{Filename: "/usr/bin/" + name, Executable: "/usr/bin/" + name, Args: text, WorkingDirectory: "/src/project"},
			Usage: process.Usage{UserTime: time.Duration(end-start) / 2, PeakRSS: 1 << 24, RunDelayKnown: true},
		}
		if parent >= 0 {
			l.Parent = id(parent)
		}
		all = append(all, l)
		return i
	}
	root := add(-1, 0, 0, "make", "-j8")
	free := make([]int64, 8)
	for i := range n {
		slot := 0
		for s := range free {
			if free[s] < free[slot] {
				slot = s
			}
		}
		start := free[slot]
		end := start + 1e6 + r.Int64N(1e8)
		free[slot] = end
		file := fmt.Sprintf("dir%d/file%d.c", i%37, i)
		cc := add(root, start, end, "cc", "-O2", "-Wall", "-Iinclude", "-DNDEBUG", "-c", "-o", file+".o", file)
		add(cc, start+1e5, end-1e5, "cc1", "-quiet", "-Iinclude", "-DNDEBUG", file, "-O2", "-Wall", "-o", "/tmp/cc.s")
	}
	all[root].End = origin + process.Time(slices.Max(free)+1e6)
	return all
}

func buildJob(lives []*process.Lifetime) *Model {
	b := NewBuilder()
	for _, l := range lives {
		b.Add(l, "")
	}
	return b.Model(Job{Root: process.ID{PID: 1, Start: origin}, CPUs: 8})
}

// A chain of 100,000 processes is as good as any tree.
func TestChain(t *testing.T) {
	b := NewBuilder()
	const n = 100_000
	for i := range n {
		l := process.Lifetime{
			ID: process.ID{PID: uint32(i + 1), Start: 1}, Start: origin + process.Time(i), End: origin + process.Time(3*n-i),
			ParentWaiting: process.Yes, Image: process.Image{Filename: "sh"},
		}
		if i > 0 {
			l.Parent = process.ID{PID: uint32(i), Start: 1}
		}
		b.Add(&l, "")
	}
	m := b.Model(Job{Root: process.ID{PID: 1, Start: 1}, CPUs: 2})
	p := m.Path()
	checkPath(t, m, p)
	if len(p.Segments) != 2*n-1 {
		t.Errorf("%d segments, want %d", len(p.Segments), 2*n-1)
	}
	m.Findings(p)
	if g := m.WhatIf(p).Process(n-1, 1); g.Most <= 0 {
		t.Errorf("the last of the chain would bring %+v", g)
	}
}

// A model is small: no more than 250 B for each process, with all its texts.
func TestModelSize(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what finalizers and pools held at the first
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	lives := makeJob(50_000)
	before := heap()
	m := buildJob(lives)
	each := float64(heap()-before) / float64(m.Len())
	t.Logf("%.0f B for each of %d processes", each, m.Len())
	if each > 250 || each < 100 { // it cannot be less than its columns
		t.Errorf("a process takes %.0f B, want at most 250", each)
	}
	runtime.KeepAlive(lives)
	runtime.KeepAlive(m)
}

// CPU-ms/op is what a busy machine hardly changes.
func BenchmarkModel(b *testing.B) {
	cpu := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for _, n := range []int{50_000, 500_000} {
		lives := makeJob(n)
		b.Run(fmt.Sprint(len(lives)), func(b *testing.B) {
			runtime.GC()
			before := cpu()
			for b.Loop() {
				m := buildJob(lives)
				p := m.Path()
				m.Commands(p)
				m.Load(1000)
			}
			b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(b.N), "CPU-ms/op")
		})
	}
}

func BenchmarkFindings(b *testing.B) {
	m := buildJob(makeJob(50_000))
	p := m.Path()
	for b.Loop() {
		m.Findings(p)
	}
}

func BenchmarkWhatIf(b *testing.B) {
	m := buildJob(makeJob(50_000))
	p := m.Path()
	w := m.WhatIf(p)
	for b.Loop() {
		w.Slots(4)
	}
}
