package process

import (
	"iter"
	"strings"
	"time"
)

// ID names one process for as long as the machine is up: a pid alone is
// reused, a pid together with its start time is not.
type ID struct {
	// PID is the thread group id in the initial pid namespace
	// (task_struct.tgid).
	PID uint32
	// Start is when the kernel created the process, in nanoseconds since
	// boot, suspends included (task_struct.start_boottime of the group
	// leader). An exec from any thread keeps it.
	Start uint64
}

// IsZero reports whether id names no process.
func (id ID) IsZero() bool { return id == ID{} }

// Kind says what happened to a process.
type Kind uint8

// The kinds of events, each after the kernel tracepoint it comes from.
const (
	Fork  Kind = iota + 1 // sched_process_fork: a process was created
	Exec                  // sched_process_exec: it became another program
	Exit                  // sched_process_exit, last thread: it ended
	Named                 // the path of a cgroup, before the first event of a process in it
)

func (k Kind) String() string {
	switch k {
	case Fork:
		return "fork"
	case Exec:
		return "exec"
	case Exit:
		return "exit"
	case Named:
		return "named"
	}
	return "unknown"
}

// Event is one thing that happened to one process, as the kernel reported it, or
// the name of a cgroup.
type Event struct {
	Kind Kind
	// At is when it happened, in nanoseconds since boot (CLOCK_BOOTTIME).
	At uint64
	ID ID
	// Parent is, for a Fork, the process that called fork, clone or vfork;
	// for an Exec and an Exit the parent at that moment
	// (task_struct.real_parent), which reparenting may have changed.
	Parent ID
	// Comm is the kernel's name of the task, at most 15 bytes.
	Comm string
	// Execed says, for an Exit, that the process had executed a program since
	// its fork (PF_FORKNOEXEC is clear on the group leader).
	Execed bool
	// ExecID is the kernel's count of execs (task_struct.self_exec_id): a fork
	// inherits its parent's, each exec adds one. A gap is an exec that was lost.
	ExecID uint64
	// FirstExec says, for an Exec, that no exec came before it in this process,
	// as far as the process itself tells. It is never wrongly true, but false for
	// the first exec of a child that was cloned with CLONE_PARENT.
	FirstExec bool
	// Groups is what the process belongs to at an Exec; at a Fork it is what its
	// parent belongs to at that moment.
	Groups Groups
	// Image is what the process became; set for an Exec.
	Image Image
	// Credentials is who the process acts as; set for an Exec.
	Credentials Credentials
	// Namespaces is where it differs from the host; set for an Exec.
	Namespaces Namespaces
	// VPID is the process's pid in its own, innermost pid namespace; set for an
	// Exec.
	VPID uint32
	// Status is how the process ended; set for an Exit.
	Status Status
	// Usage is what it used; set for an Exit.
	Usage Usage
	// Killer is who sent the signal that killed it; set for an Exit, where a
	// process did.
	Killer Killer
	// CgroupID and CgroupPath are set for a Named: one of the ids of a Cgroup, and
	// the path from the root of its hierarchy, "/" for the root itself.
	CgroupID   uint64
	CgroupPath string
	// OOM says, for an Exit, that the kernel killed it for want of memory.
	OOM OOM
}

// Groups is what a process belongs to, beside its parent. All ids are those of
// the initial pid namespace.
type Groups struct {
	// Session is the id of the session: the pid of the process that called
	// setsid, which may have ended (task_session).
	Session uint32
	// Group is the id of the process group: the pid of the process it was made
	// with, which may have ended (task_pgrp).
	Group uint32
	// Terminal is the device number of the session's controlling terminal, as
	// field 7 of /proc/PID/stat shows it; 0 for none (signal_struct.tty).
	Terminal uint32
	Cgroup   Cgroup
}

// Cgroup names a control group by the ids of its directories, which are not
// used again (kernfs_node.id).
type Cgroup struct {
	// V2 is that of the unified hierarchy, 0 where the kernel has none.
	V2 uint64
	// V1 is that of the first of the pids, memory and cpu controllers that the
	// kernel has; where that is not in a hierarchy of version 1, it is V2.
	V1 uint64
}

// Credentials is who a process acts as (struct cred), as the initial user
// namespace numbers users.
type Credentials struct {
	RealUser, EffectiveUser, SavedUser    uint32
	RealGroup, EffectiveGroup, SavedGroup uint32
	// OtherRoot says that the process has another root directory than procspan:
	// users may have other names there (fs_struct.root).
	OtherRoot bool
}

// Namespaces has the inode numbers of a process's namespaces, as /proc/PID/ns shows
// them (ns_common.inum); 0 for each that is the host's, the one that the kernel began
// with, or is not known, as those of a process that was ending.
type Namespaces struct {
	Cgroup, IPC, Mount, Network, PID, Time, User, UTS uint32
}

// Usage is what a process used until its end, all threads together, without its
// children: what getrusage calls RUSAGE_SELF.
type Usage struct {
	// UserTime and SystemTime are the CPU time.
	UserTime, SystemTime time.Duration
	// PeakRSS is the most memory that was resident, in bytes, as wait4 tells it
	// (signal_struct.maxrss): with that of the image before the last exec.
	PeakRSS uint64
	// MinorFaults needed no I/O, MajorFaults did.
	MinorFaults, MajorFaults uint64
	// Context switches.
	Voluntary, Involuntary uint64
	// ReadBytes and WriteBytes went to or came from block devices
	// (task_io_accounting.read_bytes, write_bytes); ReadChars and WriteChars
	// through read and write calls of any kind (rchar, wchar).
	ReadBytes, WriteBytes, ReadChars, WriteChars uint64
}

