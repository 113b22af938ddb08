package timeline

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

const yes, no = process.Yes, process.No

// show writes a path as name start-end, in milliseconds.
func (s *story) show(m *Model, p *Path) string {
	var all []string
	for _, seg := range p.Segments {
		text := fmt.Sprintf("%s %g-%g", s.nameOf(m, seg.Process), float64(seg.Start)/1e6, float64(seg.End)/1e6)
		if seg.Next != Own {
			text += " " + seg.Next.String()
		}
		if !seg.Proved {
			text += "?"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestPath(t *testing.T) {
	for _, c := range []struct {
		name  string
		lives []life
		want  string
	}{
		{"a process alone", []life{{name: "a", end: 10}}, "a 0-10"},
		{
			"one after the other",
			[]life{{name: "sh", end: 10}, {name: "a", under: "sh", start: 1, end: 4, waited: yes}, {name: "b", under: "sh", start: 4.5, end: 9, waited: yes}},
			"sh 0-1, a 1-4 join, sh 4-4.5, b 4.5-9 join, sh 9-10",
		},
		{
			"back to back",
			[]life{{name: "sh", end: 10}, {name: "a", under: "sh", start: 0, end: 5, waited: yes}, {name: "b", under: "sh", start: 5, end: 10, waited: yes}},
			"a 0-5 join, b 5-10 join",
		},
		{
			"an inferred join says so",
			[]life{{name: "sh", end: 10}, {name: "a", under: "sh", start: 1, end: 9}, {name: "b", under: "a", start: 2, end: 8, waited: yes}},
			"sh 0-1, a 1-2?, b 2-8 join, a 8-9 join?, sh 9-10",
		},
		{
			"a parent that worked itself waited for nobody",
			[]life{{name: "cc", end: 10, cpu: 9}, {name: "log", under: "cc", start: 1, end: 9, waited: no}},
			"cc 0-10",
		},
		{
			"a parent that waited in another way",
			[]life{{name: "ninja", end: 10, cpu: 0.1}, {name: "a", under: "ninja", start: 1, end: 9, waited: no}},
			"ninja 0-1, a 1-9 join?, ninja 9-10",
		},
		{
			"a daemon outlives its parent",
			[]life{{name: "sh", end: 10}, {name: "d", under: "sh", start: 1, end: 50, session: 7}, {name: "a", under: "sh", start: 2, end: 9, waited: yes}},
			"sh 0-2, a 2-9 join, sh 9-10",
		},
		{
			"in a session of its own, nothing waits for it",
			[]life{{name: "sh", end: 10}, {name: "d", under: "sh", start: 1, end: 9, session: 7, waited: no}},
			"sh 0-10",
		},
		{
			"in the background, and not waited for",
			[]life{{name: "sh", end: 10}, {name: "bg", under: "sh", start: 1, end: 5, waited: yes}, {name: "a", under: "sh", start: 2, end: 9, waited: yes}},
			"sh 0-2, a 2-9 join, sh 9-10",
		},
		{
			"slow | cat",
			[]life{{name: "sh", end: 10}, {name: "slow", under: "sh", start: 0.5, end: 9, waited: yes}, {name: "cat", under: "sh", start: 1, end: 9.25, waited: yes}},
			"sh 0-0.5, slow 0.5-9 pipe?, cat 9-9.25 join?, sh 9.25-10",
		},
		{
			"cat | slow",
			[]life{{name: "sh", end: 100}, {name: "cat", under: "sh", start: 1, end: 2, waited: yes}, {name: "slow", under: "sh", start: 1, end: 99, waited: yes}},
			"sh 0-1, slow 1-99 join, sh 99-100",
		},
		{
			"a pipeline whose members all work shares its time by their CPU time",
			[]life{{name: "sh", end: 101}, {name: "gzip", under: "sh", start: 0, end: 99, waited: yes, cpu: 75}, {name: "sum", under: "sh", start: 0, end: 100, waited: yes, cpu: 25}},
			"gzip 0-75 pipe?, sum 75-100 join?, sh 100-101",
		},
		{
			"two at once that no shell started are no pipeline",
			[]life{{name: "make", end: 10, args: "-j2"}, {name: "a", under: "make", start: 1, end: 8, waited: yes}, {name: "b", under: "make", start: 1, end: 8.1, waited: yes}},
			"make 0-1, b 1-8.1 join, make 8.1-10",
		},
		{
			"make -j2: a slot",
			[]life{
				{name: "make", end: 20, args: "-j2"},
				{name: "cc#1", under: "make", start: 1, end: 6, waited: yes}, {name: "cc#2", under: "make", start: 1, end: 9, waited: yes},
				{name: "cc#3", under: "make", start: 6, end: 19, waited: yes}, {name: "cc#4", under: "make", start: 9, end: 12, waited: yes},
			},
			"make 0-1, cc#1 1-6 slot, cc#3 6-19 join, make 19-20",
		},
		{
			"nested makes: a slot of another make",
			[]life{
				{name: "make", end: 40, args: "-j2"},
				{name: "make#x", under: "make", start: 0, end: 19, waited: yes}, {name: "make#y", under: "make", start: 0, end: 39, waited: yes},
				{name: "cc#1", under: "make#x", start: 0, end: 18, waited: yes}, {name: "cc#2", under: "make#y", start: 1, end: 38, waited: yes},
				{name: "cc#3", under: "make#y", start: 19, end: 38.5, waited: yes},
			},
			"cc#1 0-18 join, make#x 18-19 slot, cc#3 19-38.5 join, make#y 38.5-39 join, make 39-40",
		},
		{
			"make -j2: the link waits for its objects, and not for a slot",
			[]life{
				{name: "make", end: 20, args: "-j2"},
				{name: "cc#1", under: "make", start: 1, end: 6, waited: yes}, {name: "cc#2", under: "make", start: 1, end: 9, waited: yes},
				{name: "ld", under: "make", start: 9, end: 19, waited: yes},
			},
			"make 0-1, cc#2 1-9 join, ld 9-19 join, make 19-20",
		},
		{
			"a child that executed before its parent, by an estimate",
			[]life{{name: "sh", start: 2, end: 10}, {name: "a", under: "sh", start: 1, end: 9, waited: yes}},
			"a 0-7 join, sh 7-8",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t).add(c.lives...)
			m := s.model(c.lives[0].name)
			p := m.Path()
			if got := s.show(m, p); got != c.want {
				t.Errorf("path\n got %s\nwant %s", got, c.want)
			}
			checkPath(t, m, p)
		})
	}
}

// The members of a pipeline are forked in their order, and may execute in another.
func TestPipelineInOrderOfForks(t *testing.T) {
	s := newStory(t).add(life{name: "sh", end: 100}, life{name: "cat", under: "sh", start: 1, end: 99.5, waited: yes},
		life{name: "slow", under: "sh", start: 2, end: 99, waited: yes})
	m := s.model("sh")
	m.Forked[s.at(m, "slow")], m.Forked[s.at(m, "cat")] = 0, 1
	p := m.Path()
	checkPath(t, m, p)
	if want := "sh 0-2, slow 2-99 pipe?, cat 99-99.5 join?, sh 99.5-100"; s.show(m, p) != want {
		t.Errorf("path %s, want %s", s.show(m, p), want)
	}
}

// checkPath checks what holds of every path.
func checkPath(t *testing.T, m *Model, p *Path) {
	t.Helper()
	at, sum, proved := int64(0), int64(0), time.Duration(0)
	held := make([]int64, m.Len())
	for _, s := range p.Segments {
		if s.Start != at || s.End <= s.Start {
			t.Fatalf("segment %+v does not follow %d", s, at)
		}
		at = s.End
		sum += s.End - s.Start
		held[s.Process] += s.End - s.Start
		if s.Proved {
			proved += s.Duration()
		}
		if m.Root != None && (s.Start < m.Start[s.Process] || s.End > m.End[s.Process]) {
			t.Errorf("segment %+v is outside the life of its process, %d-%d", s, m.Start[s.Process], m.End[s.Process])
		}
	}
	if m.Len() > 0 && sum != int64(m.Elapsed) {
		t.Errorf("the segments are %d ns, the job took %d", sum, m.Elapsed)
	}
	if proved != p.Proved {
		t.Errorf("proved %v, want %v", p.Proved, proved)
	}
	for i := range held {
		if held[i] != p.Held[i] {
			t.Errorf("process %d holds %d, want %d", i, p.Held[i], held[i])
		}
	}
}

// oracle finds the holder of every unit of time in the plainest way: from the
// end backwards, a process asks which of its joined children ended last.
func oracle(m *Model) []int {
	holders := make([]int, int64(m.Elapsed))
	var fill func(i int, from, to int64) int64
	fill = func(i int, from, to int64) int64 {
		for to > from {
			last := None
			for c := range m.Len() {
				if int(m.Parent[c]) == i && m.Join(c) != Background && m.End[c] <= to && m.Start[c] < to &&
					(last == None || m.End[c] > m.End[last] || m.End[c] == m.End[last] && c > last) && m.End[c] > m.Start[c] {
					last = c
				}
			}
			until := from
			if last != None {
				until = max(from, m.End[last])
			}
			for t := until; t < to; t++ {
				holders[t] = i
			}
			to = until
			if last == None {
				break
			}
			to = fill(last, m.Start[last], m.End[last])
		}
		return from
	}
	fill(m.Root, 0, int64(m.Elapsed))
	return holders
}

// randomModel returns a tree of n processes with times from 0 to 20, some of
// which are runners.
func randomModel(r *rand.Rand, n int, runner string) *Model {
	b := NewBuilder()
	starts, ends := []int64{0}, []int64{8 + r.Int64N(12)}
	for i := range n {
		l := process.Lifetime{
			ID:            process.ID{PID: uint32(i + 1), Start: 1},
			ParentWaiting: process.Answer(r.IntN(3)),
			Image:         process.Image{Filename: []string{runner, "cc", "ld"}[r.IntN(3)]},
		}
		if i > 0 {
			p := r.IntN(i)
			start := starts[p] + r.Int64N(max(ends[p]-starts[p], 1))
			end := start + r.Int64N(10)
			if r.IntN(3) > 0 {
				end = min(end, ends[p])
			}
			starts, ends = append(starts, start), append(ends, max(start, end))
			l.Parent = process.ID{PID: uint32(p + 1), Start: 1}
		}
		l.Start, l.End = origin+process.Time(starts[i]), origin+process.Time(ends[i])
		l.Usage.UserTime = time.Duration(r.Int64N(1 + ends[i] - starts[i]))
		b.Add(&l, "")
	}
	return b.Model(Job{Root: process.ID{PID: 1, Start: 1}, CPUs: 2})
}

func TestPathAgreesWithOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 30_000 {
		// Slots go from one make to another; the oracle follows parents only.
		m := randomModel(r, 1+r.IntN(8), "ninja")
		p := m.Path()
		checkPath(t, m, p)
		want := oracle(m)
		for _, s := range p.Segments {
			for at := s.Start; at < s.End; at++ {
				if want[at] != s.Process {
					t.Fatalf("round %d: at %d the path has process %d, the oracle %d\nstarts %v\nends %v\nparents %v\n%+v",
						round, at, s.Process, want[at], m.Start, m.End, m.Parent, p.Segments)
				}
			}
		}
	}
}

// Where the path goes from one make to another, it still is a partition, and every
// gain has its order.
func TestRandomMakes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 10_000 {
		m := randomModel(r, 1+r.IntN(30), "make")
		p := m.Path()
		checkPath(t, m, p)
		w := m.WhatIf(p)
		if off := w.base - float64(m.Elapsed); off < -0.75*float64(m.Elapsed) || off > 2*float64(m.Elapsed) {
			t.Fatalf("without a change, %v take %v", m.Elapsed, time.Duration(w.base))
		}
		i := r.IntN(m.Len())
		for _, g := range []Gain{w.Process(i, 1), w.Command(m.Program[i], 0.2), w.Slots(1 + r.IntN(4))} {
			if g.Least > g.About || g.About > g.Most || g.Most > m.Elapsed {
				t.Fatalf("gain %+v of %v", g, m.Elapsed)
			}
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add(uint64(1), uint16(5))
	f.Add(uint64(7), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		m := randomModel(rand.New(rand.NewPCG(seed, 0)), 1+int(n)%2000, "make")
		checkPath(t, m, m.Path())
	})
}
