package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/procspan/procspan/process"
)

// Match selects processes: each key that is given must match, and a key with
// several values matches where one of them does.
type Match struct {
	// Executable is by the file's name, or by its path where a glob has a slash: of the
	// file that was executed, or of the one that runs, as a script's interpreter.
	Executable []Glob `yaml:"executable" glob:"path" single:"" omit:"" means:"file that was executed, or that runs: its name, or its path if the glob has a |/|"`
	// Args is by the redacted arguments, with a space between them.
	Args []Glob `yaml:"args" single:"" omit:"" means:"arguments, redacted, with a space between them"`
	// User is a name or a number.
	User []string `yaml:"user" text:"user" single:"" omit:"" means:"effective user, by name or number"`
	// What encloses the process.
	Unit      []Glob   `yaml:"unit" single:"" omit:"" means:"systemd unit, of the system or of a user"`
	Slice     []Glob   `yaml:"slice" single:"" omit:"" means:"innermost systemd slice"`
	Container []Glob   `yaml:"container" single:"" omit:"" means:"container's id or name"`
	Runtime   []string `yaml:"runtime" words:"docker containerd cri-o podman lxc systemd-nspawn" single:"" omit:"" means:"container's runtime"`
	Pod       []Glob   `yaml:"pod" single:"" omit:"" means:"Kubernetes pod's UID"`
	Cgroup    []Glob   `yaml:"cgroup" glob:"path" single:"" omit:"" means:"path of the cgroup"`
	// Parent and Ancestor, at any depth, are as Executable.
	Parent   []Glob `yaml:"parent" glob:"path" single:"" omit:"" means:"program of the parent when it forked, as in executable"`
	Ancestor []Glob `yaml:"ancestor" glob:"path" single:"" omit:"" means:"the same of any process above"`
	// Interactive is a process with a controlling terminal.
	Interactive *bool `yaml:"interactive" means:"whether the session has a terminal"`
	// OutsideInit is a process of a container that is not below its first one.
	OutsideInit *bool `yaml:"outside_init" means:"whether it is in a container, but not below its first process: |kubectl exec|, probes"`
	// Environment is by variables.
	Environment Environment `yaml:"environment" omit:"" means:"environment variables, by name; all must match"`

	// The rest is known when the process ends.
	Exit     []Exit   `yaml:"exit" single:"" omit:"" means:"exit code, signal, |failed| or |expected|"`
	Duration Duration `yaml:"duration" as:"{below: 5s}" means:"time from the first exec to the end"`
	CPU      Duration `yaml:"cpu" as:"{above: 1s}" means:"CPU time of all threads"`
	PeakRSS  Size     `yaml:"peak_rss" as:"{above: 1GiB}" means:"largest resident set"`
	OOM      *bool    `yaml:"oom" means:"whether the kernel's OOM killer ended it"`
}

// Environment is variables with the globs that match their values.
type Environment []Variable

// Variable is a variable and the globs that match its value.
type Variable struct {
	Name   string
	Values []Glob
}

// Duration is a range of durations: Above or more, and less than Below; 0 is no
// bound.
type Duration struct {
	Above time.Duration `yaml:"above" range:"1ns.." omit:""`
	Below time.Duration `yaml:"below" range:"1ns.." omit:""`
}

// Size is a range of bytes: Above or more, and less than Below; 0 is no bound.
type Size struct {
	Above int64 `yaml:"above" unit:"size" range:"1B..1024GiB" omit:""`
	Below int64 `yaml:"below" unit:"size" range:"1B..1024GiB" omit:""`
}

// Exit is an end of a process: an exit code or a signal, or Failed or Expected.
type Exit struct {
	Status           process.Status
	Failed, Expected bool
}

// Workload is what encloses the processes of a cgroup; "" is nothing, or unknown.
type Workload struct {
	Units                         [2]string // of the system's manager, and of a user's
	Slice, Container, ContainerID string
	Runtime, Pod                  string
	Cgroups                       [2]string // paths in the two hierarchies
}

