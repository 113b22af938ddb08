// Package catalogue is the list of the attributes of spans and log records: their
// names, types, meaning, and how dispensable they are. It is pure.
package catalogue

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// ID is an attribute, or a family of them. IDs are in the order of the encoder.
type ID uint8

// The attributes.
const (
	PID ID = iota
	ParentPID
	CreationTime
	VPID
	GroupLeaderPID
	SessionLeaderPID
	Interactive
	Cgroup
	UserID
	UserName
	RealUserID
	RealUserName
	SavedUserID
	SavedUserName
	UserGroup
	RealUserGroup
	SavedUserGroup
	NamespaceCgroup
	NamespaceIPC
	NamespaceMount
	NamespaceNetwork
	NamespacePID
	NamespaceTime
	NamespaceUser
	NamespaceUTS
	ExecutableName
	ExecutablePath
	Command
	ArgsCount
	CommandArgs
	ArgsTruncated
	PathTruncated
	PreviousPath
	WorkingDirectory
	Variable
	EnvironmentTruncated
	Baggage
	StartEstimated
	Forked
	Boundary
	Filtered
	CPUUser
	CPUSystem
	CPUWait
	PeakRSS
	MinorFaults
	MajorFaults
	Voluntary
	Involuntary
	DiskRead
	DiskWritten
	CallsRead
	CallsWritten
	ParentWaiting
	ExitCode
	ExitEstimated
	ExitExpected
	ErrorType
	ExitSignal
	ExitCoreDumped
	KillerPID
	KillerName
	KillerPath
	OOMKilled
	OOMLimit

	// Count is how many there are.
	Count
)

// The names of the families' members begin with these.
const (
	Variables      = "process.environment_variable." // semconv.ProcessEnvironmentVariable
	BaggageMembers = "procspan.baggage."
)

// Level says how dispensable an attribute is.
type Level uint8

// The levels, from the one that is dropped last to the one that is dropped first.
// Minimal, Default and Full are profiles, too: each has the levels before it.
const (
	Minimal   Level = iota
	Requested       // an option of its own selects it; it is in every profile
	Default
	Full
	Foreign // as Requested, but the process decides how many there are
)

// String returns the name of the profile, or "requested".
func (l Level) String() string {
	return [...]string{Minimal: "minimal", Requested: "requested", Default: "default", Full: "full", Foreign: "requested"}[l]
}

// Attribute describes one attribute of spans or log records.
type Attribute struct {
	// Name ends in ".<key>" if it stands for a family.
	Name string
	// Type is string, string[], int, double or boolean.
	Type string
	// Unit of the value, in UCUM, or "".
	Unit string
	// On lists what has it: "span" is the span and the record of the exit, "exec"
	// the record of an exec, "event" the span event of a later exec.
	On    []string
	Level Level
	// Source is its meaning, When the condition for its presence; "" is always.
	Source, When string
}

