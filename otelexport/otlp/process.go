package otlp

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/baggage"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/process"
)

// execution is what an exec event and a lifetime have in common: a process and
// the program that it runs.
type execution struct {
	id           process.ID
	parent, vpid uint32
	comm         string
	traceStart   process.Time
	image        *process.Image
	groups       *process.Groups
	credentials  *process.Credentials
	namespaces   *process.Namespaces
	treatment    *process.Treatment
}

// exec sets the name and the attributes that are known from the exec on.
func (e *Encoder) exec(x *execution, r *Resource) {
	e.treat(x.treatment)
	if e.name = validUTF8(cmp.Or(e.spanName(x), x.image.Name(), x.comm)); e.name == "" {
		e.name = "unknown"
	}
	a := &e.attributes
	e.identity(x)
	e.groups(x.groups)
	a.text(catalogue.Cgroup, r.cgroup)
	// The record that has the pid in the namespace has the credentials. Without it
	// they are unknown, and zero does not mean root.
	if x.vpid != 0 {
		e.credentials(x.credentials)
	}
	e.namespaces(x.namespaces)
	e.image(a, x.image)
	if e.capture.WorkingDirectory {
		a.text(catalogue.WorkingDirectory, x.image.WorkingDirectory)
	}
	e.environment(x.image)
	if e.capture.Baggage {
		e.baggage(x.image)
	}
	for _, one := range e.treatment.Set {
		if one.Value != "" {
			a.member(keyed(validUTF8(one.Name)), one.Value)
		}
	}
}

func (e *Encoder) identity(x *execution) {
	a := &e.attributes
	a.number(catalogue.PID, int64(x.id.PID))
	a.count(catalogue.ParentPID, uint64(x.parent)) // pid 1 and kernel threads have no parent
	created := e.clock.UnixSince(x.id.Start, x.traceStart)
	if k := a.keys[catalogue.CreationTime]; k != "" {
		text := e.created.format(created)
		if len(text) > a.maxText {
			text = text[:a.maxText]
			a.cuts++
		}
		a.begin(k, 1+sizeBytes(len(text)))
		a.wire = appendBytes(a.wire, fieldText, text)
	}
	if x.vpid != x.id.PID {
		a.count(catalogue.VPID, uint64(x.vpid))
	}
}

// trace sets how the lifetime stands in its trace.
func (e *Encoder) trace(l *process.Lifetime) {
	a := &e.attributes
	a.mark(catalogue.StartEstimated, l.StartEstimated)
	a.mark(catalogue.Forked, l.Forked)
	a.text(catalogue.Boundary, string(l.Boundary))
	a.count(catalogue.Filtered, uint64(max(0, l.Filtered)))
}

func (e *Encoder) groups(g *process.Groups) {
	e.attributes.count(catalogue.GroupLeaderPID, uint64(g.Group))
	if g.Session != 0 {
		e.attributes.number(catalogue.SessionLeaderPID, int64(g.Session))
		e.attributes.flag(catalogue.Interactive, g.Terminal != 0)
	}
}

// credentials sets the effective ids, and the real and saved ones where they
// differ. Under another root directory, users may have other names.
func (e *Encoder) credentials(c *process.Credentials) {
	names := e.names
	if c.OtherRoot {
		names = nil
	}
	e.user(catalogue.UserID, catalogue.UserName, c.EffectiveUser, names)
	if c.RealUser != c.EffectiveUser {
		e.user(catalogue.RealUserID, catalogue.RealUserName, c.RealUser, names)
	}
	if c.SavedUser != c.EffectiveUser {
		e.user(catalogue.SavedUserID, catalogue.SavedUserName, c.SavedUser, names)
	}
	e.attributes.number(catalogue.UserGroup, int64(c.EffectiveGroup))
	if c.RealGroup != c.EffectiveGroup {
		e.attributes.number(catalogue.RealUserGroup, int64(c.RealGroup))
	}
	if c.SavedGroup != c.EffectiveGroup {
		e.attributes.number(catalogue.SavedUserGroup, int64(c.SavedGroup))
	}
}

func (e *Encoder) user(id, name catalogue.ID, uid uint32, names Names) {
	e.attributes.number(id, int64(uid))
	if names != nil {
		e.attributes.text(name, names.User(uid))
	}
}

// namespaces sets the namespaces that are not the host's.
func (e *Encoder) namespaces(n *process.Namespaces) {
	if *n == (process.Namespaces{}) {
		return
	}
	a := &e.attributes
	a.count(catalogue.NamespaceCgroup, uint64(n.Cgroup))
	a.count(catalogue.NamespaceIPC, uint64(n.IPC))
	a.count(catalogue.NamespaceMount, uint64(n.Mount))
	a.count(catalogue.NamespaceNetwork, uint64(n.Network))
	a.count(catalogue.NamespacePID, uint64(n.PID))
	a.count(catalogue.NamespaceTime, uint64(n.Time))
	a.count(catalogue.NamespaceUser, uint64(n.User))
	a.count(catalogue.NamespaceUTS, uint64(n.UTS))
}

