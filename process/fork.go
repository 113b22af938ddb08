package process

import (
	"cmp"
	"slices"
)

// forkSpan begins the span of a process at its fork, if all processes get one.
func (t *Table) forkSpan(e *entry) {
	if t.policy.Forks == ForksAll && !ofKernel(e.parentPID) {
		// Of its environment only the ancestor's is known.
		e.span = t.newSpan(e, e.groups, &Image{Executable: e.now, EnvironmentCut: true})
		e.span.forked = true
	}
}

// ofKernel reports whether processes with this parent are kernel threads: kthreadd,
// which has pid 2, forks them.
func ofKernel(parentPID uint32) bool { return parentPID == 0 || parentPID == 2 }

// forkEnds reports whether a process that never executed a program gets a span at its
// end.
func (t *Table) forkEnds(e *entry, ev *Event) bool {
	if t.policy.Forks != ForksAbnormal || ofKernel(e.parentPID) {
		return false
	}
	status := ev.Status
	if status.ExitCode() == 0 && !ev.OOM.Killed || status.Signal() == 0 && isShell(cmp.Or(e.now, ev.Comm)) {
		return false
	}
	l := Lifetime{ID: ev.ID, Forked: true, Comm: ev.Comm, Image: Image{Executable: e.now}, Status: status}
	return t.policy.Expected == nil || ev.OOM.Killed || !t.policy.Expected(&l)
}

// shells are the executables whose forks are subshells.
var shells = []string{"sh", "ash", "bash", "busybox", "dash", "fish", "ksh", "ksh93", "mksh", "rbash", "zsh"}

func isShell(executable string) bool { return slices.Contains(shells, base(executable)) }
