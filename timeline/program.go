package timeline

import "math"

// What a process does, for the simulation: pieces of work of its own, starts of
// children, and waits. The time in which a process waits for a child is no piece:
// it lasts as long as the child does.

// opKind is the kind of a step.
type opKind uint8

const (
	opWork  opKind = iota // work for a time, on a CPU for a share of it
	opStart               // start a child, as soon as a slot is free where the parent has slots
	opWait                // wait for the end of a child
)

// op is one step of a process.
type op struct {
	kind  opKind
	child int32 // opStart, opWait
	// work is how long the step took, less the time it waited for a CPU; demand is
	// the share of it on a CPU.
	work   float64
	demand float64
}

// script is what every process of a job does.
type script struct {
	ops   []op
	at    []int32 // where the steps of each process begin; one more at the end
	pools *pools
	// feeds has, for a member of a pipeline, the member that it waited for.
	feeds map[int32]int32
	cpu   []int64   // subtreeCPU
	used  []float64 // CPUs in use, summed up over slices of the job
}

// compile returns the script of a job, with its pipelines or as if it had none.
func (m *Model) compile(pipelines bool) *script {
	s := &script{at: make([]int32, m.Len()+1), pools: m.pools(), feeds: map[int32]int32{}, cpu: m.subtreeCPU()}
	if m.Job.CPUs > 0 {
		s.used = append(s.used, 0)
		for at, cpus := range m.Load(loadSlices).CPUs {
			s.used = append(s.used, s.used[at]+cpus)
		}
	}
	for i := range m.Len() {
		s.at[i] = int32(len(s.ops))
		m.steps(s, i, pipelines)
	}
	s.at[m.Len()] = int32(len(s.ops))
	return s
}

func (s *script) of(i int32) []op { return s.ops[s.at[i]:s.at[i+1]] }

// steps appends what process i does.
func (m *Model) steps(s *script, i int, pipelines bool) {
	children := m.Children(i)
	first := len(s.ops)
	if h, fed := s.feeds[int32(i)]; fed {
		// It works while the other does, and then for what is left of its life.
		s.ops = append(s.ops,
			op{kind: opWork, work: float64(m.CPU(i)), demand: 1},
			op{kind: opWait, child: h},
			op{kind: opWork, work: float64(max(m.End[i]-m.End[h], 0))})
		return
	}
	if len(children) == 0 {
		s.work(m.End[i] - m.Start[i])
		m.spread(s, i, first)
		return
	}
	joined := m.joined(i)
	for _, p := range m.pipelines(i, joined, s.cpu) {
		for _, k := range p.members {
			if pipelines && p.holder != None && k != p.holder && len(m.Children(int(k))) == 0 {
				s.feeds[k] = p.holder
			}
		}
	}
	now, ended, awaited, begun := m.Start[i], 0, 0, 0
	// waited passes the children before `before` that ended until a moment, and
	// returns the last of them that ended after now.
	waited := func(until int64, before int32) int32 {
		last := int32(None)
		for ended < len(joined) && m.End[joined[ended]] <= until && joined[ended] < before {
			if m.End[joined[ended]] > now {
				last = joined[ended]
			}
			ended++
		}
		return last
	}
	for _, c := range children {
		k, freed := waited(m.Start[c], c), s.pools.freedBy[c]
		switch {
		case freed != None:
			now = max(now, min(m.End[freed], m.Start[c]))
		case k == None:
		case s.inTurn(m, int32(i), k, c):
			now = m.End[k]
		case ended == begun:
			// Nothing else runs: it may wait for any of them.
			for ; awaited < ended; awaited++ {
				s.ops = append(s.ops, op{kind: opWait, child: joined[awaited]})
			}
			now = m.End[k]
		default:
			s.ops = append(s.ops, op{kind: opWait, child: k})
			now = m.End[k]
		}
		s.work(m.Start[c] - now)
		s.ops = append(s.ops, op{kind: opStart, child: c})
		now = m.Start[c]
		if m.Join(int(c)) != Background {
			begun++
		}
	}
	if k := waited(m.End[i], math.MaxInt32); k != None {
		// All of them, since another may be the last when things change.
		for _, c := range joined {
			s.ops = append(s.ops, op{kind: opWait, child: c})
		}
		now = m.End[k]
	}
	s.work(m.End[i] - now)
	m.spread(s, i, first)
}

// inTurn reports whether runner i, which has one slot, only ran c after k because
// of that: they do the same kind of work. What comes after another kind, such as
// a link after compilers, may depend on it.
func (s *script) inTurn(m *Model, i, k, c int32) bool {
	pool := s.pools.of[i]
	return pool != None && s.pools.slots[pool] == 1 && m.alike(k, c)
}

func (s *script) work(ns int64) {
	if ns > 0 {
		s.ops = append(s.ops, op{kind: opWork, work: float64(ns)})
	}
}

// loadSlices is into how many slices of time a job is cut to tell its own load from
// that of others.
const loadSlices = 1000

// ownLoad is the part of the CPUs that the job itself used while a process lived:
// of the time that the process waited for a CPU, the part that it waited for this
// job. The rest it waited for other work on the machine, and would again.
func (s *script) ownLoad(m *Model, i int) float64 {
	if m.Elapsed <= 0 || len(s.used) == 0 {
		return 1
	}
	at := func(t int64) int {
		return min(max(int(float64(t)/float64(m.Elapsed)*loadSlices), 0), loadSlices-1)
	}
	from, to := at(m.Start[i]), at(m.End[i])+1
	return min((s.used[to]-s.used[from])/float64(to-from)/float64(m.Job.CPUs), 1)
}

// spread gives the CPU time of a process, and the time it waited for one, to its
// pieces, by their length.
func (m *Model) spread(s *script, i, first int) {
	total := 0.0
	for _, o := range s.ops[first:] {
		total += o.work
	}
	if total <= 0 {
		return
	}
	delay := float64(m.RunDelay[i]) // less, where it is of several threads
	delay *= total / max(total, delay+float64(m.CPU(i)))
	delay = min(delay*s.ownLoad(m, i), 0.95*total)
	demand := min(float64(m.CPU(i))/(total-delay), float64(max(m.Job.CPUs, 1)))
	for at := first; at < len(s.ops); at++ {
		if o := &s.ops[at]; o.kind == opWork {
			o.work *= (total - delay) / total
			o.demand = demand
		}
	}
}
