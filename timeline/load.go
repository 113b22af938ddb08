package timeline

import (
	"cmp"
	"slices"
)

// Load is what a job did over time, in equal slices of its elapsed time.
type Load struct {
	// Width is how long a slice is, in nanoseconds.
	Width float64
	// Running is the mean number of processes that ran without a running child.
	Running []float64
	// CPUs is the mean number of CPUs in use: the CPU time of each process,
	// spread evenly over its life.
	CPUs []float64
}

// Load returns the load in n slices.
func (m *Model) Load(n int) Load {
	l := Load{Running: make([]float64, n), CPUs: make([]float64, n)}
	if n == 0 || m.Elapsed <= 0 {
		return l
	}
	l.Width = float64(m.Elapsed) / float64(n)
	running, cpus := newSlices(n, l.Width), newSlices(n, l.Width)
	for i := range m.Len() {
		from, to := m.within(i)
		if to <= from {
			continue
		}
		cpus.add(from, to, float64(m.CPU(i))/float64(max(m.Duration(i), 1)))
	}
	for _, s := range m.leafIntervals() {
		running.add(s.from, s.to, float64(s.count))
	}
	l.Running, l.CPUs = running.means(), cpus.means()
	return l
}

// within returns the part of a process's life that lies in the job.
func (m *Model) within(i int) (from, to int64) {
	return max(m.Start[i], 0), min(m.End[i], int64(m.Elapsed))
}

// stretch is a time in which the number of running leaves stays the same.
type stretch struct {
	from, to int64
	count    int
}

// change is a process that starts or ends.
type change struct {
	at      int64
	process int32
	end     bool
}

// leafIntervals returns how many processes without a running child there are,
// over the time of the job.
func (m *Model) leafIntervals() []stretch {
	changes := make([]change, 0, 2*m.Len())
	for i := range m.Len() {
		if from, to := m.within(i); to > from {
			changes = append(changes, change{from, int32(i), false}, change{to, int32(i), true})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b2i(b.end), b2i(a.end)), cmp.Compare(a.process, b.process))
	})
	alive := make([]bool, m.Len())
	below := make([]int32, m.Len()) // running children
	leaves, last := 0, int64(0)
	var all []stretch
	for _, c := range changes {
		if c.at > last {
			if n := len(all); n > 0 && all[n-1].count == leaves {
				all[n-1].to = c.at
			} else {
				all = append(all, stretch{last, c.at, leaves})
			}
			last = c.at
		}
		p := m.Parent[c.process]
		if !c.end {
			alive[c.process] = true
			if below[c.process] == 0 {
				leaves++
			}
			if p != None {
				if below[p]++; below[p] == 1 && alive[p] {
					leaves--
				}
			}
			continue
		}
		alive[c.process] = false
		if below[c.process] == 0 {
			leaves--
		}
		if p != None {
			if below[p]--; below[p] == 0 && alive[p] {
				leaves++
			}
		}
	}
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// slicesOf sums rates over slices of equal width: whole slices by the difference
// of neighbours, so that adding costs no more for a long interval.
type slicesOf struct {
	width       float64
	part, whole []float64
}

func newSlices(n int, width float64) *slicesOf {
	return &slicesOf{width: width, part: make([]float64, n), whole: make([]float64, n+1)}
}

func (s *slicesOf) add(from, to int64, rate float64) {
	n := len(s.part)
	a, b := float64(from)/s.width, float64(to)/s.width
	first, last := min(int(a), n-1), min(int(b), n-1)
	if first == last {
		s.part[first] += rate * (b - a)
		return
	}
	s.part[first] += rate * (float64(first+1) - a)
	s.part[last] += rate * (b - float64(last))
	s.whole[first+1] += rate
	s.whole[last] -= rate
}

func (s *slicesOf) means() []float64 {
	level := 0.0
	for i := range s.part {
		level += s.whole[i]
		s.part[i] += level
	}
	return s.part
}
