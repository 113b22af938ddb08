package timeline

import (
	"cmp"
	"slices"
)

// Join says whether a parent went on when a child ended.
type Join uint8

// The answers.
const (
	// Background: nothing waited for the child, or it outlived its parent.
	Background Join = iota
	// Inferred: the parent had no work of its own while the child ran.
	Inferred
	// Proved: the parent was blocked in a wait call when the child ended.
	Proved
)

func (j Join) String() string { return [...]string{"background", "inferred", "proved"}[j] }

// idleShare is how much of a child's life its parent may have spent on a CPU, all
// in all, to count as one that waited for it.
const idleShare = 0.5

// Join reports whether the parent of a process waited for its end.
func (m *Model) Join(i int) Join {
	p := m.Parent[i]
	switch {
	case p == None, m.End[i] > m.End[p]:
		return Background
	case m.Has(i, ParentWaited):
		return Proved
	case m.Has(i, NewSession):
		return Background
	case float64(m.CPU(int(p))) > idleShare*float64(m.Duration(i)):
		return Background
	}
	return Inferred
}

// joins are the joined children of one process, by their ends.
func (m *Model) joined(i int) []int32 {
	var all []int32
	for _, c := range m.Children(i) {
		if m.Join(int(c)) != Background {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b int32) int {
		return cmp.Or(cmp.Compare(m.End[a], m.End[b]), cmp.Compare(a, b))
	})
	return all
}
