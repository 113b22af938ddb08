package process

import "time"

// ID identifies a process for as long as the machine is up. A pid alone does not:
// the kernel reuses pids.
type ID struct {
	// PID is the thread group id in the initial pid namespace
	// (task_struct.tgid).
	PID uint32
	// Start is when the kernel created the process (task_struct.start_boottime of
	// the group leader). An exec from any thread keeps it.
	Start Time
}

// IsZero reports whether id identifies no process.
func (id ID) IsZero() bool { return id == ID{} }

// Kind is the kind of an Event.
type Kind uint8

// The kinds of events. All but CgroupPath are named after the kernel tracepoint
// that they come from.
const (
	Fork       Kind = iota + 1 // sched_process_fork: a process was created
	Exec                       // sched_process_exec: a process executed a program
	Exit                       // sched_process_exit: the last thread of a process ended
	CgroupPath                 // the path of a cgroup, before the first event of a process in it
)

func (k Kind) String() string {
	switch k {
	case Fork:
		return "fork"
	case Exec:
		return "exec"
	case Exit:
		return "exit"
	case CgroupPath:
		return "cgroup_path"
	}
	return "unknown"
}

// Event is what the kernel reported about one process, or the path of a cgroup.
type Event struct {
	Kind Kind
	// At is when it happened.
	At Time
	ID ID
	// Parent is, for a Fork, the process that called fork, clone or vfork. For an
	// Exec and an Exit it is the parent at that moment (task_struct.real_parent),
	// which differs after reparenting.
	Parent ID
	// Comm is the kernel's name of the task, at most 15 bytes.
	Comm string
	// Execed is set for an Exit if the process executed a program after its fork
	// (PF_FORKNOEXEC is clear on the group leader).
	Execed bool
	// ExecID is the kernel's count of execs (task_struct.self_exec_id). A fork
	// copies the parent's, each exec adds one. A gap means that an exec was lost.
	ExecID uint64
	// FirstExec is set for an Exec if it is known to be the first of its process.
	// It is not set for the first exec of a child that was cloned with
	// CLONE_PARENT.
	FirstExec bool
	// Marked is set for an Exec if the BPF programs do not report what the process forks
	// from now on: a rule of theirs drops its tree.
	Marked bool
	// Groups are those of the process at an Exec, and at the Exit of one that executed
	// no program; at a Fork they are those of its parent.
	Groups Groups
	// Image is the program that an Exec executed.
	Image Image
	// Credentials are those after an Exec, or at the Exit of a process that executed
	// no program.
	Credentials Credentials
	// Namespaces are set as Credentials are.
	Namespaces Namespaces
	// VPID is the pid in the innermost pid namespace of the process, set as
	// Credentials are.
	VPID uint32
	// Status is how the process ended, for an Exit.
	Status Status
	// Usage is what the process used since its fork, for an Exec and an Exit.
	Usage Usage
	// Killer is the process whose signal ended this one, for an Exit.
	Killer Killer
	// CgroupID and CgroupPath are set for a CgroupPath event: one of the ids of a
	// Cgroup, and the path from the root of its hierarchy, which is "/".
	CgroupID   uint64
	CgroupPath string
	// OOM is set for an Exit if the kernel's out-of-memory killer ended the process.
	OOM OOM
	// ParentWaiting is, for an Exit, whether the parent was blocked in a wait call.
	ParentWaiting Answer
}

// Answer is the answer to a question that may have none.
type Answer uint8

// The answers.
const (
	Unknown Answer = iota
	No
	Yes
)

// Groups are the groups that a process belongs to. All ids are those of the initial
// pid namespace.
type Groups struct {
	// Session is the session id: the pid of the process that called setsid, which
	// may have ended (task_session).
	Session uint32
	// Group is the process group id: the pid of the process that the group was
	// created for, which may have ended (task_pgrp).
	Group uint32
	// Terminal is the device number of the session's controlling terminal, as in
	// field 7 of /proc/PID/stat, or 0 (signal_struct.tty).
	Terminal uint32
	Cgroup   Cgroup
}

