package otelexport

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// start sets what is known of a process from its exec on.
func (e *encoder) start(l *process.Lifetime, r *Resource) {
	e.identity(l)
	e.groups(&l.Groups)
	e.attributes.text(semconv.ProcessLinuxCgroupKey, r.cgroup)
	// Whoever tells the pid namespace tells the credentials: without it they are
	// not root's, but not known.
	if l.VPID != 0 {
		e.credentials(&l.Credentials)
	}
	e.namespaces(&l.Namespaces)
	e.image(&l.Image)
	if e.capture.WorkingDirectory {
		e.attributes.text(semconv.ProcessWorkingDirectoryKey, l.Image.WorkingDirectory)
	}
	e.environment(&l.Image)
	if e.capture.Baggage {
		e.baggage(&l.Image)
	}
}

// identity sets who the process is.
func (e *encoder) identity(l *process.Lifetime) {
	a := &e.attributes
	a.number(semconv.ProcessPIDKey, int64(l.ID.PID))
	a.count(semconv.ProcessParentPIDKey, uint64(l.ParentPID)) // pid 1 and kernel threads have no parent
	created := e.clock.UnixSince(l.ID.Start, l.Root.Start)
	a.begin(string(semconv.ProcessCreationTimeKey), 1+sizeBytes(len(timestamp{}.text)))
	a.wire = appendBytes(a.wire, fieldText, e.created.format(created))
	if l.VPID != l.ID.PID {
		a.count(semconv.ProcessVpidKey, uint64(l.VPID))
	}
	a.mark(attrStartEstimated, l.StartEstimated)
	a.text(attrBoundary, string(l.Boundary))
	a.count(attrLeftOut, uint64(max(0, l.LeftOut)))
}

func (e *encoder) groups(g *process.Groups) {
	e.attributes.count(semconv.ProcessGroupLeaderPIDKey, uint64(g.Group))
	if g.Session != 0 {
		e.attributes.number(semconv.ProcessSessionLeaderPIDKey, int64(g.Session))
		e.attributes.flag(semconv.ProcessInteractiveKey, g.Terminal != 0)
	}
}

// credentials sets who the process acts as. Where real, effective and saved are
// the same, which they nearly always are, the effective one says it all. Under another
// root directory the users may have other names.
func (e *encoder) credentials(c *process.Credentials) {
	names := e.names
	if c.OtherRoot {
		names = nil
	}
	e.user(semconv.ProcessUserIDKey, semconv.ProcessUserNameKey, c.EffectiveUser, names)
	if c.RealUser != c.EffectiveUser {
		e.user(semconv.ProcessRealUserIDKey, semconv.ProcessRealUserNameKey, c.RealUser, names)
	}
	if c.SavedUser != c.EffectiveUser {
		e.user(semconv.ProcessSavedUserIDKey, semconv.ProcessSavedUserNameKey, c.SavedUser, names)
	}
	e.attributes.number(attrUserGroup, int64(c.EffectiveGroup))
	if c.RealGroup != c.EffectiveGroup {
		e.attributes.number(attrRealUserGroup, int64(c.RealGroup))
	}
	if c.SavedGroup != c.EffectiveGroup {
		e.attributes.number(attrSavedUserGroup, int64(c.SavedGroup))
	}
}

func (e *encoder) user(id, name attribute.Key, uid uint32, names Names) {
	e.attributes.number(id, int64(uid))
	if names != nil {
		e.attributes.text(name, names.User(uid))
	}
}

// namespaces sets those that are not the host's.
func (e *encoder) namespaces(n *process.Namespaces) {
	if *n == (process.Namespaces{}) {
		return
	}
	a := &e.attributes
	a.count(attrNamespaceCgroup, uint64(n.Cgroup))
	a.count(attrNamespaceIPC, uint64(n.IPC))
	a.count(attrNamespaceMount, uint64(n.Mount))
	a.count(attrNamespaceNetwork, uint64(n.Network))
	a.count(attrNamespacePID, uint64(n.PID))
	a.count(attrNamespaceTime, uint64(n.Time))
	a.count(attrNamespaceUser, uint64(n.User))
	a.count(attrNamespaceUTS, uint64(n.UTS))
}

