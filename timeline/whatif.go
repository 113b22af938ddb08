package timeline

import (
	"cmp"
	"time"
)

// Gain is how much shorter a job would be. The truth lies between Least and
// Most; About is the estimate.
type Gain struct {
	Least, About, Most time.Duration
}

// WhatIf answers what a change would bring. It is made once for a model.
type WhatIf struct {
	m      *Model
	path   *Path
	script *script
	base   float64
	// apart is the script as if no processes were a pipeline, which is never sure;
	// nil where there is none.
	apart *script
	delay time.Duration // of the processes that hold the path, while they hold it
	slots time.Duration // of the path that ended in a slot that somebody waited for
}

// WhatIf returns what answers for this model, whose path is given.
func (m *Model) WhatIf(path *Path) *WhatIf {
	w := &WhatIf{m: m, path: path, script: m.compile(true)}
	w.base = m.Simulate(w.script, Change{})
	if len(w.script.feeds) > 0 {
		w.apart = m.compile(false)
	}
	for _, s := range path.Segments {
		if s.Next == Freed {
			w.slots += s.Duration()
		}
	}
	for i, held := range path.Held {
		w.delay += time.Duration(m.delayShare(i) * float64(held))
	}
	return w
}

// Process returns the gain when the work of one process takes no time, less
// share, which is 1 for all of it.
func (w *WhatIf) Process(i int, share float64) Gain {
	return w.gain(Change{Scale: map[int32]float64{int32(i): 1 - share}}, share,
		time.Duration(w.path.Held[i]), w.m.CPU(i), w.m.Duration(i))
}

// Command returns the gain when the work of every process of a program takes
// less by share.
func (w *WhatIf) Command(program Text, share float64) Gain {
	held, cpu, life := time.Duration(0), time.Duration(0), time.Duration(0)
	for i, p := range w.m.Program {
		if p == program {
			held += time.Duration(w.path.Held[i])
			cpu += w.m.CPU(i)
			life += w.m.Duration(i)
		}
	}
	return w.gain(Change{ScaleProgram: map[Text]float64{program: 1 - share}}, share, held, cpu, life)
}

// Slots returns the gain with another number of slots; it is negative where the
// job would take longer.
func (w *WhatIf) Slots(n int) Gain {
	g := Gain{About: w.about(Change{Slots: n})}
	slack := w.slack()
	g.Least, g.Most = g.About-slack, g.About+slack
	if n > 1 && w.serial() {
		g.Least = min(g.Least, 0) // one slot hides what depends on what
	}
	// No job is shorter than its longest process that does not wait for others, or
	// than its CPU time on all CPUs.
	g.Most = min(g.Most, w.m.Elapsed-w.floor())
	g.About, g.Least = min(g.About, g.Most), min(g.Least, g.Most)
	return g
}

// serial reports whether a runner of the job has one slot.
func (w *WhatIf) serial() bool {
	for i, pool := range w.script.pools.of {
		if pool == int32(i) && w.script.pools.slots[i] == 1 {
			return true
		}
	}
	return false
}

// Floor returns the time that no number of slots can beat: the CPU time of the
// job on all CPUs, or its longest process without children.
func (w *WhatIf) Floor() time.Duration { return w.floor() }

func (w *WhatIf) floor() time.Duration {
	floor := time.Duration(0)
	if w.m.Job.CPUs > 0 {
		floor = w.m.TotalCPU() / time.Duration(w.m.Job.CPUs)
	}
	for i := range w.m.Len() {
		if len(w.m.Children(i)) == 0 && w.m.Join(i) != Background {
			floor = max(floor, time.Duration((1-w.m.delayShare(i))*float64(w.m.Duration(i))))
		}
	}
	return min(floor, w.m.Elapsed)
}

// about is the estimate of what a change brings: by how much it shortens the
// simulation, as a share of it.
func (w *WhatIf) about(c Change) time.Duration {
	if w.base <= 0 {
		return 0
	}
	return time.Duration((w.base - w.m.Simulate(w.script, c)) / w.base * float64(w.m.Elapsed))
}

// slack is how far an estimate may be off: what the simulation of the job as it
// was is off, a twentieth of the elapsed time, and a share of what is inferred.
func (w *WhatIf) slack() time.Duration {
	off := time.Duration(w.base) - w.m.Elapsed
	inferred := w.m.Elapsed - w.path.Proved
	return max(off, -off) + w.m.Elapsed/20 + inferred/20
}

// gain bounds the estimate of a change that takes share of the work of some
// processes away: by what they held of the path, by what others waited for the
// CPUs that they used, and by what others waited for the slots that they took.
func (w *WhatIf) gain(c Change, share float64, held, cpu, life time.Duration) Gain {
	relief := min(w.slots, life)
	if w.m.Job.CPUs > 0 {
		relief += min(w.delay, cpu)
	}
	most := min(time.Duration(share*float64(held+relief)), w.m.Elapsed)
	about := min(max(w.about(c), 0), most)
	least := about
	if w.apart != nil {
		least = min(least, time.Duration(w.base-w.m.Simulate(w.apart, c)))
	}
	return Gain{Least: max(least-w.slack(), 0), About: about, Most: most}
}

// Holder is a process that holds the path, with what it would bring if it took no
// time.
type Holder struct {
	Process int
	Held    time.Duration
	Gain    Gain
}

// Holders returns the n processes that hold the path the longest.
func (w *WhatIf) Holders(n int) []Holder {
	var all []Holder
	for i, held := range w.path.Held {
		if held > 0 {
			all = append(all, Holder{Process: i, Held: time.Duration(held)})
		}
	}
	sortBy(all, func(a, b *Holder) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), cmp.Compare(a.Process, b.Process))
	})
	all = all[:min(n, len(all))]
	for at := range all {
		all[at].Gain = w.Process(all[at].Process, 1)
	}
	return all
}
