package timeline

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// runners are programs that run jobs, with the option for how many at once.
var runners = map[string]string{
	"make": "j", "gmake": "j", "bmake": "j", "ninja": "j", "samu": "j", "cargo": "j", "bazel": "j", "meson": "j",
	"xargs": "P", "parallel": "j", "ctest": "j", "prove": "j", "scons": "j", "waf": "j",
}

// runsJobs reports whether a process is a program that starts a job whenever one
// of its slots is free.
func (m *Model) runsJobs(i int) bool { return runners[m.Name(i)] != "" }

// declaredSlots reads the number from the arguments of such a program; 0 where
// there is none.
func (m *Model) declaredSlots(i int) int {
	option, known := runners[m.Name(i)]
	if !known {
		return 0
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1<<16 {
			return 0
		}
		return n
	}
	wantsValue := false
	for arg := range m.Args(i) {
		if wantsValue {
			wantsValue = false
			if n := number(arg); n > 0 {
				return n
			}
		}
		switch rest, short := strings.CutPrefix(arg, "-"+option); {
		case short && rest == "":
			wantsValue = true
		case short:
			if n := number(rest); n > 0 {
				return n
			}
		case strings.HasPrefix(arg, "--jobs=") || strings.HasPrefix(arg, "--max-procs="):
			if n := number(arg[strings.IndexByte(arg, '=')+1:]); n > 0 {
				return n
			}
		case arg == "--jobs" || arg == "--max-procs":
			wantsValue = true
		}
	}
	return 0
}

// makes are the runners that share their slots with those below them.
var makes = map[string]bool{"make": true, "gmake": true}

// slotGap is how long after one another a slot is freed and taken, or two are
// freed, to count as one moment: about what make takes to start a job.
const slotGap = 5_000_000 // ns

// pools are the slots of a job's runners. Runners share a pool where one make
// hands its jobserver to another. All slices have an element per process.
type pools struct {
	// of is the process that the slots of a runner are from: itself, or a make
	// above it. None for a process that is no runner.
	of []int32
	// slots is how many jobs a pool runs at once, by its first runner.
	slots []int32
	// freedBy is the process whose end freed the slot that a process took, where
	// all were taken before; None where it did not wait for one.
	freedBy []int32
}

// pools finds the runners of a job, and which jobs waited for a slot.
func (m *Model) pools() *pools {
	n := m.Len()
	p := &pools{of: make([]int32, n), slots: make([]int32, n), freedBy: make([]int32, n)}
	above := make([]int32, n)  // the nearest runner that waits, from the process itself upwards
	carries := make([]bool, n) // between a make and one below it that shares its slots
	for i := range n {
		p.of[i], p.freedBy[i], above[i] = None, None, None
		a := int32(None)
		if up := m.Parent[i]; up != None && m.Join(i) != Background {
			a = above[up]
		}
		if above[i] = a; !m.runsJobs(i) {
			continue
		}
		above[i], p.of[i] = int32(i), int32(i)
		p.slots[i] = int32(m.declaredSlots(i))
		if a != None && p.slots[i] == 0 && makes[m.Name(i)] && makes[m.Name(int(a))] {
			p.of[i] = p.of[a]
			for at := int32(i); at != a && !carries[at]; at = m.Parent[at] {
				carries[at] = true
			}
		}
	}
	events := m.poolEvents(p, carries)
	for len(events) > 0 {
		end := 1
		for end < len(events) && events[end].pool == events[0].pool {
			end++
		}
		sweep := poolSweep{
			m: m, pools: p, carries: carries, events: events[:end],
			used: make([]int32, end), running: map[int32]int{}, ended: map[int32]int{}, released: None,
		}
		sweep.run()
		events = events[end:]
	}
	for i, pool := range p.of {
		if pool == int32(i) && p.slots[i] == 0 { // nothing waited for its jobs
			p.slots[i] = math.MaxInt16
		}
	}
	return p
}

// poolEvent is the start or the end of a runner, or of a child of one.
type poolEvent struct {
	pool, process int32
	at            int64
	ends          bool
}