// image sets the program; unknown values are absent.
func (e *Encoder) image(a *attributeList, im *process.Image) {
	a.text(catalogue.ExecutableName, im.ExecutableName())
	a.text(catalogue.ExecutablePath, im.Executable)
	whole := e.args != config.ArgsOff
	args := im.Args
	if end := strings.IndexByte(args, 0); end >= 0 && !(whole && a.keys[catalogue.CommandArgs] != "") {
		args = args[:end+1]
	}
	args = e.shown(args)
	command, _, _ := strings.Cut(args, "\x00")
	a.text(catalogue.Command, command)
	a.count(catalogue.ArgsCount, uint64(max(0, im.ArgsCount)))
	if whole {
		args, cut := e.treatment.FirstArgs(args)
		a.list(catalogue.CommandArgs, args)
		a.mark(catalogue.ArgsTruncated, im.ArgsCut || cut)
	}
	a.mark(catalogue.PathTruncated, im.PathCut)
}

// environment sets the captured variables.
func (e *Encoder) environment(im *process.Image) {
	for _, v := range e.variables {
		value, ok := im.Variable(v.name)
		if !ok {
			continue
		}
		e.attributes.member(v.keyed, e.redacted(v.name, value))
	}
	e.attributes.mark(catalogue.EnvironmentTruncated, im.EnvironmentCut && len(e.variables) > 0)
}

// baggage sets the members of the process's BAGGAGE; invalid baggage has none
// (W3C Baggage).
func (e *Encoder) baggage(im *process.Image) {
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
		if value := e.redacted(m.Key(), m.Value()); value != "" {
			e.attributes.member(keyed(catalogue.BaggageMembers+m.Key()), value)
		}
	}
}

// redacted returns the part of a value that may be sent.
func (e *Encoder) redacted(name, value string) string {
	if e.redactor == nil {
		return value
	}
	return e.redactor.Variable(name, value)
}

// usage sets the resource usage. If it is known, CPU and memory are always
// present; the others are absent when 0.
func (e *Encoder) usage(u *process.Usage) {
	if *u == (process.Usage{}) {
		return
	}
	a := &e.attributes
	a.double(catalogue.CPUUser, float64(u.UserTime)/1e9)
	a.double(catalogue.CPUSystem, float64(u.SystemTime)/1e9)
	if u.RunDelayKnown {
		a.double(catalogue.CPUWait, float64(u.RunDelay)/1e9)
	}
	a.count(catalogue.PeakRSS, u.PeakRSS)
	a.count(catalogue.MinorFaults, u.MinorFaults)
	a.count(catalogue.MajorFaults, u.MajorFaults)
	a.count(catalogue.Voluntary, u.Voluntary)
	a.count(catalogue.Involuntary, u.Involuntary)
	a.count(catalogue.DiskRead, u.ReadBytes)
	a.count(catalogue.DiskWritten, u.WriteBytes)
	a.count(catalogue.CallsRead, u.ReadChars)
	a.count(catalogue.CallsWritten, u.WriteChars)
}

// outcome is how a process ended.
type outcome struct {
	failed bool
	killed bool   // by a signal
	text   string // "exit code 2", "killed by SIGKILL"
}

// outcome sets how the process ended. It failed unless its exit code is 0 or its
// end was expected.
func (e *Encoder) outcome(l *process.Lifetime) outcome {
	a, code, signal := &e.attributes, l.Status.ExitCode(), l.Status.SignalName()
	if l.EndEstimated {
		a.flag(catalogue.ExitEstimated, true)
		return outcome{text: "exit not seen"}
	}
	if l.ParentWaiting != process.Unknown {
		a.flag(catalogue.ParentWaiting, l.ParentWaiting == process.Yes)
	}
	a.number(catalogue.ExitCode, int64(code))
	if code == 0 {
		return outcome{text: "exit code 0"}
	}
	end := outcome{failed: !l.Expected, killed: signal != ""}
	a.mark(catalogue.ExitExpected, l.Expected)
	errorType := signal
	if !end.killed {
		errorType = strconv.Itoa(code)
		end.text = "exit code " + errorType
	}
	if end.failed {
		a.text(catalogue.ErrorType, errorType)
	}
	if end.killed {
		a.text(catalogue.ExitSignal, signal)
		a.flag(catalogue.ExitCoreDumped, l.Status.CoreDumped())
		end.text = killedBy(signal, l)
	}
	if l.Killer.ID.PID != 0 {
		a.number(catalogue.KillerPID, int64(l.Killer.ID.PID))
		a.text(catalogue.KillerName, l.Killer.Comm)
		a.text(catalogue.KillerPath, l.Killer.Executable)
	}
	if l.OOM.Killed {
		a.flag(catalogue.OOMKilled, true)
		a.count(catalogue.OOMLimit, l.OOM.Limit)
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
