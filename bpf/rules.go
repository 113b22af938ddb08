package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/procspan/procspan/process"
)

// Rule is what the BPF programs decide of a process when it executes a program. The
// first rule that matches counts.
type Rule struct {
	// Name counts what the rule drops; rules may share one.
	Name string
	// Drop drops what the process forks from then on. Otherwise the agent decides, and
	// the rule may match too much.
	Drop bool
	// Executable is any of these; nil is every executable.
	Executable []Text
	// Users are effective ones; nil is every user.
	Users []uint32
	// Interactive is whether the process has a terminal; nil is either.
	Interactive *bool
}

// Text matches the file that is executed, or the name that it was executed by.
type Text struct {
	// Path: Text is of the whole path; otherwise of the name without directories.
	Path bool
	Form Form
	Text string
}

// Form is which part of a name or path a Text is.
type Form int

// The forms.
const (
	Exact Form = iota
	Prefix
	Suffix
)

// Bounds of rules: more of them do not fit.
const (
	MaxRules     = int(procspanWireBoundRULES_MAX)
	maxRuleText  = int(procspanWireBoundRULE_TEXT_MAX)
	maxRuleName  = int(procspanWireBoundRULE_NAME_MAX)
	treeCounters = uint32(procspanWireBoundTREE_COUNTERS)
	commMax      = 15 // bytes of a name that a task keeps
)

// Decides reports whether the BPF programs can decide the rule: it drops, and one of
// its texts has a form that they match. Others leave it to the agent, which is right,
// too.
func (r *Rule) Decides() bool {
	return r.Drop && (r.Executable == nil || slices.ContainsFunc(r.Executable, func(t Text) bool { return len(t.keys(true)) > 0 }))
}

// keys returns the beginnings of paths, in the encoding of wire_exec, that the text
// matches. For a rule that drops, they match nothing else; for another, at least all:
// then nil is everything.
func (t Text) keys(drop bool) (keys []string) {
	text := t.Text
	if strings.ContainsAny(text, "\x00\x01") {
		return nil
	}
	name := text
	if t.Path {
		if !strings.HasPrefix(text, "/") || t.Form == Prefix {
			return nil
		}
		parts := strings.Split(text[1:], "/")
		slices.Reverse(parts)
		name = parts[0]
		key := strings.Join(parts, "\x00") + "\x00"
		if t.Form == Exact {
			key += "\x00"
		}
		keys = append(keys, key)
		if !drop { // the path that it was executed by is not matched, only its name
			keys = append(keys, name+"\x00")
		}
	} else {
		switch t.Form {
		case Exact:
			keys = append(keys, text+"\x00")
		case Prefix:
			keys = append(keys, text)
		default:
			return nil
		}
	}
	if len(name) >= commMax && !drop {
		keys = append(keys, name[:commMax])
	}
	if slices.ContainsFunc(keys, func(key string) bool { return len(key) > maxRuleText }) {
		return nil
	}
	return keys
}

// compiled is a set of rules as the maps have it.
type compiled struct {
	set   procspanRuleSet
	texts map[string]uint64
	users map[uint32]uint64
}

// compile returns the first MaxRules rules. counter returns the counter of a name.
func compile(rules []Rule, counter func(name string) uint32) compiled {
	c := compiled{texts: make(map[string]uint64), users: make(map[uint32]uint64)}
	for i := range min(len(rules), MaxRules) {
		r, bit := &rules[i], uint64(1)<<i
		if r.Drop && !r.Decides() {
			continue // the agent drops it, unless a later rule does
		}
		c.set.Rules |= bit
		if r.Drop {
			c.set.Drop |= bit
			c.set.Counters[i] = counter(r.Name)
		}
		any := r.Executable == nil
		for _, t := range r.Executable {
			keys := t.keys(r.Drop)
			any = any || keys == nil && !r.Drop
			for _, key := range keys {
				c.texts[key] |= bit
			}
		}
		if any {
			c.set.AnyText |= bit
		}
		if r.Users == nil {
			c.set.AnyUser |= bit
		}
		for _, user := range r.Users {
			c.users[user] |= bit
		}
		if r.Interactive == nil || *r.Interactive {
			c.set.WithTerminal |= bit
		}
		if r.Interactive == nil || !*r.Interactive {
			c.set.WithoutTerminal |= bit
		}
	}
	for key := range c.texts {
		c.begin(key)
	}
	// A lookup finds the longest key only.
	own := make(map[string]uint64, len(c.texts))
	for key, bits := range c.texts {
		own[key] = bits
	}
	for key := range c.texts {
		for n := range len(key) {
			c.texts[key] |= own[key[:n]]
		}
	}
	return c
}

// begin notes the first two bytes of a key, all that they may be if it is shorter.
func (c *compiled) begin(key string) {
	low, high := 0, 1<<16-1
	for i := range min(len(key), 2) {
		shift := 8 * (1 - i)
		low |= int(key[i]) << shift
		high = low | (1<<shift - 1)
	}
	for bit := low; bit <= high; bit++ {
		c.set.Begin[bit/64] |= 1 << (bit % 64)
	}
}

// key returns the key of a text in rule_texts.
func (c compiled) key(set uint32, text string) (key procspanRuleText) {
	key.Bits, key.Set = uint32(8*(1+len(text))), uint8(set)
	for i := range len(text) {
		key.Text[i] = int8(text[i])
	}
	return key
}

// SetRules replaces the rules, at once for all CPUs. Marks stay. Rules beyond MaxRules,
// and all if they do not fit, are left to the agent, as those that the BPF programs do
// not decide.
func (t *Tracer) SetRules(rules []Rule) error {
	if err := t.setRules(rules); err != nil {
		return fmt.Errorf("set the rules of the BPF programs: %w", err)
	}
	return nil
}