// matchesProgram reports whether a process that executed im matches, by that alone.
func (m *Match) matchesProgram(im *process.Image) bool {
	return len(m.Executable) == 0 || isProgram(m.Executable, im)
}

func isProgram(globs []Glob, im *process.Image) bool {
	running := strings.TrimSuffix(im.Executable, process.DeletedMark)
	return slices.ContainsFunc(globs, func(g Glob) bool {
		if g.ofPath() {
			return matchesAny(g, im.Filename, im.Script, running)
		}
		return matchesAny(g, im.Name(), im.Filename[strings.LastIndexByte(im.Filename, '/')+1:], im.ExecutableName())
	})
}

// matchesAny reports whether a text that is known matches.
func matchesAny(g Glob, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return text != "" && g.Match(text) })
}

func anyOf(globs []Glob, texts ...string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g Glob) bool { return matchesAny(g, texts...) })
}

func (m *Match) matchesUser(uid uint32, name string) bool {
	return len(m.User) == 0 || slices.ContainsFunc(m.User, func(user string) bool {
		return user == name || user == strconv.FormatUint(uint64(uid), 10)
	})
}

// matchesWorkload returns the first key that does not match, "" if all do.
func (m *Match) matchesWorkload(w *Workload) (not string) {
	switch {
	case !anyOf(m.Unit, w.Units[:]...):
		return "unit"
	case !anyOf(m.Slice, w.Slice):
		return "slice"
	case !anyOf(m.Container, w.Container, w.ContainerID):
		return "container"
	case len(m.Runtime) > 0 && !slices.Contains(m.Runtime, w.Runtime):
		return "runtime"
	case !anyOf(m.Pod, w.Pod):
		return "pod"
	case !anyOf(m.Cgroup, w.Cgroups[:]...):
		return "cgroup"
	}
	return ""
}

// ofWorkload reports whether the match depends on the cgroup.
func (m *Match) ofWorkload() bool {
	return len(m.Unit)+len(m.Slice)+len(m.Container)+len(m.Runtime)+len(m.Pod)+len(m.Cgroup) > 0
}

func (m *Match) matchesEnvironment(variable func(name string) (string, bool)) bool {
	return m.Environment.Matches(variable)
}

// Matches reports whether each variable is set and has one of its values.
func (e Environment) Matches(variable func(name string) (string, bool)) bool {
	for _, v := range e {
		value, ok := variable(v.Name)
		if !ok || !slices.ContainsFunc(v.Values, func(g Glob) bool { return g.Match(value) }) {
			return false
		}
	}
	return true
}

func is(want *bool, got bool) bool { return want == nil || *want == got }

// matchesEnd returns the first key that does not match, "" if all do. How a process
// ended whose exit was not seen is not known.
func (m *Match) matchesEnd(l *process.Lifetime) (not string) {
	seen := !l.EndEstimated
	switch {
	case len(m.Exit) > 0 && !(seen && slices.ContainsFunc(m.Exit, func(x Exit) bool { return x.is(l) })):
		return "exit"
	case !m.Duration.has(l.End.Sub(l.Start)):
		return "duration"
	case m.CPU != Duration{} && !(seen && m.CPU.has(l.Usage.UserTime+l.Usage.SystemTime)):
		return "cpu"
	case m.PeakRSS != Size{} && !(seen && m.PeakRSS.has(l.Usage.PeakRSS)):
		return "peak_rss"
	case m.OOM != nil && !(seen && *m.OOM == l.OOM.Killed):
		return "oom"
	}
	return ""
}

func (x Exit) is(l *process.Lifetime) bool {
	failed := l.Status.ExitCode() != 0
	switch {
	case x.Failed, x.Expected:
		return x.Failed && failed && !l.Expected || x.Expected && l.Expected
	case x.Status.Signal() != 0:
		return x.Status.Signal() == l.Status.Signal()
	}
	return x.Status.ExitCode() == l.Status.ExitCode()
}

func (d Duration) has(v time.Duration) bool {
	return v >= d.Above && (d.Below == 0 || v < d.Below)
}

func (s Size) has(v uint64) bool {
	return v >= uint64(s.Above) && (s.Below == 0 || v < uint64(s.Below))
}
