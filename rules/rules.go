// Package rules decides, process by process, what is exported: match → action.
//
// In goes a [Set] of rules, and process by process what is known of it; out comes a
// [process.Ruling], made by a [Compiled] set: when a process executes a program, and
// again when it ends, for the rules that match how it ended. [Set.Kernel] is the part
// that BPF programs can decide.
//
// The rules of this room: pure, no goroutine and no I/O; the order of the rules is
// the user's; a rule that cannot mean what it says is a [Problem], not a surprise.
// The yaml tags are read by package config, which knows their meaning.
package rules

import (
	"github.com/procspan/procspan/process"
)

// Rule is one rule: what it matches and what it does.
type Rule struct {
	// A rule may instead be the name of a preset, which stands for its rules.
	_ string `yaml:"preset" words:"probes shell-noise cron containers-only kubernetes ci"`
	// Name is for logs and explanations; it may be "".
	Name string `yaml:"name" omit:""`
	// Match selects processes; the zero Match is every process.
	Match Match `yaml:"match" as:"{executable: sh}"`
	// Action is whether a process that matches is exported; "" leaves that to a
	// later rule.
	Action Action `yaml:"action" words:"keep drop drop_tree" omit:"" means:"|keep|: export it, whatever |filter| and sampler say. |drop|: do not; its children hang on the next ancestor that is kept. |drop_tree|: drop it with all that it starts from then on"`
	// Sample keeps whole traces with this probability; nil leaves that to a later
	// rule. It excludes Action.
	Sample *float64 `yaml:"sample" range:"0..1" means:"keep whole traces with this probability; decided by the first process of a trace that begins on this host"`
	// KeepFailed exports failed processes that Action or Sample drops.
	KeepFailed bool `yaml:"keep_failed" omit:"" means:"export failed processes that |action| or |sample| drops, without their children"`
	// Args replaces capture.args.
	Args Args `yaml:"args" omit:"" means:"instead of |capture.args|: |off|, |redacted|, |full|, or |{drop_after: N}|"`
	// Attributes is the set of attributes; "" is that of capture.attributes.
	Attributes string `yaml:"attributes" words:"minimal default full" omit:"" means:"instead of |capture.attributes|: |minimal|, |default| or |full|"`
	// SpanName is a word of SpanNames or the name itself; "" is by default.
	SpanName string `yaml:"span_name" omit:"" means:"|script|, |executable|, |argv0|, |command| (name and arguments, redacted, at most 80 characters), or the name itself"`
	// Set are attributes to add.
	Set Settings `yaml:"set" omit:"" raw:"" means:"attributes to add; |service.*| and |deployment.*| go to the resource, all others to the span and its log records"`
	// Trace names the job that a process belongs to: below one ancestor, all processes
	// with the same value are in one trace. "" is none.
	Trace Template `yaml:"trace" omit:"" raw:"" means:"below one ancestor, all processes with the same text are one trace"`
	// ExpectedExits are ends that are no failure, in addition to expected_exits.
	ExpectedExits []process.Status `yaml:"expected_exits" unique:"yes" omit:"" means:"ends that are no failure, in addition to |expected_exits|"`
}

// Action is whether a process is exported.
type Action string

// The actions.
const (
	Keep     Action = "keep"
	Drop     Action = "drop"      // its children hang on the next kept ancestor
	DropTree Action = "drop_tree" // with all its descendants
)

// Args bounds the arguments that are exported. The zero Args changes nothing.
type Args struct {
	// Policy is off, redacted or full; "" is by default.
	Policy string
	// DropAfter is how many arguments are kept; 0 is all.
	DropAfter int
}

// SpanNames returns the words for a span name that is not fixed.
func SpanNames() []string { return []string{"script", "executable", "argv0", "command"} }

// Settings are attributes and their values, in the order of the file.
type Settings []Setting

// Setting is one attribute to add.
type Setting struct {
	Name  string
	Value Template
}

// Set is an ordered list of rules.
type Set []Rule

// decides reports whether the rule decides on the export.
func (r *Rule) decides() bool { return r.Action != "" || r.Sample != nil }

// Variables returns the names of the environment variables that the rules read,
// each once.
func (s Set) Variables() (names []string) {
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, r := range s {
		for _, v := range r.Match.Environment {
			add(v.Name)
		}
		for _, one := range r.Set {
			for _, name := range one.Value.Variables() {
				add(name)
			}
		}
		for _, name := range r.Trace.Variables() {
			add(name)
		}
	}
	return names
}

// Programs returns how many different values the keys parent and ancestor have.
func (s Set) Programs() int {
	seen := make(map[string]bool)
	for i := range s {
		for _, globs := range [][]Glob{s[i].Match.Parent, s[i].Match.Ancestor} {
			if len(globs) > 0 {
				seen[Join(globs)] = true
			}
		}
	}
	return len(seen)
}
