package timeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// stage is a part of a made-up script: jobs of a make, and a link behind them; with
// slots 0, jobs in the background and a wait for all.
type stage struct {
	jobs  []float64 // ms
	link  float64   // 0: none
	slots int
}

// scheduled lays the stages of a script one after the other, by the plainest rule:
// the next job takes the slot that is free first. It returns the lives.
func scheduled(stages []stage) (lives []life) {
	const start = 0.1 // ms that a parent takes for each step
	now := start
	for at, s := range stages {
		parent, begin := "sh", now
		if s.slots > 0 {
			parent = fmt.Sprintf("make#%d", at)
			lives = append(lives, life{name: parent, under: "sh", start: now, waited: yes, args: fmt.Sprintf("-j%d", s.slots)})
			begin += start
		}
		own := len(lives) - 1
		slots := make([]float64, max(s.slots, 1))
		last := begin
		for k, d := range s.jobs {
			first := 0
			for i := range slots {
				if slots[i] < slots[first] {
					first = i
				}
			}
			// A parent starts one at a time.
			begin = max(begin+start/10, slots[first]+start)
			if s.slots == 0 {
				begin = now + float64(k)*start/10
			}
			slots[first] = begin + d
			last = max(last, begin+d)
			lives = append(lives, life{name: fmt.Sprintf("cc#%d.%d", at, k), under: parent, start: begin, end: begin + d, waited: yes})
		}
		if s.link > 0 {
			lives = append(lives, life{name: fmt.Sprintf("ld#%d", at), under: parent, start: last + start, end: last + start + s.link, waited: yes})
			last += start + s.link
		}
		now = last + start
		if s.slots > 0 {
			lives[own].end = now
			now += start
		}
	}
	return append([]life{{name: "sh", end: now}}, lives...)
}

// Random scripts, with the change made by a scheduler that knows what the model
// has to conclude.
func TestWhatIfAgreesWithScheduler(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 15))
	asked, near := 0, 0
	for round := range 3000 {
		var stages []stage
		for range 1 + r.IntN(3) {
			s := stage{slots: r.IntN(5)}
			for range 1 + r.IntN(9) {
				s.jobs = append(s.jobs, 5+95*r.Float64())
			}
			if s.slots > 0 && r.IntN(2) == 0 {
				s.link = 5 + 50*r.Float64()
			}
			stages = append(stages, s)
		}
		build := func(stages []stage) (*story, *Model) {
			s := newStory(t).add(scheduled(stages)...)
			s.job.CPUs = 64
			return s, s.model("sh")
		}
		s, m := build(stages)
		w := m.WhatIf(m.Path())
		check := func(what string, g Gain, changed []stage) {
			_, after := build(changed)
			truth := m.Elapsed - after.Elapsed
			asked++
			if (g.About - truth).Abs() <= m.Elapsed/20 {
				near++
			}
			if tolerance := time.Millisecond + m.Elapsed/200; truth < g.Least-tolerance || truth > g.Most+tolerance {
				t.Fatalf("round %d, %s: it brings %v, said %+v of %v\n%+v", round, what, truth, g, m.Elapsed, stages)
			}
		}
		copied := func() []stage {
			c := slices.Clone(stages)
			for i := range c {
				c[i].jobs = slices.Clone(c[i].jobs)
			}
			return c
		}
		at := r.IntN(len(stages))
		k := r.IntN(len(stages[at].jobs))
		one := copied()
		one[at].jobs[k] = 0
		name := fmt.Sprintf("cc#%d.%d", at, k)
		check(name, w.Process(s.at(m, name), 1), one)
		all := copied()
		for i := range all {
			for j := range all[i].jobs {
				all[i].jobs[j] *= 0.8
			}
		}
		check("cc", w.Command(m.Program[s.at(m, name)], 0.2), all)
		n := 1 << r.IntN(4)
		slots := copied()
		for i := range slots {
			if slots[i].slots > 0 {
				slots[i].slots = n
			}
		}
		check(fmt.Sprintf("%d slots", n), w.Slots(n), slots)
	}
	t.Logf("%d of %d estimates are within 5 %% of the elapsed time", near, asked)
	if near < asked*95/100 {
		t.Error("these are less than 95 %")
	}
}