// poolEvents returns the events of all pools, one pool after the other.
func (m *Model) poolEvents(p *pools, carries []bool) (all []poolEvent) {
	for i := range m.Len() {
		pool := int32(None)
		if up := m.Parent[i]; up != None && p.of[up] != None && m.Join(i) != Background {
			pool = p.of[up]
		} else if p.of[i] != None && p.of[i] != int32(i) {
			pool = p.of[i]
		}
		if pool != None {
			all = append(all, poolEvent{pool, int32(i), m.Start[i], false}, poolEvent{pool, int32(i), m.End[i], true})
		}
	}
	sortBy(all, func(a, b *poolEvent) int {
		order := cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.at, b.at), cmp.Compare(b2i(b.ends), b2i(a.ends)))
		if a.ends { // children first
			a, b = b, a
		}
		return cmp.Or(order, cmp.Compare(a.process, b.process))
	})
	return all
}

// poolSweep goes through the events of one pool. A slot is in use by each job that
// is no make, and by each make below the first that runs no job at the moment.
type poolSweep struct {
	m       *Model
	pools   *pools
	carries []bool
	events  []poolEvent

	used     []int32       // slots, behind each event
	now      int32         // the last of used
	running  map[int32]int // children of each runner
	ended    map[int32]int // the last event that ended a child of each runner
	released int           // the last event that gave a slot back, or None
	waits    []slotWait
}

// slotWait is a start that may have waited for a slot.
type slotWait struct{ freed, start int } // events

func (s *poolSweep) run() {
	for at, e := range s.events {
		if e.ends {
			s.end(at, e.process)
		} else {
			s.start(at, e.process)
		}
		s.used[at] = s.now
	}
	slots := &s.pools.slots[s.events[0].pool]
	if *slots == 0 {
		*slots = max(slices.Max(s.used), 1)
	}
	if *slots == 1 {
		return // who waited for what is then anybody's guess: see inTurn
	}
	for _, w := range s.waits {
		// One that leaves a slot free waited for something else, such as a link for
		// its objects.
		freed, i := s.events[w.freed].process, s.events[w.start].process
		if s.fullBefore(w.freed, *slots) && (s.fullAfter(w.start, *slots) || s.m.alike(freed, i)) {
			s.pools.freedBy[i] = freed
		}
	}
}

// shares reports whether a process is a make that has its slots from another: it
// runs one child in the slot that it is in itself.
func (s *poolSweep) shares(i int32) bool {
	pool := s.pools.of[i]
	return pool != None && pool != i
}

func (s *poolSweep) start(at int, i int32) {
	up := s.m.Parent[i]
	if s.pools.of[up] == s.events[0].pool {
		own := s.shares(up) && s.running[up] == 0
		freed := s.released
		if own {
			// It may have waited for its own slot, or for what the child before made.
			freed = None
			if last, ok := s.ended[up]; ok && s.m.alike(s.events[last].process, i) {
				freed = last
			}
			s.now--
		}
		if freed != None && s.events[freed].at > s.m.Start[up] {
			s.waits = append(s.waits, slotWait{freed, at})
		}
		s.running[up]++
		if !s.carries[i] {
			s.now++
		}
	}
	if s.shares(i) {
		s.now++
	}
}

func (s *poolSweep) end(at int, i int32) {
	if s.shares(i) {
		if s.running[i] == 0 {
			s.now--
		}
		s.released = at
	}
	if up := s.m.Parent[i]; s.pools.of[up] == s.events[0].pool {
		s.ended[up] = at
		s.running[up]--
		if !s.carries[i] {
			s.now--
			s.released = at
		}
		if s.shares(up) && s.running[up] == 0 {
			s.now++
		}
	}
}

// fullBefore reports whether all slots were taken just before an event.
func (s *poolSweep) fullBefore(event int, slots int32) bool {
	for at := event - 1; at >= 0 && s.events[at+1].at >= s.events[event].at-slotGap; at-- {
		if s.used[at] >= slots {
			return true
		}
	}
	return false
}

// fullAfter reports whether all slots are taken after an event, or soon.
func (s *poolSweep) fullAfter(event int, slots int32) bool {
	for at := event; at < len(s.events) && s.events[at].at <= s.events[event].at+slotGap; at++ {
		if s.used[at] >= slots {
			return true
		}
	}
	return false
}

// alike reports whether two jobs do the same kind of work: run the same program,
// where a shell only starts it.
func (m *Model) alike(a, b int32) bool { return m.work(a) == m.work(b) }

func (m *Model) work(i int32) Text {
	for m.startedByShell(int(i)) && len(m.Children(int(i))) > 0 {
		i = m.Children(int(i))[0]
	}
	return m.Program[i]
}