// All returns every attribute, by ID.
func All() [Count]Attribute {
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
		usage   = "usage is known"
		signal  = "a signal killed it"
	)
	return [Count]Attribute{
		PID:                  {string(semconv.ProcessPIDKey), "int", "", start, Minimal, "pid in the initial pid namespace", ""},
		ParentPID:            {string(semconv.ProcessParentPIDKey), "int", "", start, Minimal, "pid of the parent at the exec", "it has a parent"},
		CreationTime:         {string(semconv.ProcessCreationTimeKey), "string", "", start, Default, "time of the fork, ISO 8601", ""},
		VPID:                 {string(semconv.ProcessVpidKey), "int", "", start, Default, "pid in its own pid namespace", "it differs from process.pid"},
		GroupLeaderPID:       {string(semconv.ProcessGroupLeaderPIDKey), "int", "", start, Full, "process group", known},
		SessionLeaderPID:     {string(semconv.ProcessSessionLeaderPIDKey), "int", "", start, Default, "session", known},
		Interactive:          {string(semconv.ProcessInteractiveKey), "boolean", "", start, Default, "the session has a controlling terminal", "the session is known"},
		Cgroup:               {string(semconv.ProcessLinuxCgroupKey), "string", "", start, Full, "path of the cgroup", known},
		UserID:               {string(semconv.ProcessUserIDKey), "int", "", start, Minimal, "effective user, in the initial user namespace", atExec},
		UserName:             {string(semconv.ProcessUserNameKey), "string", "", start, Default, "its name", known},
		RealUserID:           {string(semconv.ProcessRealUserIDKey), "int", "", start, Full, "real user", differs},
		RealUserName:         {string(semconv.ProcessRealUserNameKey), "string", "", start, Full, "its name", "it differs, and is known"},
		SavedUserID:          {string(semconv.ProcessSavedUserIDKey), "int", "", start, Full, "saved user", differs},
		SavedUserName:        {string(semconv.ProcessSavedUserNameKey), "string", "", start, Full, "its name", "it differs, and is known"},
		UserGroup:            {"procspan.user.group.id", "int", "", start, Full, "effective group of users", atExec},
		RealUserGroup:        {"procspan.real_user.group.id", "int", "", start, Full, "real group of users", differs},
		SavedUserGroup:       {"procspan.saved_user.group.id", "int", "", start, Full, "saved group of users", differs},
		NamespaceCgroup:      {"procspan.namespace.cgroup", "int", "", start, Full, "inode of the cgroup namespace at the exec, as in /proc/PID/ns", foreign},
		NamespaceIPC:         {"procspan.namespace.ipc", "int", "", start, Full, "of the IPC namespace", foreign},
		NamespaceMount:       {"procspan.namespace.mnt", "int", "", start, Full, "of the mount namespace", foreign},
		NamespaceNetwork:     {"procspan.namespace.net", "int", "", start, Full, "of the network namespace", foreign},
		NamespacePID:         {"procspan.namespace.pid", "int", "", start, Full, "of the pid namespace", foreign},
		NamespaceTime:        {"procspan.namespace.time", "int", "", start, Full, "of the time namespace", foreign},
		NamespaceUser:        {"procspan.namespace.user", "int", "", start, Full, "of the user namespace", foreign},
		NamespaceUTS:         {"procspan.namespace.uts", "int", "", start, Full, "of the UTS namespace (host name)", foreign},
		ExecutableName:       {string(semconv.ProcessExecutableNameKey), "string", "", all, Minimal, "base name of process.executable.path", known},
		ExecutablePath:       {string(semconv.ProcessExecutablePathKey), "string", "", all, Minimal, "the file that runs, symlinks and scripts resolved", known},
		Command:              {string(semconv.ProcessCommandKey), "string", "", all, Default, "argv[0]", known},
		ArgsCount:            {string(semconv.ProcessArgsCountKey), "int", "", all, Default, "argc", known},
		CommandArgs:          {string(semconv.ProcessCommandArgsKey), "string[]", "", all, Minimal, "argv", "capture.args is not off"},
		ArgsTruncated:        {"procspan.args.truncated", "boolean", "", all, Minimal, "process.command_args is cut", "true"},
		PathTruncated:        {"procspan.path.truncated", "boolean", "", all, Default, "a path is cut at its beginning", "true"},
		PreviousPath:         {"procspan.exec.previous_path", "string", "", event, Default, "the executable before the exec", known},
		WorkingDirectory:     {string(semconv.ProcessWorkingDirectoryKey), "string", "", start, Default, "current directory at the exec", "capture.working_directory"},
		Variable:             {Variables + "<key>", "string", "", start, Requested, "environment variable at the exec", "named in capture.environment and set"},
		EnvironmentTruncated: {"procspan.environment.truncated", "boolean", "", start, Requested, "such variables may be missing", "true"},
		Baggage:              {BaggageMembers + "<key>", "string", "", start, Foreign, "member of BAGGAGE at the exec", "capture.baggage"},
		StartEstimated:       {"procspan.start.estimated", "boolean", "", end, Minimal, "first exec not seen: the span starts at the fork", "true"},
		Forked:               {"procspan.forked", "boolean", "", end, Minimal, "executed no program: the span is the whole process, and the executable its parent's", "true"},
		Boundary:             {"procspan.trace.boundary", "string", "", end, Minimal, "why the span is not in its parent's trace", "it is not"},
		Filtered:             {"procspan.filtered", "int", "{process}", end, Default, "short child processes filtered out", over0},
		CPUUser:              {"procspan.cpu.time.user", "double", "s", end, Minimal, "CPU time in user mode", usage},
		CPUSystem:            {"procspan.cpu.time.system", "double", "s", end, Minimal, "CPU time in the kernel", usage},
		CPUWait:              {"procspan.cpu.wait.time", "double", "s", end, Default, "time that threads were ready to run and waited for a CPU", "the kernel measures it"},
		PeakRSS:              {"procspan.memory.peak_rss", "int", "By", end, Minimal, "peak resident memory", "known: not that before its first exec"},
		MinorFaults:          {"procspan.paging.faults.minor", "int", "{fault}", end, Full, "page faults without I/O", over0},
		MajorFaults:          {"procspan.paging.faults.major", "int", "{fault}", end, Default, "page faults with I/O", over0},
		Voluntary:            {"procspan.context_switches.voluntary", "int", "{context_switch}", end, Full, "voluntary context switches", over0},
		Involuntary:          {"procspan.context_switches.involuntary", "int", "{context_switch}", end, Full, "involuntary context switches", over0},
		DiskRead:             {"procspan.disk.io.read", "int", "By", end, Default, "read from block devices", over0},
		DiskWritten:          {"procspan.disk.io.write", "int", "By", end, Default, "written to block devices", over0},
		CallsRead:            {"procspan.syscall.io.read", "int", "By", end, Full, "read by system calls, from any file or socket", over0},
		CallsWritten:         {"procspan.syscall.io.write", "int", "By", end, Full, "written by system calls, to any file or socket", over0},
		ParentWaiting:        {"procspan.parent.waiting", "boolean", "", end, Full, "at its end, a thread of its parent was blocked in a wait call", "its exit was seen"},
		ExitCode:             {string(semconv.ProcessExitCodeKey), "int", "", end, Minimal, "exit status, or 128 + the signal that killed it", "its exit was seen"},
		ExitEstimated:        {"procspan.exit.estimated", "boolean", "", end, Minimal, "exit not seen: the span ends when procspan noticed that it was gone", "true"},
		ExitExpected:         {"procspan.exit.expected", "boolean", "", end, Minimal, "a non-zero exit code that is not a failure", "true"},
		ErrorType:            {string(semconv.ErrorTypeKey), "string", "", end, Minimal, "process.exit.code or procspan.exit.signal", "it failed"},
		ExitSignal:           {"procspan.exit.signal", "string", "", end, Minimal, "the signal that killed it", signal},
		ExitCoreDumped:       {"procspan.exit.core_dumped", "boolean", "", end, Default, "the kernel wrote a core dump", signal},
		KillerPID:            {"procspan.exit.killer.pid", "int", "", end, Full, "the process that sent the signal", "a process did"},
		KillerName:           {"procspan.exit.killer.name", "string", "", end, Default, "its name in the kernel (comm)", "a process did"},
		KillerPath:           {"procspan.exit.killer.path", "string", "", end, Full, "its executable then", "known"},
		OOMKilled:            {"procspan.oom_killed", "boolean", "", end, Minimal, "killed by the OOM killer", "true"},
		OOMLimit:             {"procspan.oom.limit", "int", "By", end, Full, "limit of the memory cgroup that was exhausted", "procspan.oom_killed, and known"},
	}
}