// Killer is a process that sent a signal.
type Killer struct {
	ID ID
	// ExecID is, in an Event, the kernel's count of its execs when it sent it.
	ExecID uint64
	// Comm is the kernel's name of the task.
	Comm string
	// Executable is, in a Lifetime, the file that it ran when it sent it, where
	// that is known.
	Executable string
}

// OOM is an end by the kernel's out-of-memory killer.
type OOM struct {
	Killed bool
	// Limit is that of the memory cgroup whose limit was hit, in bytes; 0 when
	// the machine ran out of memory, or when the kernel does not tell.
	Limit uint64
}

// Image is the program that a process runs, as it was at its exec.
type Image struct {
	// Filename is the path handed to execve, unresolved: a symlink, a script,
	// or /dev/fd/N for execveat and fexecve (linux_binprm.filename).
	Filename string
	// Executable is the file that runs, as /proc/PID/exe shows it: symlinks
	// resolved, a script's interpreter instead of the script, " (deleted)"
	// appended when the file has no name any more.
	Executable string
	// WorkingDirectory is the current directory at the exec.
	WorkingDirectory string
	// Args holds the arguments, argv[0] first, each ended by a NUL byte. Bytes
	// are as the kernel had them, valid UTF-8 or not. See Arguments.
	Args string
	// ArgsCount is argc, also when Args is cut. After the exec of a script it
	// counts what the interpreter was given.
	ArgsCount int
	// ArgsCut says that Args is not whole: it ran into the configured limit,
	// or could not be read to its end.
	ArgsCut bool
	// Environment holds the variables that were looked for and are there, in the
	// form NAME=value, each ended by a NUL byte. See Variable.
	Environment string
	// EnvironmentCut says that Environment may lack some: the environment was
	// too long, or could not be read.
	EnvironmentCut bool
	// PathCut says that Executable or WorkingDirectory lacks its beginning,
	// having more components than are read.
	PathCut bool
}

// Arguments yields the arguments of Args one by one, argv[0] first. The last
// may be cut short (ArgsCut).
func (im *Image) Arguments() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := im.Args; rest != ""; {
			arg, after, _ := strings.Cut(rest, "\x00")
			if !yield(arg) {
				return
			}
			rest = after
		}
	}
}

// Variable returns the value of an environment variable, as getenv does: the
// first where there are several.
func (im *Image) Variable(name string) (value string, ok bool) {
	for rest := im.Environment; rest != ""; {
		variable, after, _ := strings.Cut(rest, "\x00")
		if key, value, ok := strings.Cut(variable, "="); ok && key == name {
			return value, true
		}
		rest = after
	}
	return "", false
}

// Command returns argv[0], or "" when there was none.
func (im *Image) Command() string {
	for arg := range im.Arguments() {
		return arg
	}
	return ""
}

// Name returns the base name of the file that was executed: the script and
// not its interpreter, the symlink and not its target. Where the file was
// executed through a descriptor (fexecve, /proc/self/exe), its path says
// nothing, and the name is that of the executable. A running image that was
// deleted keeps its plain name.
func (im *Image) Name() string {
	if im.Filename == "" || descriptor(im.Filename) {
		return im.ExecutableName()
	}
	return base(im.Filename)
}

// descriptor reports whether path is a link that stands for an open file:
// /dev/fd/N, but not /dev/fd/N/name (execveat below a directory);
// /proc/PID/fd/N and /proc/PID/exe, but not /proc/PID/root/name.
func descriptor(path string) bool {
	if rest, ok := strings.CutPrefix(path, "/dev/fd/"); ok {
		return !strings.Contains(rest, "/")
	}
	dir, last := path[:len(path)-len(base(path))], base(path)
	return strings.HasPrefix(path, "/proc/") && (last == "exe" || strings.HasSuffix(dir, "/fd/"))
}

// ExecutableName returns the base name of Executable, without a " (deleted)".
func (im *Image) ExecutableName() string {
	return base(strings.TrimSuffix(im.Executable, " (deleted)"))
}

func base(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// Status is a wait status as wait4 returns it: the exit status in bits 8–15,
// or the signal in bits 0–6 with bit 7 set when core was dumped.
type Status int32

// Signal returns the number of the signal that killed the process, or 0.
func (s Status) Signal() int { return int(s & 0x7f) }

// CoreDumped reports whether the kernel wrote a core dump.
func (s Status) CoreDumped() bool { return s.Signal() != 0 && s&0x80 != 0 }

// ExitCode returns the exit status as a shell shows it: what the process
// passed to exit (0–255), or 128+n when signal n killed it.
func (s Status) ExitCode() int {
	if sig := s.Signal(); sig != 0 {
		return 128 + sig
	}
	return int(s>>8) & 0xff
}

// Living is a process that was alive when the agent started.
type Living struct {
	ID     ID
	Parent ID
	// Execed says that it has executed a program since its fork.
	Execed bool
	// ExecID is as in Event.
	ExecID uint64
	// KernelThread says that it has no program at all (PF_KTHREAD).
	KernelThread bool
	// Ending says that none of its threads runs any more, though its exit may not
	// have been told yet.
	Ending bool
	// Groups is what it belongs to now, Credentials who it acts as, Namespaces where
	// it differs from the host, VPID its pid in its own pid namespace.
	Groups      Groups
	Credentials Credentials
	Namespaces  Namespaces
	VPID        uint32
	// Remote, when set, is the span outside that it was told to continue, other
	// than by its environment.
	Remote Remote
	// Image is what is known of its program, where it has executed one.
	Image Image
	// Executable is, where it has executed none, that of the process that it was
	// forked from, as far as it is known.
	Executable string
}
