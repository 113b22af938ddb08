package timeline

// Change is what a simulation changes about a job.
type Change struct {
	// Scale is by what the work of some processes is multiplied, by index; the
	// others keep theirs.
	Scale map[int32]float64
	// ScaleProgram is the same for all processes of a program.
	ScaleProgram map[Text]float64
	// Slots, when not 0, is how many jobs the job's runners (make, ninja, xargs
	// …) run at once.
	Slots int
	// CPUs, when not 0, is how many CPUs there are.
	CPUs int
}

// idleDemand is the share of a CPU below which a piece of work does not compete
// for CPUs.
const idleDemand = 0.02

// simulation runs a script. All slices have an element per process.
type simulation struct {
	m      *Model
	script *script
	change Change
	cpus   float64

	now     float64
	next    []int32 // step
	ended   []bool
	running []int32           // joined children that have not ended
	waiting map[int32][]int32 // by the process that they wait for
	queued  []bool            // it waits for a slot
	queues  map[int32][]int32 // by pool: runners that wait for a slot; some no longer do
	used    map[int32]int32   // by pool: slots
	begun   []bool

	asleep least[wake] // pieces that need no CPU, by their end
	busy   []piece     // pieces that share the CPUs
	ready  []int32     // processes to go on
}

type wake struct {
	at      float64
	process int32
}

// piece is work in progress that needs CPUs.
type piece struct {
	process int32
	left    float64
	demand  float64
}

// Simulate returns how long the job takes with a change. With no change it
// returns what the model says of the job as it was, which differs a little from
// the elapsed time: compare two simulations.
func (m *Model) Simulate(s *script, c Change) float64 {
	root := m.pathRoot()
	if root == None {
		return 0
	}
	sim := &simulation{
		m: m, script: s, change: c, cpus: float64(max(m.Job.CPUs, 1)),
		next: make([]int32, m.Len()), ended: make([]bool, m.Len()), running: make([]int32, m.Len()),
		waiting: map[int32][]int32{}, queues: map[int32][]int32{}, used: map[int32]int32{}, queued: make([]bool, m.Len()), begun: make([]bool, m.Len()),
		asleep: least[wake]{before: func(a, b wake) bool {
			return a.at < b.at || a.at == b.at && a.process < b.process
		}},
	}
	if c.CPUs > 0 {
		sim.cpus = float64(c.CPUs)
	}
	sim.begin(root)
	for !sim.ended[root] {
		sim.settle()
		if sim.ended[root] || !sim.advance() {
			break
		}
	}
	return sim.now
}

func (s *simulation) begin(i int32) {
	s.begun[i] = true
	s.ready = append(s.ready, i)
}

// settle lets every process that can go on do so, until each works or waits.
func (s *simulation) settle() {
	for len(s.ready) > 0 {
		last := len(s.ready) - 1
		i := s.ready[last]
		s.ready = s.ready[:last]
		s.step(i)
	}
}

// step runs process i up to its next piece of work or wait, or to its end.
func (s *simulation) step(i int32) {
	ops := s.script.of(i)
	for int(s.next[i]) < len(ops) {
		o := ops[s.next[i]]
		switch o.kind {
		case opWork:
			s.next[i]++
			if work := o.work * s.scale(i); work > 0 {
				s.work(i, work, o.demand)
				return
			}
		case opStart:
			if s.m.Join(int(o.child)) != Background { // those take no slot
				if !s.take(i) {
					return
				}
				s.running[i]++
			}
			s.next[i]++
			s.begin(o.child)
		case opWait:
			if s.begun[o.child] && !s.ended[o.child] {
				s.waiting[o.child] = append(s.waiting[o.child], i)
				return
			}
			s.next[i]++
		}
	}
	s.end(i)
}

// take takes a slot for the next child of i, where i needs one, or queues i. A
// make that shares the slots of another runs one child in the slot that it is
// in itself.
func (s *simulation) take(i int32) bool {
	pool := s.script.pools.of[i]
	if pool == None || i != pool && s.running[i] == 0 {
		return true
	}
	slots := s.script.pools.slots[pool]
	if s.change.Slots > 0 {
		slots = int32(s.change.Slots)
	}
	if s.used[pool] < slots {
		s.used[pool]++
		return true
	}
	s.queued[i] = true
	s.queues[pool] = append(s.queues[pool], i)
	return false
}

// give gives back the slot of a child of i that has ended.
func (s *simulation) give(i int32) {
	pool := s.script.pools.of[i]
	if pool == None {
		return
	}
	if i != pool && s.running[i] == 0 {
		if s.queued[i] { // it has its own slot
			s.queued[i] = false
			s.ready = append(s.ready, i)
		}
		return
	}
	s.used[pool]--
	for len(s.queues[pool]) > 0 {
		first := s.queues[pool][0]
		s.queues[pool] = s.queues[pool][1:]
		if s.queued[first] {
			s.queued[first] = false
			s.ready = append(s.ready, first)
			return
		}
	}
}

func (s *simulation) scale(i int32) float64 {
	if f, ok := s.change.Scale[i]; ok {
		return f
	}
	if f, ok := s.change.ScaleProgram[s.m.Program[i]]; ok {
		return f
	}
	return 1
}

func (s *simulation) work(i int32, work, demand float64) {
	if demand < idleDemand {
		s.asleep.push(wake{s.now + work, i})
		return
	}
	s.busy = append(s.busy, piece{i, work, demand})
}

// end ends process i, and wakes what waits for it or for its slot.
func (s *simulation) end(i int32) {
	s.ended[i] = true
	s.ready = append(s.ready, s.waiting[i]...)
	delete(s.waiting, i)
	if p := s.m.Parent[i]; p != None && s.m.Join(int(i)) != Background {
		s.running[p]--
		s.give(p)
	}
}

// advance goes to the next end of a piece, and reports whether there is one. The
// CPUs are shared evenly: where more is wanted than there is, each piece gets the
// same part of what it wants, and its time off the CPU passes as before.
func (s *simulation) advance() bool {
	wanted := 0.0
	for _, p := range s.busy {
		wanted += p.demand
	}
	slow := max(wanted/s.cpus, 1) // by which the time on a CPU is stretched
	step, found := 0.0, false
	if s.asleep.len() > 0 {
		step, found = s.asleep.all[0].at-s.now, true
	}
	for _, p := range s.busy {
		if left := p.left * p.stretch(slow); !found || left < step {
			step, found = left, true
		}
	}
	if !found {
		return false
	}
	s.now += step
	for s.asleep.len() > 0 && s.asleep.all[0].at <= s.now {
		s.ready = append(s.ready, s.asleep.pop().process)
	}
	const done = 0.5 // ns
	kept := s.busy[:0]
	for _, p := range s.busy {
		if p.left -= step / p.stretch(slow); p.left < done {
			s.ready = append(s.ready, p.process)
			continue
		}
		kept = append(kept, p)
	}
	s.busy = kept
	return true
}

// stretch is by how much a piece takes longer when its time on a CPU does.
func (p piece) stretch(slow float64) float64 {
	on := min(p.demand, 1)
	return 1 - on + on*slow
}