// IsFamily reports whether a stands for any number of attributes.
func (a Attribute) IsFamily() bool { return strings.HasSuffix(a.Name, "<key>") }

// Requested reports whether an option of its own selects a.
func (a Attribute) Requested() bool { return a.Level == Requested || a.Level == Foreign }

// Describes reports whether a stands for an attribute of this name.
func (a Attribute) Describes(name string) bool {
	if prefix, many := strings.CutSuffix(a.Name, "<key>"); many {
		return strings.HasPrefix(name, prefix)
	}
	return a.Name == name
}

// Set is some of the attributes, by ID. Those that are requested by an option of
// their own are in every set that Select returns.
type Set [1 << 8]bool

// Select returns the attributes that have one of the names, or are in a profile of
// one of the names. It ignores other names.
func Select(names ...string) (s Set) {
	all := All()
	for id, a := range all {
		s[id] = a.Requested()
		for _, name := range names {
			level, ok := profile(name)
			s[id] = s[id] || a.Name == name || ok && a.Level <= level
		}
	}
	return s
}

// Names returns the names that Select understands, the profiles first.
func Names() []string {
	var names []string
	for _, l := range Profiles() {
		names = append(names, l.String())
	}
	for _, a := range All() {
		if !a.Requested() {
			names = append(names, a.Name)
		}
	}
	return names
}

// Profiles returns the levels that are profiles.
func Profiles() []Level { return []Level{Minimal, Default, Full} }

func profile(name string) (Level, bool) {
	for _, l := range Profiles() {
		if l.String() == name {
			return l, true
		}
	}
	return 0, false
}