func (t *Tracer) setRules(rules []Rule) error {
	o := &t.objects
	var state procspanRulesState
	if err := o.RulesStates.Lookup(uint32(0), &state); err != nil {
		return err
	}
	decides := slices.ContainsFunc(rules[:min(len(rules), MaxRules)], func(r Rule) bool { return r.Decides() })
	if !decides {
		state.Active = 0
		return o.RulesStates.Put(uint32(0), state)
	}
	if t.counters == nil {
		if err := t.readCounters(); err != nil {
			return err
		}
	}
	next := uint32(0)
	if state.Active == 1 {
		next = 1
	}
	if err := errors.Join(clearSet(o.RuleTexts, func(key procspanRuleText) bool { return uint32(key.Set) == next }),
		clearSet(o.RuleUsers, func(key procspanRuleUser) bool { return key.Set == next })); err != nil {
		return err
	}
	c := compile(rules, t.counter)
	for text, bits := range c.texts {
		if err := o.RuleTexts.Put(c.key(next, text), bits); err != nil {
			return err
		}
	}
	for user, bits := range c.users {
		if err := o.RuleUsers.Put(procspanRuleUser{Set: next, User: user}, bits); err != nil {
			return err
		}
	}
	if err := o.RuleSets.Put(next, c.set); err != nil {
		return err
	}
	state.Active = next + 1
	return o.RulesStates.Put(uint32(0), state)
}

// clearSet removes the keys of a set that no program uses.
func clearSet[K any](m *ebpf.Map, in func(K) bool) error {
	var keys []K
	var key K
	var bits uint64
	entries := m.Iterate()
	for entries.Next(&key, &bits) {
		if in(key) {
			keys = append(keys, key)
		}
	}
	if err := entries.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}

// MarkTree makes the BPF programs drop what a process forks from now on, and count it
// under a name, until UnmarkTree, which must follow its exit.
func (t *Tracer) MarkTree(id process.ID, name string) error {
	if err := t.markTree(id, name); err != nil {
		return fmt.Errorf("mark a dropped tree: %w", err)
	}
	return nil
}

func (t *Tracer) markTree(id process.ID, name string) error {
	o := &t.objects
	if t.counters == nil {
		if err := t.readCounters(); err != nil {
			return err
		}
	}
	var state procspanRulesState
	if err := o.RulesStates.Lookup(uint32(0), &state); err != nil {
		return err
	}
	if state.Marks == 0 {
		state.Marks = 1
		if err := o.RulesStates.Put(uint32(0), state); err != nil {
			return err
		}
	}
	return o.Marks.Put(keyOf(id), t.counter(name))
}

// UnmarkTree makes the BPF programs report again what a process forks from now on.
func (t *Tracer) UnmarkTree(id process.ID) error {
	for _, m := range []*ebpf.Map{t.objects.Marks, t.objects.Trees} {
		if err := m.Delete(keyOf(id)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("unmark a dropped tree: %w", err)
		}
	}
	return nil
}

// Marked returns the processes that MarkTree or a rule has marked.
func (t *Tracer) Marked() (ids []process.ID, err error) {
	var key procspanProcessId
	var counter uint32
	marks := t.objects.Marks.Iterate()
	for marks.Next(&key, &counter) {
		ids = append(ids, id(key.Pid, key.Start))
	}
	var tree procspanTree
	trees := t.objects.Trees.Iterate()
	for trees.Next(&key, &tree) {
		if tree.Flags&uint32(procspanTreeFlagTREE_MARKED) != 0 {
			ids = append(ids, id(key.Pid, key.Start))
		}
	}
	if err := errors.Join(marks.Err(), trees.Err()); err != nil {
		return nil, fmt.Errorf("list the dropped trees: %w", err)
	}
	return ids, nil
}

func keyOf(id process.ID) procspanProcessId {
	return procspanProcessId{Start: uint64(id.Start), Pid: id.PID}
}

// readCounters reads which names have a counter: of pinned programs, an earlier agent
// gave some.
func (t *Tracer) readCounters() error {
	t.counters = make(map[string]uint32)
	for i := range treeCounters {
		var name procspanRuleName
		if err := t.objects.TreeNames.Lookup(i, &name); err != nil {
			return fmt.Errorf("read the names of rules: %w", err)
		}
		text := make([]byte, 0, maxRuleName)
		for _, c := range name.Text {
			text = append(text, byte(c))
		}
		text, _, _ = bytes.Cut(text, []byte{0})
		if len(text) == 0 {
			break
		}
		t.counters[string(text)] = i
	}
	return nil
}

// counter returns the counter of a name; the last one is shared by all that have none.
func (t *Tracer) counter(name string) uint32 {
	name = name[:min(len(name), maxRuleName)]
	i, ok := t.counters[name]
	if ok {
		return i
	}
	i = min(uint32(len(t.counters)), treeCounters-1)
	var text procspanRuleName
	for n := range len(name) {
		text.Text[n] = int8(name[n])
	}
	if err := t.objects.TreeNames.Put(i, text); err != nil {
		return treeCounters - 1
	}
	t.counters[name] = i
	return i
}

// Dropped returns how many processes that executed a program the BPF programs did not
// report, by the names of rules and marks.
func (t *Tracer) Dropped() (map[string]uint64, error) {
	dropped := make(map[string]uint64, len(t.counters))
	for name, i := range t.counters {
		var perCPU []uint64
		if err := t.objects.TreeCounts.Lookup(i, &perCPU); err != nil {
			return nil, fmt.Errorf("read how much the rules dropped: %w", err)
		}
		for _, n := range perCPU {
			dropped[name] += n
		}
	}
	return dropped, nil
}
