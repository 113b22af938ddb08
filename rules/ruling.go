package rules

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/procspan/procspan/process"
)

const (
	// maxOpen is how long the children of a process wait at most for a rule that matches
	// by how the process ends.
	maxOpen = 10 * time.Second
	// maxValue bounds what is taken of the value of a variable, in bytes.
	maxValue = 256
)

// moment is when rules are asked, and what they know.
type moment struct {
	matched ruleBits
	ended   bool
}

// expansion is what rules that matched take from the environment of a process.
type expansion struct {
	settings []process.Setting // of all rules, in order; a value may be ""
	trace    string
}

// ruling returns what the rules that matched decide on a process that starts, or, if
// start is its first ruling, has ended.
func (c *Compiled) ruling(matched ruleBits, im *process.Image, start *process.Ruling) *process.Ruling {
	at := moment{matched, start != nil}
	if !matched.meets(&c.expands) {
		if r, ok := c.rulings.get(at); ok {
			return r
		}
		r := c.decide(at, nil)
		c.rulings.set(at, r, 0)
		return r
	}
	x := c.expand(&matched, im, start)
	key := x.key(at)
	if r, ok := c.expanded.get(key); ok {
		return r
	}
	r := c.decide(at, x)
	if r.Treatment != nil {
		r.Bytes = len(key)
	}
	c.expanded.set(key, r, 2*len(key))
	return r
}

// expands reports whether the ruling depends on the environment.
func (r *Rule) expands() bool {
	return len(r.Trace.Variables()) > 0 || slices.ContainsFunc(r.Set, func(s Setting) bool { return len(s.Value.Variables()) > 0 })
}

// expand returns the values that the rules take from the environment. What was set at
// the start stays: long environments are not kept until the end.
func (c *Compiled) expand(matched *ruleBits, im *process.Image, start *process.Ruling) *expansion {
	variable := func(name string) (string, bool) {
		value, ok := im.Variable(name)
		return cut(c.host.Variable(name, value)), ok
	}
	x := &expansion{}
	for i := range matched.each() {
		r := &c.set[i]
		for _, one := range r.Set {
			value, ok := settingIn(start, one.Name)
			if !ok {
				value = one.Value.Expand(variable)
			}
			x.settings = append(x.settings, process.Setting{Name: one.Name, Value: value})
		}
		if x.trace == "" {
			x.trace = r.Trace.Expand(variable)
		}
	}
	return x
}

func settingIn(r *process.Ruling, name string) (value string, ok bool) {
	if r == nil || r.Treatment == nil {
		return "", false
	}
	for _, one := range slices.Concat(r.Treatment.Set, r.Treatment.Resource) {
		if one.Name == name {
			return one.Value, true
		}
	}
	return "", false
}

// cut bounds a text that a user of the host chose.
func cut(text string) string {
	if len(text) <= maxValue {
		return text
	}
	end := maxValue
	for end > maxValue-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end])
}

// key returns what the ruling depends on.
func (x *expansion) key(at moment) string {
	var b []byte
	for _, word := range at.matched {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	b = strconv.AppendBool(b, at.ended)
	b = append(binary.AppendUvarint(b, uint64(len(x.trace))), x.trace...)
	for _, one := range x.settings {
		b = append(binary.AppendUvarint(b, uint64(len(one.Value))), one.Value...)
	}
	return string(b)
}

// decide makes a ruling.
func (c *Compiled) decide(at moment, x *expansion) *process.Ruling {
	r, t := &process.Ruling{Matched: at.matched}, &process.Treatment{}
	if x == nil {
		x = c.expand(&at.matched, &process.Image{}, nil) // of constants
	}
	settings := x.settings
	for i := range at.matched.each() {
		rule, own := &c.set[i], settings[:len(c.set[i].Set)]
		settings = settings[len(own):]
		if !at.ended && c.late.has(i) {
			r.Late = c
			if r.Action == process.NoAction && (rule.Action == Drop || rule.Action == DropTree) {
				r.Open = max(r.Open, rule.open())
			}
			continue
		}
		if r.Action == process.NoAction && rule.decides() {
			rule.rule(r)
			r.Rule, r.Index = c.set.Title(i), i
		}
		rule.treat(t, own)
	}
	if r.Action == process.Drop || r.Action == process.DropTree {
		r.Open = 0 // however it ends
	}
	if x.trace != "" {
		h := fnv.New64a()
		h.Write([]byte(x.trace))
		r.Trace = max(1, h.Sum64())
	}
	if !t.IsDefault() {
		r.Treatment = t
	}
	return r
}

// open returns how long after its start a process may turn out to match.
func (r *Rule) open() time.Duration {
	if below := r.Match.Duration.Below; below > 0 {
		return min(below, maxOpen)
	}
	return maxOpen
}

// rule makes the rule's decision that of a ruling.
func (r *Rule) rule(ruling *process.Ruling) {
	ruling.KeepFailed = r.KeepFailed
	switch {
	case r.Sample != nil:
		ruling.Action = process.Sample
		ruling.Threshold, ruling.TraceState = threshold(*r.Sample)
	case r.Action == Keep:
		ruling.Action = process.Keep
	case r.Action == Drop:
		ruling.Action = process.Drop
	default:
		ruling.Action = process.DropTree
	}
}

// threshold returns how many of the 2⁵⁶ values of a trace id are not sampled, and the
// tracestate of those that are, by OpenTelemetry's consistent probability sampling.
func threshold(probability float64) (n uint64, state string) {
	const all = 1 << 56
	n = all - uint64(math.Round(probability*all))
	if n >= all {
		return all, ""
	}
	hex := strconv.FormatUint(all|n, 16)[1:] // with leading zeros
	hex = strings.TrimRight(hex, "0")
	if hex == "" {
		hex = "0"
	}
	return n, "ot=th:" + hex
}

// treat adds what a rule changes to a treatment; the first rule that has something wins.
func (r *Rule) treat(t *process.Treatment, settings []process.Setting) {
	if t.Args == "" {
		t.Args = r.Args.Policy
	}
	if t.DropAfter == 0 {
		t.DropAfter = r.Args.DropAfter
	}
	if t.Attributes == "" {
		t.Attributes = r.Attributes
	}
	if t.SpanName+t.FixedName == "" {
		if slices.Contains(SpanNames(), r.SpanName) {
			t.SpanName = r.SpanName
		} else {
			t.FixedName = r.SpanName
		}
	}
	for _, one := range settings {
		list := &t.Set
		if ofResource(one.Name) {
			list = &t.Resource
		}
		if one.Value != "" && !slices.ContainsFunc(*list, func(s process.Setting) bool { return s.Name == one.Name }) {
			*list = append(*list, one)
		}
	}
	t.Expected = append(t.Expected, r.ExpectedExits...)
}

// ofResource reports whether an attribute describes the service, not the process.
func ofResource(name string) bool {
	return strings.HasPrefix(name, "service.") || strings.HasPrefix(name, "deployment.")
}
