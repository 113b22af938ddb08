package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// walker reads a tree of YAML nodes and gathers what is wrong with it.
type walker struct {
	name     string
	env      func(string) (string, bool)
	problems problems
	sections map[*yaml.Node]section
}

// place is where a value stands: its key or its index, below another place.
type place struct {
	up    *place
	key   string
	index int // of an item of a list; -1 of a key
	depth int
	// secret: nothing that stands here is quoted; raw: no reference is substituted.
	secret, raw bool
}

func (p *place) at(key string, secret bool) *place {
	return &place{up: p, key: key, index: -1, depth: p.depth + 1, secret: secret || p.secret, raw: p.raw}
}

func (p *place) item(i int) *place {
	return &place{up: p, index: i, depth: p.depth + 1, secret: p.secret, raw: p.raw}
}

// String returns "a.b[0].c"; "" for the root.
func (p *place) String() string {
	if p.up == nil {
		return ""
	}
	above := p.up.String()
	if p.index >= 0 {
		return above + "[" + strconv.Itoa(p.index) + "]"
	}
	return join(above, p.key)
}

// value is a node of the file and its place; the node is nil where the key is
// absent.
type value struct {
	w    *walker
	node *yaml.Node
	at   *place
}

func (v value) fail(format string, args ...any) { v.w.fail(v.node, v.at, format, args...) }

func (w *walker) fail(n *yaml.Node, at *place, format string, args ...any) {
	w.problems.add(func() Problem {
		return Problem{Name: w.name, Line: n.Line, Path: at.String(), Text: fmt.Sprintf(format, args...)}
	})
}

// blamed reports whether a problem of the node was reported by prepare.
func (v value) blamed() bool { return v.node != nil && v.node.Kind == yaml.AliasNode }

func (v value) isNull() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == tagNull }

// got describes the node for "(got …)".
func (v value) got() string { return found(v.node, v.at.secret) }

// list returns the items of a list, and whether it is one.
func (v value) list() ([]value, bool) {
	switch {
	case v.node == nil || v.blamed():
		return nil, false
	case v.node.Kind != yaml.SequenceNode:
		v.fail("must be a list (got %s)", v.got())
		return nil, false
	}
	items := make([]value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = value{v.w, n, v.at.item(i)}
	}
	return items, true
}

// items returns the items of a list that must not be empty.
func (v value) items() []value {
	items, ok := v.list()
	if ok && len(items) == 0 {
		v.fail("must have at least one item; remove the key")
	}
	return items
}

// scalar returns the text of a scalar of the kind.
func (v value) scalar(k *kind) (string, bool) {
	switch {
	case v.node == nil || v.blamed():
		return "", false
	case v.node.Kind == yaml.ScalarNode && slices.Contains(k.tags, v.node.Tag):
		return v.node.Value, true
	}
	hint := ""
	if v.node.Kind == yaml.ScalarNode && !v.isNull() {
		hint = k.hint
	}
	v.fail("must be %s (got %s)%s", k.what, v.got(), hint)
	return "", false
}

// parse reads a scalar of the kind; nil where there is none or it is wrong.
func (v value) parse(k *kind) any {
	text, ok := v.scalar(k)
	if !ok {
		return nil
	}
	parsed, problem := k.parse(text, v.got())
	if problem != "" {
		v.fail("%s", problem)
		return nil
	}
	return parsed
}

// section is a mapping of the file, its keys checked. A key that holds null is
// as good as absent. The zero section stands for an absent mapping: everything in
// it has its default.
type section struct {
	value
	o      *option
	fields map[string]*yaml.Node
}

// section reads the node as the mapping that o describes, once.
func (v value) section(o *option) section {
	s, ok := v.w.sections[v.node]
	if !ok {
		s = section{value: v, o: o}
		s.readKeys()
		if v.node != nil {
			v.w.sections[v.node] = s
		}
	}
	return s
}

