package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// KernelRule is what the BPF programs know of a rule that decides: which processes are
// the root of a dropped tree, as far as an exec shows it. The first that matches ends
// the search.
type KernelRule struct {
	// Rule is its index in the Set.
	Rule int
	// Drop: the tree is dropped. Otherwise the agent decides, and no later rule counts;
	// the rule may then match more processes here than in the Set.
	Drop bool
	// Executable and User match by one of them; none is everything.
	Executable  []KernelText
	User        []KernelUser
	Interactive *bool
}

// KernelText is a glob that BPF programs can match: the whole text, its beginning or
// its end. It is of the base name or the path of an executed file, whether that is the
// one given to execve or the one that runs.
type KernelText struct {
	Path bool
	Form Form
	Text string
}

// Form is how a KernelText matches.
type Form uint8

// The forms.
const (
	Exact Form = iota
	Prefix
	Suffix
)

// KernelUser is a user id. Host is set if it stands for a name, which only processes
// have whose root directory is the agent's.
type KernelUser struct {
	ID   uint32
	Host bool
}

// Kernel returns the rules that BPF programs can decide at an exec, in their order,
// and the rules before them that the agent decides. uid returns the id of a user.
func (s Set) Kernel(uid func(name string) (uint32, bool)) (all []KernelRule) {
	last := 0
	for i := range s {
		r := &s[i]
		if !r.decides() {
			continue
		}
		k, whole := r.kernel(uid)
		if r.dropsInKernel() && !(whole && k.decidable()) {
			continue // the agent drops what matches, whatever a later rule does
		}
		k.Rule = i
		k.Drop = r.dropsInKernel()
		all = append(all, k)
		if k.Drop {
			last = len(all)
		}
		if k.everything() {
			break
		}
	}
	return all[:last]
}

// dropsInKernel reports whether a process that the rule decides on leaves nothing to
// be decided below it.
func (r *Rule) dropsInKernel() bool { return r.Action == DropTree && !r.KeepFailed }

// kernel returns what BPF programs can match of a rule, and whether that is all.
func (r *Rule) kernel(uid func(name string) (uint32, bool)) (k KernelRule, whole bool) {
	m := &r.Match
	whole = len(m.agentKeys()) == 0
	for _, g := range m.Executable {
		text, ok := g.kernel()
		if !ok {
			k.Executable, whole = nil, false
			break
		}
		k.Executable = append(k.Executable, text)
	}
	for _, name := range m.User {
		user, ok := kernelUser(name, uid)
		if !ok {
			k.User, whole = nil, false
			break
		}
		k.User = append(k.User, user)
	}
	k.Interactive = m.Interactive
	return k, whole
}

func kernelUser(name string, uid func(name string) (uint32, bool)) (KernelUser, bool) {
	if id, err := strconv.ParseUint(name, 10, 32); err == nil {
		return KernelUser{ID: uint32(id)}, true
	}
	id, ok := uid(name)
	return KernelUser{ID: id, Host: true}, ok
}

// decidable reports whether the BPF programs can decide the rule for some executables:
// they compare names from the front and paths from the back.
func (k *KernelRule) decidable() bool {
	return len(k.Executable) == 0 || slices.ContainsFunc(k.Executable, func(t KernelText) bool {
		return t.Form == Exact || t.Path == (t.Form == Suffix)
	})
}

// everything reports whether the rule matches every exec.
func (k *KernelRule) everything() bool {
	return len(k.Executable) == 0 && len(k.User) == 0 && k.Interactive == nil
}

// kernel returns the glob of an executable for BPF programs, if they can match it: one
// star, at its beginning or its end.
func (g Glob) kernel() (t KernelText, ok bool) {
	t.Path = g.ofPath()
	tokens := g.tokens
	star := func(t token) bool { return t.kind == allText || t.kind == anyText && !strings.Contains(g.pattern, "/") }
	switch n := len(tokens); {
	case star(tokens[n-1]):
		t.Form, tokens = Prefix, tokens[:n-1]
	case star(tokens[0]):
		t.Form, tokens = Suffix, tokens[1:]
	}
	var text strings.Builder
	for _, one := range tokens {
		if one.kind != literal {
			return KernelText{}, false
		}
		text.WriteRune(one.char)
	}
	t.Text = text.String()
	return t, true
}

// ofPath reports whether the glob of an executable is of its path.
func (g Glob) ofPath() bool { return strings.Contains(g.pattern, "/") }

// Place is where a rule is decided.
type Place struct {
	// When the rule is decided.
	When When
	// InKernel: the BPF programs drop what it decides on, so that no record reaches the
	// agent: from the first event on, or Below the first process that the agent has
	// seen and dropped.
	InKernel, Below bool
	// Why it is not decided in the kernel; "" where it is.
	Why string
}

// When is when a rule is decided.
type When uint8

// The moments.
const (
	AtExec When = iota
	AtExit
)

// Places returns where each rule is decided. uid is as in Kernel.
func (s Set) Places(uid func(name string) (uint32, bool)) []Place {
	places := make([]Place, len(s))
	first := make(map[int]bool)
	for _, k := range s.Kernel(uid) {
		first[k.Rule] = k.Drop
	}
	for i := range s {
		r, p := &s[i], &places[i]
		late := strings.Join(r.Match.endKeys(), ", ")
		if late != "" || r.KeepFailed && r.Sample == nil {
			p.When = AtExit
		}
		switch {
		case first[i]:
			p.InKernel = true
		case r.dropsInKernel():
			p.InKernel, p.Below = true, true
		case !r.decides():
			p.Why = "it decides on no export"
		case r.Action != DropTree:
			p.Why = "the BPF programs drop whole trees only"
		case r.KeepFailed:
			p.Why = "keep_failed needs to know how a process ends"
		}
	}
	return places
}

// Title names a rule for a person.
func (s Set) Title(i int) string {
	if s[i].Name != "" {
		return s[i].Name
	}
	return fmt.Sprintf("rule %d", i+1)
}
