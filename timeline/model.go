package timeline

import (
	"iter"
	"time"

	"github.com/procspan/procspan/process"
)

// None is the index of no process.
const None = -1

// Text is the index of a string in Model.Texts; 0 is "".
type Text uint32

// Flags are facts about one process.
type Flags uint16

// The facts.
const (
	Failed         Flags = 1 << iota // it ended with an exit code other than 0 that is not expected
	Expected                         // its exit code is not 0, and is no failure
	StartEstimated                   // its first exec was not seen: it starts at its fork
	EndEstimated                     // its exit was not seen: the end is when it was found to be gone
	ArgsCut                          // its arguments are not whole
	OOMKilled                        // the kernel killed it for want of memory
	ParentWaited                     // at its exit, its parent was blocked in a wait call
	ParentWorked                     // at its exit, its parent was not blocked in a wait call
	NewSession                       // its session is not that of its parent
	DelayKnown                       // RunDelay is known
)

// Model is one job. Processes are ordered by start, a parent before its
// children; every column has one element per process.
type Model struct {
	// Job describes the whole.
	Job Job
	// Elapsed is from the start of the job to its end: the root process's first
	// exec and exit, or those of all processes where there is no root.
	Elapsed time.Duration
	// Root is the process that the job is, or None.
	Root int

	PID    []uint32
	Parent []int32 // index of the nearest ancestor in the model, or None
	// Forked, Start and End are in nanoseconds since the start of the job; Forked
	// may lie before it, End behind the job's end.
	Forked, Start, End []int64
	// Program is the name; Executable, Directory and Container may be "".
	Program, Executable, Directory, Container []Text
	Status                                    []process.Status
	Flags                                     []Flags
	// User and System are CPU time, RunDelay is the time spent runnable without a
	// CPU, all in nanoseconds; PeakRSS is in bytes.
	User, System, RunDelay []int64
	PeakRSS                []uint64
	// Lane is the row of the process in a packed drawing of its whole job.
	Lane []int32

	// Killers, Reexecs and Filtered hold what few processes have, by index.
	Killers  map[int32]Killer
	Reexecs  map[int32][]Reexec
	Filtered map[int32]int

	Texts []string

	argAt    []uint32 // where the arguments of each process begin in args; one more at the end
	args     []Text
	childAt  []uint32 // where the children of each process begin in children; one more at the end
	children []int32
}

// Job describes a job beside its processes.
type Job struct {
	// Root is the process that the job is, such as CMD of procspan exec; zero
	// where there is no such process.
	Root process.ID `json:"-"`
	// CPUs is how many CPUs the machine has; 0 if unknown.
	CPUs int `json:"cpus"`
	// Begin is the wall-clock time of the start of the job.
	Begin time.Time `json:"begin"`
	// Missing is how many processes of the job are known to be missing, by reason.
	Missing map[string]uint64 `json:"missing,omitempty"`
	// Version is that of the procspan that recorded it; Host is the host's name.
	Version string `json:"version"`
	Host    string `json:"host"`
	// ArgsPolicy is "redacted", "full" or "off".
	ArgsPolicy string `json:"args"`

	// Boot is the boot id of the machine, from which the ids of spans follow.
	Boot string `json:"boot,omitempty"`
	// Origin is the start of the job since boot. Builder.Model sets it, as it sets
	// Trace and RemoteParent: the trace of the root process, and the span outside of
	// the machine that it hangs on.
	Origin       process.Time    `json:"origin_ns"`
	Trace        process.TraceID `json:"trace,omitzero"`
	RemoteParent process.SpanID  `json:"remote_parent,omitzero"`
}

// Killer is the sender of the signal that ended a process.
type Killer struct {
	PID  uint32
	Name string
}

// Reexec is an exec after the first.
type Reexec struct {
	At      int64 // nanoseconds since the start of the job
	Program Text  // what it became
}

// ID names a process.
func (m *Model) ID(i int) process.ID {
	return process.ID{PID: m.PID[i], Start: m.Job.Origin.Add(time.Duration(m.Forked[i]))}
}

// Len returns the number of processes.
func (m *Model) Len() int { return len(m.PID) }

// Text returns a string of the model.
func (m *Model) Text(t Text) string { return m.Texts[t] }

// Name returns the name of the program that a process ran last.
func (m *Model) Name(i int) string { return m.Texts[m.Program[i]] }

// Args yields the arguments of a process, argv[0] first.
func (m *Model) Args(i int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, t := range m.argsOf(i) {
			if !yield(m.Texts[t]) {
				return
			}
		}
	}
}

// ArgTexts returns the arguments of a process as texts, for reading only.
func (m *Model) ArgTexts(i int) []Text { return m.argsOf(i) }

func (m *Model) argsOf(i int) []Text { return m.args[m.argAt[i]:m.argAt[i+1]] }

// Children returns the children of a process by start, for reading only.
func (m *Model) Children(i int) []int32 { return m.children[m.childAt[i]:m.childAt[i+1]] }

// Duration returns how long a process lived, from its first exec.
func (m *Model) Duration(i int) time.Duration { return time.Duration(m.End[i] - m.Start[i]) }

// CPU returns the CPU time of a process, without its children.
func (m *Model) CPU(i int) time.Duration { return time.Duration(m.User[i] + m.System[i]) }

// Has reports whether a process has all of these flags.
func (m *Model) Has(i int, f Flags) bool { return m.Flags[i]&f == f }

// ExitCode returns the exit code as a shell shows it.
func (m *Model) ExitCode(i int) int { return m.Status[i].ExitCode() }

// LeftBehind reports whether a process outlived the job.
func (m *Model) LeftBehind(i int) bool {
	return m.Root != None && i != m.Root && m.End[i] > int64(m.Elapsed)
}

// TotalCPU returns the CPU time of all processes.
func (m *Model) TotalCPU() (sum time.Duration) {
	for i := range m.Len() {
		sum += m.CPU(i)
	}
	return sum
}

// Count returns how many processes have all of these flags.
func (m *Model) Count(f Flags) (n int) {
	for _, have := range m.Flags {
		if have&f == f {
			n++
		}
	}
	return n
}
