package otelexport

import semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

// The attributes that the semantic conventions have no name for. Amounts have
// the units of the metrics that the conventions have for them.
const (
	attrStartEstimated = "procspan.start.estimated"
	attrBoundary       = "procspan.trace.boundary"
	attrLeftOut        = "procspan.left_out"

	attrArgsTruncated        = "procspan.args.truncated"
	attrPathTruncated        = "procspan.path.truncated"
	attrEnvironmentTruncated = "procspan.environment.truncated"
	attrPreviousPath         = "procspan.exec.previous_path"
	attrBaggage              = "procspan.baggage." // and the member's key

	attrUserGroup      = "procspan.user.group.id"
	attrRealUserGroup  = "procspan.real_user.group.id"
	attrSavedUserGroup = "procspan.saved_user.group.id"

	attrNamespaceCgroup  = "procspan.namespace.cgroup"
	attrNamespaceIPC     = "procspan.namespace.ipc"
	attrNamespaceMount   = "procspan.namespace.mnt"
	attrNamespaceNetwork = "procspan.namespace.net"
	attrNamespacePID     = "procspan.namespace.pid"
	attrNamespaceTime    = "procspan.namespace.time"
	attrNamespaceUser    = "procspan.namespace.user"
	attrNamespaceUTS     = "procspan.namespace.uts"

	attrCPUUser      = "procspan.cpu.time.user"
	attrCPUSystem    = "procspan.cpu.time.system"
	attrPeakRSS      = "procspan.memory.peak_rss"
	attrMinorFaults  = "procspan.paging.faults.minor"
	attrMajorFaults  = "procspan.paging.faults.major"
	attrVoluntary    = "procspan.context_switches.voluntary"
	attrInvoluntary  = "procspan.context_switches.involuntary"
	attrDiskRead     = "procspan.disk.io.read"
	attrDiskWritten  = "procspan.disk.io.write"
	attrCallsRead    = "procspan.syscall.io.read"
	attrCallsWritten = "procspan.syscall.io.write"

	attrExitEstimated  = "procspan.exit.estimated"
	attrExitExpected   = "procspan.exit.expected"
	attrExitSignal     = "procspan.exit.signal"
	attrExitCoreDumped = "procspan.exit.core_dumped"
	attrKillerPID      = "procspan.exit.killer.pid"
	attrKillerName     = "procspan.exit.killer.name"
	attrKillerPath     = "procspan.exit.killer.path"
	attrOOMKilled      = "procspan.oom_killed"
	attrOOMLimit       = "procspan.oom.limit"

	attrVariable = "process.environment_variable." // and the variable's name: semconv.ProcessEnvironmentVariable
)

// Names of events.
const (
	eventExec  = "procspan.exec"         // of a span
	recordExec = "procspan.process.exec" // of log records
	recordExit = "procspan.process.exit"
)

// Attribute describes one attribute that spans and log records can have.
type Attribute struct {
	// Name ends in ".<key>" where it stands for many.
	Name string
	// Type is string, string[], int, double or boolean.
	Type string
	// Unit is that of the value, in UCUM; "" where there is none.
	Unit string
	// On says where it stands: "span" is the span and the record of the exit,
	// "exec" the record of an exec, "event" the span's event of a later exec.
	On []string
	// Source is what it says, When when it is there; "" is always.
	Source, When string
}