// Cgroup identifies a control group by the ids of its directories, which the kernel
// does not reuse (kernfs_node.id).
type Cgroup struct {
	// V2 is the id in the unified hierarchy, 0 where the kernel has none.
	V2 uint64
	// V1 is the id in the hierarchy of the first of the pids, memory and cpu
	// controllers that the kernel has. It is V2 where that controller is not in a
	// hierarchy of version 1.
	V1 uint64
}

// Credentials are the users and groups that a process acts as (struct cred), in the
// numbers of the initial user namespace.
type Credentials struct {
	RealUser, EffectiveUser, SavedUser    uint32
	RealGroup, EffectiveGroup, SavedGroup uint32
	// OtherRoot is set if the root directory of the process is not procspan's, so
	// that users may have other names there (fs_struct.root).
	OtherRoot bool
}

// Namespaces are the inode numbers of a process's namespaces, as in /proc/PID/ns
// (ns_common.inum). A number is 0 if the namespace is the host's initial one, or is
// not known, as in a process that was ending.
type Namespaces struct {
	Cgroup, IPC, Mount, Network, PID, Time, User, UTS uint32
}

// Usage is what all threads of a process used, without its children: RUSAGE_SELF of
// getrusage. In a Lifetime it begins with the first exec; see Since.
type Usage struct {
	// UserTime and SystemTime are CPU time.
	UserTime, SystemTime time.Duration
	// PeakRSS is the largest resident set in bytes, as wait4 returns it
	// (signal_struct.maxrss), or 0 if unknown. It includes images before the last exec.
	PeakRSS uint64
	// ImagePeakRSS is that of the last image alone, or 0 if unknown: kernels before
	// 6.16 do not have it at the exit (mm_struct.hiwater_rss).
	ImagePeakRSS uint64
	// MinorFaults needed no I/O, MajorFaults did.
	MinorFaults, MajorFaults uint64
	// Voluntary and Involuntary are context switches.
	Voluntary, Involuntary uint64
	// ReadBytes and WriteBytes were transferred from and to block devices
	// (task_io_accounting.read_bytes, write_bytes). ReadChars and WriteChars passed
	// through read and write calls of any kind (rchar, wchar).
	ReadBytes, WriteBytes, ReadChars, WriteChars uint64
	// RunDelay is how long threads were ready to run and waited for a CPU
	// (task_struct.sched_info.run_delay), if RunDelayKnown.
	RunDelay      time.Duration
	RunDelayKnown bool
}

// Killer is a process that sent a fatal signal.
type Killer struct {
	ID ID
	// ExecID is, in an Event, the kernel's count of its execs at that moment.
	ExecID uint64
	// Comm is the kernel's name of the task.
	Comm string
	// Executable is, in a Lifetime, the file that it ran at that moment, "" if
	// unknown.
	Executable string
}

// OOM is an end by the kernel's out-of-memory killer.
type OOM struct {
	Killed bool
	// Limit is the limit in bytes of the memory cgroup that ran out, 0 if the
	// machine ran out of memory or the kernel does not report it.
	Limit uint64
}

// Living is a process that was found running, rather than reported by events.
type Living struct {
	ID     ID
	Parent ID
	// Execed is set if the process has executed a program since its fork.
	Execed bool
	// ExecID is as in Event.
	ExecID uint64
	// KernelThread is set for a kernel thread (PF_KTHREAD).
	KernelThread bool
	// Ending is set if no thread runs any more. Its Exit may not have been read yet.
	Ending bool
	// Groups, Credentials, Namespaces and VPID are those of now.
	Groups      Groups
	Credentials Credentials
	Namespaces  Namespaces
	VPID        uint32
	// Remote, if set, is a span that the process continues, given by other means
	// than its environment.
	Remote Remote
	// Image is what is known of its program, if it has executed one.
	Image Image
	// Executable is, if it has executed no program, the file that it runs, as far
	// as known.
	Executable string
}
