package scenario

import (
	"time"

	"golang.org/x/sys/unix"
)

// Process is the truth about one process: what a scenario knows of it without
// procspan.
type Process struct {
	// Label tells the processes of a scenario apart.
	Label string
	// PID and ParentPID are of the initial pid namespace; ParentPID is the
	// parent when the process last became another program.
	PID, ParentPID int
	// Origin is the pid of the process whose span is the parent.
	Origin int
	// NoSpan says that the process never executed a program, or ended before
	// the agent began.
	NoSpan bool
	// Older says that its first exec was before the agent began.
	Older bool
	// Status is the wait status.
	Status unix.WaitStatus
	// Executable, Directory and Args are what /proc showed.
	Executable, Directory string
	Args                  [][]byte
	// Shown is what else /proc showed; nil where nobody looked.
	Shown *Shown
	// Used is what wait4 told its parent: its own, and that of the children it
	// waited for. It is nil where that one did not ask.
	Used *unix.Rusage
	// Before is the part of Used that precedes its first exec; nil where it is unknown.
	Before *unix.Rusage
	// Created, Started and Ended are when it was forked, when it first executed
	// a program, and when its last thread ended.
	Created, Started, Ended Moment
	// First is the path of the first exec, Reexecs are those after it.
	First   string
	Reexecs []Exec
}

// Shown is what /proc/PID held while a process stood still.
type Shown struct {
	Comm, Stat, Status, Cgroup, IO string // files
	// Namespaces has the inode numbers of ns by their names, without those that are
	// the host's.
	Namespaces map[string]int64
	// OtherRoot says that root was not that of the scenario.
	OtherRoot bool
}

// Exec is one exec of a process.
type Exec struct {
	Path string
	Moment
}

// Moment bounds the time of something, in Unix ns: a clock read before and one
// read after. A bound that is not known is 0.
type Moment struct{ NotBefore, NotAfter int64 }

// Contains reports whether ns lies within the bounds, give or take tolerance.
func (m Moment) Contains(ns int64, tolerance time.Duration) bool {
	return (m.NotBefore == 0 || ns >= m.NotBefore-int64(tolerance)) &&
		(m.NotAfter == 0 || ns <= m.NotAfter+int64(tolerance))
}

// now reads the wall clock without Go's monotonic clock in between.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		panic(failure{err}) // the kernel always has this clock
	}
	return ts.Nano()
}