// image sets what the process runs; what is not known is left out.
func (e *encoder) image(im *process.Image) {
	a := &e.attributes
	a.text(semconv.ProcessExecutableNameKey, im.ExecutableName())
	a.text(semconv.ProcessExecutablePathKey, im.Executable)
	whole := e.capture.Args != config.ArgsOff
	args := im.Args
	if end := strings.IndexByte(args, 0); !whole && end >= 0 {
		args = args[:end+1]
	}
	if e.redactor != nil && args != "" && e.capture.Args != config.ArgsFull {
		args = e.redactor.Args(args)
	}
	command, _, _ := strings.Cut(args, "\x00")
	a.text(semconv.ProcessCommandKey, command)
	a.count(semconv.ProcessArgsCountKey, uint64(max(0, im.ArgsCount)))
	if whole {
		if args != "" {
			for arg := range (&process.Image{Args: args}).Arguments() {
				a.item(arg)
			}
			a.setList(semconv.ProcessCommandArgsKey)
		}
		a.mark(attrArgsTruncated, im.ArgsCut)
	}
	a.mark(attrPathTruncated, im.PathCut)
}

// environment sets the variables that were asked for.
func (e *encoder) environment(im *process.Image) {
	for _, v := range e.variables {
		value, ok := im.Variable(v.name)
		if !ok {
			continue
		}
		e.attributes.anyText(v.key, e.redacted(v.name, value))
	}
	e.attributes.mark(attrEnvironmentTruncated, im.EnvironmentCut && len(e.variables) > 0)
}

// baggage sets the members of the process's BAGGAGE; one that is not valid has
// none (W3C Baggage).
func (e *encoder) baggage(im *process.Image) {
	text, _ := im.Variable("BAGGAGE")
	if text == "" {
		return
	}
	bag, err := baggage.Parse(text)
	if err != nil {
		return
	}
	members := bag.Members()
	slices.SortFunc(members, func(a, b baggage.Member) int { return strings.Compare(a.Key(), b.Key()) })
	for _, m := range members {
		e.attributes.text(attribute.Key(attrBaggage+m.Key()), e.redacted(m.Key(), m.Value()))
	}
}

// redacted returns what may be sent of a value.
func (e *encoder) redacted(name, value string) string {
	if e.redactor == nil {
		return value
	}
	return e.redactor.Variable(name, value)
}

// usage sets what the process used. CPU and memory are there, 0 or not, where
// anything is known; of the rest, 0 is the usual and says nothing.
func (e *encoder) usage(u *process.Usage) {
	if *u == (process.Usage{}) {
		return
	}
	a := &e.attributes
	a.double(attrCPUUser, float64(u.UserTime)/1e9)
	a.double(attrCPUSystem, float64(u.SystemTime)/1e9)
	a.number(attrPeakRSS, int64(saturate(u.PeakRSS)))
	a.count(attrMinorFaults, u.MinorFaults)
	a.count(attrMajorFaults, u.MajorFaults)
	a.count(attrVoluntary, u.Voluntary)
	a.count(attrInvoluntary, u.Involuntary)
	a.count(attrDiskRead, u.ReadBytes)
	a.count(attrDiskWritten, u.WriteBytes)
	a.count(attrCallsRead, u.ReadChars)
	a.count(attrCallsWritten, u.WriteChars)
}

// outcome says how a process ended.
type outcome struct {
	failed bool
	killed bool   // by a signal
	text   string // "exit code 2", "killed by SIGKILL"
}

// outcome sets how the process ended. It failed if its exit code is not 0 and
// not an expected one.
func (e *encoder) outcome(l *process.Lifetime) outcome {
	a, code, signal := &e.attributes, l.Status.ExitCode(), l.Status.SignalName()
	if l.EndEstimated {
		a.flag(attrExitEstimated, true)
		return outcome{text: "exit not seen"}
	}
	a.number(semconv.ProcessExitCodeKey, int64(code))
	if code == 0 {
		return outcome{text: "exit code 0"}
	}
	end := outcome{failed: !l.Expected, killed: signal != ""}
	a.mark(attrExitExpected, l.Expected)
	errorType := signal
	if !end.killed {
		errorType = strconv.Itoa(code)
		end.text = "exit code " + errorType
	}
	if end.failed {
		a.text(semconv.ErrorTypeKey, errorType)
	}
	if end.killed {
		a.text(attrExitSignal, signal)
		a.flag(attrExitCoreDumped, l.Status.CoreDumped())
		end.text = killedBy(signal, l)
	}
	if l.Killer.ID.PID != 0 {
		a.number(attrKillerPID, int64(l.Killer.ID.PID))
		a.text(attrKillerName, l.Killer.Comm)
		a.text(attrKillerPath, l.Killer.Executable)
	}
	if l.OOM.Killed {
		a.flag(attrOOMKilled, true)
		a.count(attrOOMLimit, l.OOM.Limit)
	}
	return end
}

func killedBy(signal string, l *process.Lifetime) string {
	switch {
	case l.OOM.Killed:
		return "killed by " + signal + " (out of memory)"
	case l.Status.CoreDumped():
		return "killed by " + signal + " (core dumped)"
	}
	return "killed by " + signal
}
