package timeline

import (
	"cmp"
	"slices"
)

// A pipeline is several children of a shell that run at the same time, of which
// each waits for what the one before writes. Their joins alone would blame the
// last, also where it only waited: `slow | cat`.

const (
	// pipeStart is how long after one another the members of a pipeline are forked
	// at most, in nanoseconds. On a busy machine, their execs are further apart.
	pipeStart = 20_000_000
	// A member for which the last one waited ends at most pipeEnd (ns) before it,
	// and at most a pipeEndMost of its life; or a pipeEndShare of that, where it is
	// longer.
	pipeEnd      = 15_000_000
	pipeEndMost  = 0.1
	pipeEndShare = 0.02
	// pipeIdle is the share of a pipeline's time below which its CPU time says
	// nothing, and the first member counts as the one that the others waited for.
	pipeIdle = 0.05
	// pipeMost is the share of a pipeline's CPU time from which on one member
	// holds it alone.
	pipeMost = 0.8
)

var shells = map[string]bool{
	"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "mksh": true, "ash": true, "busybox": true, "fish": true, "yash": true,
}

// startedByShell reports whether a process is a shell or a shell's script.
func (m *Model) startedByShell(i int) bool {
	if shells[m.Name(i)] {
		return true
	}
	path := m.Texts[m.Executable[i]]
	for at := len(path) - 1; at >= 0; at-- {
		if path[at] == '/' {
			return shells[path[at+1:]]
		}
	}
	return false
}

// pipe is a pipeline: members in the order of their forks.
type pipe struct {
	members []int32
	last    int32 // the member that ended last
	// holder is the member that the others waited for, or None where several
	// worked.
	holder int32
}

// pipelines returns the pipelines among the joined children of a process, which
// are ordered by their ends, by each one's last member. cpu is subtreeCPU.
func (m *Model) pipelines(i int, joined []int32, cpu []int64) map[int32]pipe {
	if len(joined) < 2 || !m.startedByShell(i) {
		return nil
	}
	all := make(map[int32]pipe)
	taken := make(map[int32]bool)
	for at := len(joined) - 1; at > 0; at-- {
		k := joined[at]
		if taken[k] {
			continue
		}
		life := float64(m.Duration(int(k)))
		late := m.End[k] - int64(max(min(pipeEnd, pipeEndMost*life), pipeEndShare*life))
		members := []int32{k}
		for _, j := range backwards(joined[:at]) {
			if m.End[j] < late {
				break
			}
			if !taken[j] && m.Start[j] < m.End[k] && m.Start[k] < m.End[j] && near(m.Forked[j], m.Forked[k]) {
				members = append(members, j)
				taken[j] = true
			}
		}
		if len(members) > 1 {
			// A shell forks them in their order; they may execute in another.
			slices.SortFunc(members, func(a, b int32) int {
				return cmp.Or(cmp.Compare(m.Forked[a], m.Forked[b]), cmp.Compare(a, b))
			})
			all[k] = pipe{members, k, m.holder(members, cpu)}
		}
	}
	return all
}

var backwards = slices.Backward[[]int32]

// near reports whether two members of one pipeline may have been forked at these
// times.
func near(a, b int64) bool { return max(a, b)-min(a, b) <= pipeStart }

// holder returns the member that the others waited for, or None where several
// worked.
func (m *Model) holder(members []int32, cpu []int64) int32 {
	total, busiest, longest := int64(0), members[0], int64(1)
	for _, i := range members {
		total += cpu[i]
		if cpu[i] > cpu[busiest] {
			busiest = i
		}
		longest = max(longest, m.End[i]-m.Start[i])
	}
	switch {
	case float64(total) < pipeIdle*float64(longest):
		return members[0]
	case float64(cpu[busiest]) >= pipeMost*float64(total), len(m.Children(int(busiest))) > 0:
		return busiest
	}
	return None
}

// share gives the time of a pipeline whose members all worked to them, by their
// CPU time, the first member first.
func (w *walk) share(p pipe) {
	begin, total := int64(0), int64(0)
	for _, i := range p.members {
		begin = max(begin, w.m.Start[i])
		total += w.cpu[i]
	}
	length := float64(w.at - begin)
	for at := len(p.members) - 1; at > 0; at-- {
		part := int64(length * float64(w.cpu[p.members[at]]) / float64(total))
		w.emit(p.members[at], max(begin, w.at-part))
		w.next = Piped
	}
	w.emit(p.members[0], begin)
}

// subtreeCPU returns the CPU time of each process with all that it started.
func (m *Model) subtreeCPU() []int64 {
	sums := make([]int64, m.Len())
	for i := m.Len() - 1; i >= 0; i-- { // children come behind their parents
		sums[i] += int64(m.CPU(i))
		if p := m.Parent[i]; p != None {
			sums[p] += sums[i]
		}
	}
	return sums
}
