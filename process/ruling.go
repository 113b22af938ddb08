package process

import (
	"strings"
	"time"
)

// Rules judge processes. They are one immutable value for a Table; see SetPolicy.
type Rules interface {
	// Programs names what Program recognizes, a bit for each name.
	Programs() []string
	// Program returns which of the programs an image is.
	Program(im *Image) uint64
	// DropsTree reports whether a rule of this name drops trees.
	DropsTree(rule string) bool
	// Start judges a process at an exec, and one that executes none when it gets a
	// span. It returns nil if no rule matches.
	Start(c *Candidate) *Ruling
	// End judges a lifetime at its end, if the ruling at its start has Late.
	End(start *Ruling, c *Candidate, l *Lifetime) *Ruling
}

// Candidate is a process that is judged. It is valid during the call.
type Candidate struct {
	Image       *Image
	Groups      *Groups
	Credentials *Credentials
	Kin         Kin
	// OutsideInit is set if the process is in a pid namespace, and not below its first
	// process.
	OutsideInit bool
}

// Kin is what a process inherits at its fork from those above it. The bits are those of
// Rules.Programs, of what each ran when it forked.
type Kin struct {
	// Parent is the nearest ancestor that had executed a program, Ancestors are all.
	Parent, Ancestors uint64
	// Init is the pid namespace of the nearest ancestor that is the first process of
	// one, or 0.
	Init uint32
}

// Ruling is what rules decide on a process. It is not changed once it is made.
type Ruling struct {
	Action Action
	// Rule and Index name the rule that decided.
	Rule  string
	Index int
	// KeepFailed exports the process if it failed and Action drops it.
	KeepFailed bool
	// Threshold is, for Sample, how many of 2⁵⁶ values of a trace id are not exported,
	// TraceState what says so in those that are.
	Threshold  uint64
	TraceState string
	// Trace is the job that the process belongs to, in a trace of its own; 0 is none.
	Trace uint64
	// Late is asked again at the end, if the ruling depends on that. As long as Open
	// after its start, the process may still be dropped.
	Late Rules
	Open time.Duration
	// Treatment is how the process is exported; nil is as configured.
	Treatment *Treatment
	// Bytes is what values from the environment take in Treatment; 0 if it has none.
	Bytes int
	// Matched is for the Rules that made it.
	Matched [4]uint64
}

// Action is whether a process is exported.
type Action uint8

// The actions.
const (
	NoAction Action = iota // no rule decided
	Keep
	Drop     // children hang on the next ancestor that is kept
	DropTree // with everything that it starts from then on
	Sample   // the trace, if it begins with this process
)

// Treatment is how rules change the export of a process. It is not changed once it is
// made.
type Treatment struct {
	// Args is the policy for arguments, "" as configured. DropAfter is how many are
	// exported; 0 is all.
	Args      string
	DropAfter int
	// Attributes is the set of attributes, "" as configured.
	Attributes string
	// SpanName is a word for the span's name, or FixedName.
	SpanName, FixedName string
	// Set are attributes to add, Resource those of the resource.
	Set, Resource []Setting
	// Expected are ends that are no failure.
	Expected []Status
}

// FirstArgs returns the arguments that are exported, each ended by a NUL byte, and
// whether there were more.
func (t *Treatment) FirstArgs(args string) (first string, more bool) {
	end := 0
	for n := t.DropAfter; n > 0 && end < len(args); n-- {
		next := strings.IndexByte(args[end:], 0)
		if next < 0 {
			return args, false
		}
		end += next + 1
	}
	if t.DropAfter <= 0 {
		return args, false
	}
	return args[:end], end < len(args)
}

// Setting is an attribute.
type Setting struct{ Name, Value string }

// drops reports whether the ruling drops the process, unless it fails.
func (r *Ruling) drops() bool { return r != nil && (r.Action == Drop || r.Action == DropTree) }

// decides reports whether the ruling keeps the process, whatever else would filter it.
func (r *Ruling) decides() bool { return r != nil && (r.Action == Keep || r.drops()) }

// expects reports whether the rules expect an end.
func (r *Ruling) expects(status Status) bool {
	if r == nil || r.Treatment == nil {
		return false
	}
	for _, s := range r.Treatment.Expected {
		if s == status {
			return true
		}
	}
	return false
}

// IsDefault reports whether the treatment changes nothing.
func (t *Treatment) IsDefault() bool {
	return t.Args == "" && t.DropAfter == 0 && t.Attributes == "" && t.SpanName == "" && t.FixedName == "" &&
		len(t.Set) == 0 && len(t.Resource) == 0 && len(t.Expected) == 0
}
