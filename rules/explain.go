package rules

import (
	"strings"

	"github.com/procspan/procspan/process"
)

// Explanation is whether a rule matches a process, and why.
type Explanation struct {
	Matches process.Answer
	// Key is the first key that does not match, or, if the answer is Unknown, the keys
	// that are known when the process ends.
	Key string
}

// Explain returns whether each rule matches a process that runs.
func (c *Compiled) Explain(p *process.Candidate) []Explanation {
	all := make([]Explanation, len(c.set))
	for i := range c.set {
		m := &c.set[i].Match
		late := strings.Join(m.endKeys(), ", ")
		switch key := c.mismatch(i, p); {
		case key != "":
			all[i] = Explanation{process.No, key}
		case late != "":
			all[i] = Explanation{process.Unknown, late}
		default:
			all[i] = Explanation{Matches: process.Yes}
		}
	}
	return all
}

// mismatch returns the first key of a rule that does not match a process that runs, ""
// if all do. It says key by key what match decides for all rules at once.
func (c *Compiled) mismatch(i int, p *process.Candidate) string {
	m := &c.set[i].Match
	name := ""
	if !p.Credentials.OtherRoot {
		name = c.host.User(p.Credentials.EffectiveUser)
	}
	w, _ := c.host.Workload(p.Groups.Cgroup)
	within := m.matchesWorkload(&w)
	switch {
	case !m.matchesProgram(p.Image):
		return "executable"
	case !anyOf(m.Args, c.args(p.Image)):
		return "args"
	case !m.matchesUser(p.Credentials.EffectiveUser, name):
		return "user"
	case within != "":
		return within
	case len(m.Parent) > 0 && c.program(m.Parent)&p.Kin.Parent == 0:
		return "parent"
	case len(m.Ancestor) > 0 && c.program(m.Ancestor)&p.Kin.Ancestors == 0:
		return "ancestor"
	case !is(m.Interactive, p.Groups.Terminal != 0):
		return "interactive"
	case !is(m.OutsideInit, p.OutsideInit):
		return "outside_init"
	case !m.Environment.Matches(p.Image.Variable):
		return "environment"
	}
	return ""
}
