package rules

import (
	"fmt"
	"reflect"
	"strings"
)

// Problem is why a rule cannot mean what it says.
type Problem struct {
	// Key is the key below the rule, such as "match.duration"; "" is the rule.
	Key, Text string
}

// Problems returns why the rule cannot mean what it says.
func (r *Rule) Problems() (all []Problem) {
	add := func(is bool, key, format string, args ...any) {
		if is {
			all = append(all, Problem{key, fmt.Sprintf(format, args...)})
		}
	}
	late := strings.Join(r.Match.endKeys(), ", ")
	add(r.doesNothing(), "", "does nothing; give action, sample, args, attributes, span_name, set, trace or expected_exits")
	add(r.Action != "" && r.Sample != nil, "sample", "excludes action (got both); keep one")
	add(r.KeepFailed && r.Sample == nil && (r.Action == "" || r.Action == Keep), "keep_failed",
		"has no use without action drop or drop_tree, or sample; remove it")
	add(r.Action == DropTree && late != "", "action",
		"drop_tree is decided when a process starts, and match has %s, known when it ends; use drop, or remove that", late)
	add(r.Sample != nil && late != "", "sample",
		"is decided when a trace starts, and match has %s, known when a process ends; use drop, or remove that", late)
	add(r.Trace.String() != "" && late != "", "trace",
		"is decided when a process starts, and match has %s, known when it ends; remove that", late)
	m := &r.Match
	const empty = "matches nothing: above must be less than below"
	add(m.Duration.Below > 0 && m.Duration.Above >= m.Duration.Below, "match.duration", empty)
	add(m.CPU.Below > 0 && m.CPU.Above >= m.CPU.Below, "match.cpu", empty)
	add(m.PeakRSS.Below > 0 && m.PeakRSS.Above >= m.PeakRSS.Below, "match.peak_rss", empty)
	return all
}

func (r *Rule) doesNothing() bool {
	return !r.decides() && r.Args == (Args{}) && r.Attributes == "" && r.SpanName == "" &&
		len(r.Set) == 0 && r.Trace.String() == "" && len(r.ExpectedExits) == 0
}

// everything reports whether the match is every process.
func (m *Match) everything() bool { return reflect.ValueOf(m).Elem().IsZero() }

// Unreachable returns, for each rule whose decision is never reached, the rule
// before it that decides on every process.
func (s Set) Unreachable() map[int]int {
	never := make(map[int]int)
	for i := range s {
		if !s[i].decides() || !s[i].Match.everything() {
			continue
		}
		for j := i + 1; j < len(s); j++ {
			if s[j].decides() {
				never[j] = i
			}
		}
		break
	}
	return never
}

// endKeys returns the keys that are given and known only when a process ends.
func (m *Match) endKeys() (keys []string) {
	for _, k := range []struct {
		name  string
		given bool
	}{
		{"exit", len(m.Exit) > 0},
		{"duration", m.Duration != Duration{}},
		{"cpu", m.CPU != Duration{}},
		{"peak_rss", m.PeakRSS != Size{}},
		{"oom", m.OOM != nil},
	} {
		if k.given {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// agentKeys returns the keys that are given and that the BPF programs cannot
// decide: all but executable, user and interactive.
func (m *Match) agentKeys() (keys []string) {
	for _, k := range []struct {
		name  string
		given bool
	}{
		{"args", len(m.Args) > 0},
		{"ancestor", len(m.Ancestor) > 0},
		{"unit", len(m.Unit) > 0},
		{"slice", len(m.Slice) > 0},
		{"container", len(m.Container) > 0},
		{"runtime", len(m.Runtime) > 0},
		{"pod", len(m.Pod) > 0},
		{"cgroup", len(m.Cgroup) > 0},
		{"parent", len(m.Parent) > 0},
		{"outside_init", m.OutsideInit != nil},
		{"environment", len(m.Environment) > 0},
	} {
		if k.given {
			keys = append(keys, k.name)
		}
	}
	return append(keys, m.endKeys()...)
}