// Attributes returns all of them, in the order in which spans have them.
func Attributes() []Attribute {
	var (
		all   = []string{"span", "exec", "event"}
		start = []string{"span", "exec"}
		end   = []string{"span"}
		event = []string{"event"}
	)
	const (
		known   = "known"
		over0   = "not 0"
		atExec  = "its exec was seen, or it is older than the agent"
		differs = "it differs from the effective one"
		foreign = "it is not the host's"
		usage   = "its use is known"
		signal  = "a signal killed it"
	)
	return []Attribute{
		{string(semconv.ProcessPIDKey), "int", "", start, "pid in the initial pid namespace", ""},
		{string(semconv.ProcessParentPIDKey), "int", "", start, "pid of the parent at the exec", "it has a parent"},
		{string(semconv.ProcessCreationTimeKey), "string", "", start, "when it was forked, ISO 8601", ""},
		{string(semconv.ProcessVpidKey), "int", "", start, "pid in its own pid namespace", "it differs from process.pid"},
		{attrStartEstimated, "boolean", "", end, "the first exec was not seen: the span starts at the fork", "true"},
		{attrBoundary, "string", "", end, "why the trace is not that of the parent process", "it is not"},
		{attrLeftOut, "int", "{process}", end, "short processes below it that have no span", over0},

		{string(semconv.ProcessGroupLeaderPIDKey), "int", "", start, "process group", known},
		{string(semconv.ProcessSessionLeaderPIDKey), "int", "", start, "session", known},
		{string(semconv.ProcessInteractiveKey), "boolean", "", start, "the session has a controlling terminal", "the session is known"},
		{string(semconv.ProcessLinuxCgroupKey), "string", "", start, "path of the cgroup", known},
		{string(semconv.ProcessUserIDKey), "int", "", start, "effective user, in the initial user namespace", atExec},
		{string(semconv.ProcessUserNameKey), "string", "", start, "its name", known},
		{string(semconv.ProcessRealUserIDKey), "int", "", start, "real user", differs},
		{string(semconv.ProcessRealUserNameKey), "string", "", start, "its name", "it differs, and is known"},
		{string(semconv.ProcessSavedUserIDKey), "int", "", start, "saved user", differs},
		{string(semconv.ProcessSavedUserNameKey), "string", "", start, "its name", "it differs, and is known"},
		{attrUserGroup, "int", "", start, "effective group of users", atExec},
		{attrRealUserGroup, "int", "", start, "real group of users", differs},
		{attrSavedUserGroup, "int", "", start, "saved group of users", differs},

		{attrNamespaceCgroup, "int", "", start, "inode of the cgroup namespace at the exec, as in /proc/PID/ns", foreign},
		{attrNamespaceIPC, "int", "", start, "of the IPC namespace", foreign},
		{attrNamespaceMount, "int", "", start, "of the mount namespace", foreign},
		{attrNamespaceNetwork, "int", "", start, "of the network namespace", foreign},
		{attrNamespacePID, "int", "", start, "of the pid namespace", foreign},
		{attrNamespaceTime, "int", "", start, "of the time namespace", foreign},
		{attrNamespaceUser, "int", "", start, "of the user namespace", foreign},
		{attrNamespaceUTS, "int", "", start, "of the UTS namespace (host name)", foreign},

		{string(semconv.ProcessExecutableNameKey), "string", "", all, "base name of process.executable.path", known},
		{string(semconv.ProcessExecutablePathKey), "string", "", all, "the file that runs: no symlink, no script", known},
		{string(semconv.ProcessCommandKey), "string", "", all, "argv[0]", known},
		{string(semconv.ProcessArgsCountKey), "int", "", all, "argc", known},
		{string(semconv.ProcessCommandArgsKey), "string[]", "", all, "argv", "capture.args is not off"},
		{attrArgsTruncated, "boolean", "", all, "process.command_args is not whole", "true"},
		{attrPathTruncated, "boolean", "", all, "a path lacks its beginning", "true"},
		{attrPreviousPath, "string", "", event, "the executable until then", known},
		{string(semconv.ProcessWorkingDirectoryKey), "string", "", start, "current directory at the exec", "capture.working_directory"},
		{attrVariable + "<key>", "string", "", start, "environment variable at the exec", "named in capture.environment and set"},
		{attrEnvironmentTruncated, "boolean", "", start, "such variables may be missing", "true"},
		{attrBaggage + "<key>", "string", "", start, "member of BAGGAGE at the exec", "capture.baggage"},

		{attrCPUUser, "double", "s", end, "CPU time in user mode", usage},
		{attrCPUSystem, "double", "s", end, "CPU time in the kernel", usage},
		{attrPeakRSS, "int", "By", end, "most memory that was resident", usage},
		{attrMinorFaults, "int", "{fault}", end, "page faults without I/O", over0},
		{attrMajorFaults, "int", "{fault}", end, "page faults with I/O", over0},
		{attrVoluntary, "int", "{context_switch}", end, "context switches for want of work", over0},
		{attrInvoluntary, "int", "{context_switch}", end, "context switches for others' sake", over0},
		{attrDiskRead, "int", "By", end, "read from block devices", over0},
		{attrDiskWritten, "int", "By", end, "written to block devices", over0},
		{attrCallsRead, "int", "By", end, "read by system calls, from anything", over0},
		{attrCallsWritten, "int", "By", end, "written by system calls, to anything", over0},

		{string(semconv.ProcessExitCodeKey), "int", "", end, "exit status, or 128 + the signal that killed it", "its exit was seen"},
		{attrExitEstimated, "boolean", "", end, "its exit was not seen: the span ends when it was found to be gone", "true"},
		{attrExitExpected, "boolean", "", end, "an exit code other than 0 that is no failure", "true"},
		{string(semconv.ErrorTypeKey), "string", "", end, "process.exit.code or procspan.exit.signal", "it failed"},
		{attrExitSignal, "string", "", end, "the signal that killed it", signal},
		{attrExitCoreDumped, "boolean", "", end, "the kernel wrote a core dump", signal},
		{attrKillerPID, "int", "", end, "the process that sent the signal", "a process did"},
		{attrKillerName, "string", "", end, "the kernel's name of it", "a process did"},
		{attrKillerPath, "string", "", end, "its executable then", "known"},
		{attrOOMKilled, "boolean", "", end, "the kernel killed it for want of memory", "true"},
		{attrOOMLimit, "int", "By", end, "limit of the memory cgroup that was full", "procspan.oom_killed, and known"},
	}
}
