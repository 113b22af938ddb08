package timeline

// pack gives every process of the job the first lane that is free at its start:
// what `make -j` runs does not nest strictly, so siblings overlap.
func (m *Model) pack() {
	all := make([]int32, m.Len())
	for i := range all {
		all[i] = int32(i)
	}
	copy(m.Lane, m.lanes(all))
}

// Lanes returns, for each of the processes, which must be ordered by start, the
// first lane that is free at its start. No two processes of a lane overlap.
func (m *Model) lanes(processes []int32) []int32 {
	lanes := make([]int32, len(processes))
	type taken struct {
		end  int64
		lane int32
	}
	busy := least[taken]{before: func(a, b taken) bool { return a.end < b.end }}
	free := least[int32]{before: func(a, b int32) bool { return a < b }}
	next := int32(0)
	for at, i := range processes {
		for busy.len() > 0 && busy.all[0].end <= m.Start[i] {
			free.push(busy.pop().lane)
		}
		lane := next
		if free.len() > 0 {
			lane = free.pop()
		} else {
			next++
		}
		lanes[at] = lane
		// One that lived for no time still takes its place.
		busy.push(taken{max(m.End[i], m.Start[i]+1), lane})
	}
	return lanes
}

// ChildLanes returns the lane of each child of a process, among its siblings.
func (m *Model) ChildLanes(i int) []int32 { return m.lanes(m.Children(i)) }