func (s *section) readKeys() {
	n := s.node
	if n == nil || s.blamed() {
		return
	}
	if n.Kind != yaml.MappingNode {
		example := ""
		if s.o.has("as") {
			example = ", as in " + s.o.tag.Get("as")
		}
		s.value.fail("must be a mapping%s (got %s)", example, s.got())
		return
	}
	s.fields = make(map[string]*yaml.Node)
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		blame := func(at *place, format string, args ...any) { s.w.fail(key, at, format, args...) }
		switch {
		case key.Kind != yaml.ScalarNode:
			blame(s.at, "a key must be plain text (got %s)", found(key, false))
			continue
		case key.Style&yaml.TaggedStyle != 0 || key.Anchor != "":
			blame(s.below(key.Value), "a key can have no tag or anchor")
			continue
		case key.Value == "<<":
			blame(s.at, "merge keys (<<) are not supported; write the keys out")
			continue
		case lines[key.Value] > 0:
			blame(s.below(key.Value), "duplicate key; line %d has it already", lines[key.Value])
			continue
		}
		lines[key.Value] = key.Line
		switch {
		case s.o.key(key.Value) != nil || s.o.anyKey:
			if val.Kind != yaml.ScalarNode || val.Tag != tagNull {
				s.fields[key.Value] = val
			}
		case slices.Contains(strings.Fields(s.o.tag.Get("unsupported")), key.Value):
			blame(s.below(key.Value), "procspan does not support %s; %s", key.Value, s.o.hint())
		case s.o.name == vendors && nearest(key.Value, s.o.names()) == "":
			// Another vendor's.
		default:
			blame(s.below(key.Value), "%s", s.o.unknown(key.Value))
		}
	}
}

// below returns the place of a key as it was written; where that may be a secret,
// as in {authorization: …}, of the mapping.
func (s section) below(key string) *place {
	k := s.o.key(key)
	if k == nil && s.at.secret {
		return s.at
	}
	return s.at.at(key, k != nil && k.has("secret"))
}

// keys returns the keys that hold something other than null, in their order.
func (s section) keys() (keys []string) {
	for i := 0; s.fields != nil && i+1 < len(s.node.Content); i += 2 {
		if key := s.node.Content[i]; s.fields[key.Value] == s.node.Content[i+1] {
			keys = append(keys, key.Value)
		}
	}
	return keys
}

// has reports whether the key holds something other than null.
func (s section) has(key string) bool { return s.fields[key] != nil }

// present reports whether the key is there; it may be null.
func (s section) present(key string) bool { return s.hasKey(func(k string) bool { return k == key }) }

// given returns the keys that are there, in the order of their option.
func (s section) given() []string {
	return slices.DeleteFunc(s.o.names(), func(key string) bool { return !s.present(key) })
}

// hasUnknown reports whether a key stands here that was blamed.
func (s section) hasUnknown() bool {
	return s.hasKey(func(k string) bool { return s.o.key(k) == nil })
}

func (s section) hasKey(is func(string) bool) bool {
	if s.fields == nil {
		return false
	}
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		if is(s.node.Content[i].Value) {
			return true
		}
	}
	return false
}

// get returns the value of a key.
func (s section) get(key string) value { return value{s.w, s.fields[key], s.below(key)} }

// fail blames the value of a key, or the section where it has none.
func (s section) fail(key, format string, args ...any) {
	n := s.fields[key]
	if n == nil {
		n = s.node
	}
	s.w.fail(n, s.below(key), format, args...)
}

// blame is fail for what is wrong with a part of a value.
type blame func(format string, args ...any)

func (s section) blame(key string) blame {
	return func(format string, args ...any) { s.fail(key, format, args...) }
}

// missing blames the absence of a key. A section that is not a mapping has been
// blamed already.
func (s section) missing(key, hint string) {
	if s.fields != nil {
		s.fail(key, "is missing; %s", hint)
	}
}

// section returns the mapping at a key.
func (s section) section(key string) section { return s.get(key).section(s.o.key(key)) }

// text returns the string at a key; errors are reported elsewhere.
func (s section) text(key string) (string, bool) {
	n := s.fields[key]
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag != tagStr {
		return "", false
	}
	return n.Value, true
}

// isTrue reports whether the key holds true.
func (s section) isTrue(key string) bool {
	n := s.fields[key]
	return n != nil && n.Kind == yaml.ScalarNode && n.Tag == tagBool && isTrue(n.Value)
}
