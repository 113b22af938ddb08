package timeline

import "time"

// Analysis is everything that is worth knowing about a job, made once.
type Analysis struct {
	*Model
	Path     *Path
	Commands []Command
	Findings []Finding
	// Holders are the processes that hold the path the longest.
	Holders []Holder
	// Gains has, for the first of Commands, what a fifth less work would bring.
	Gains []Gain
	// Slots has what other numbers of slots would bring; nil where the job has no
	// runner that starts jobs in slots.
	Slots []SlotGain
	// Floor is the time that no number of slots can beat.
	Floor time.Duration
	// Shares is the split of the time of each process, summed.
	Shares Shares
	// Runner is the process whose slots count, or None.
	Runner int
}

// SlotGain is what another number of slots would bring.
type SlotGain struct {
	Slots int
	Gain  Gain
}

// Shares is where the time of processes went: on a CPU, waiting for one, or
// asleep, such as waiting for children, locks and I/O.
type Shares struct {
	OnCPU, WaitedForCPU, Asleep time.Duration
	// Known says that the time waited for a CPU is.
	Known bool
}

const (
	// topHolders and topCommands bound the what-if questions that are asked.
	topHolders  = 50
	topCommands = 30
	// GainShare is by how much less work Analysis.Gains asks.
	GainShare = 0.2
	// questionBudget bounds the processes that all questions simulate together.
	questionBudget = 20_000_000
)

// Analyse returns the analysis of a model.
func Analyse(m *Model) *Analysis {
	a := &Analysis{Model: m, Path: m.Path(), Runner: None}
	a.Commands = m.Commands(a.Path)
	a.Findings = m.Findings(a.Path)
	w := m.WhatIf(a.Path)
	// Large jobs get fewer answers, so that they come as fast.
	most := questionBudget / max(m.Len(), 1)
	a.Holders = w.Holders(min(topHolders, max(most/2, 3)))
	for _, c := range a.Commands[:min(topCommands, max(most/4, 3), len(a.Commands))] {
		a.Gains = append(a.Gains, w.Command(c.Program, GainShare))
	}
	a.Floor = w.Floor()
	a.Runner = m.runner()
	if a.Runner != None {
		for n := 1; n <= max(4, 2*m.Job.CPUs) && n <= 64; n *= 2 {
			a.Slots = append(a.Slots, SlotGain{n, w.Slots(n)})
		}
	}
	a.Shares = m.shares()
	return a
}

// runner returns the process that started the most jobs in slots, or None.
func (m *Model) runner() int {
	best, most := None, 1
	for i := range m.Len() {
		if n := len(m.Children(i)); n > most && m.runsJobs(i) {
			best, most = i, n
		}
	}
	return best
}

// Split returns where the time of one process went.
func (m *Model) Split(i int) Shares {
	life := m.Duration(i)
	s := Shares{OnCPU: min(m.CPU(i), life), Known: m.Has(i, DelayKnown)}
	s.WaitedForCPU = min(time.Duration(m.delayShare(i)*float64(life)), life-s.OnCPU)
	s.Asleep = life - s.OnCPU - s.WaitedForCPU
	return s
}

// delayShare is the part of its life that a process waited for a CPU. RunDelay is
// a sum over threads, which may be longer than a life: of several threads, the part
// of what they wanted to be on a CPU counts.
func (m *Model) delayShare(i int) float64 {
	delay := float64(m.RunDelay[i])
	if delay <= 0 {
		return 0
	}
	return delay / max(float64(m.Duration(i)), delay+float64(m.CPU(i)))
}

func (m *Model) shares() Shares {
	all := Shares{Known: m.Len() > 0}
	for i := range m.Len() {
		s := m.Split(i)
		all.OnCPU += s.OnCPU
		all.WaitedForCPU += s.WaitedForCPU
		all.Asleep += s.Asleep
		all.Known = all.Known && s.Known
	}
	return all
}
