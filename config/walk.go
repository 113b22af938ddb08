package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// walker reads a tree of YAML nodes and gathers what is wrong with it.
type walker struct {
	name     string
	env      func(string) (string, bool)
	schema   map[string]shape
	problems []Problem
}

func (w *walker) fail(n *yaml.Node, path, format string, args ...any) {
	w.problems = append(w.problems, Problem{
		Name: w.name, Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...),
	})
}

// prepare substitutes the variables of all scalar values and resolves their
// types anew. Aliases are never followed, so a cycle does no harm; what has
// been blamed becomes an alias too, which nobody reads and which does not count
// as missing either. foreign parts belong to somebody else: only their
// references are checked.
func (w *walker) prepare(n *yaml.Node, path string, foreign bool) {
	if !foreign {
		switch {
		case n.Kind == yaml.AliasNode:
			w.fail(n, path, "aliases are not supported; write the value out, or quote a text that starts with *")
			return
		case n.Anchor != "":
			w.fail(n, path, "anchors are not supported; remove it, or quote a text that starts with &")
		case n.Style&yaml.TaggedStyle != 0:
			w.fail(n, path, "tags are not supported; remove it, or quote a text that starts with !")
			n.Kind = yaml.AliasNode
			return
		}
	}
	switch n.Kind {
	case yaml.ScalarNode:
		plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
		text, err := substitute(n.Value, w.env)
		if err != nil {
			w.fail(n, path, "%v", err)
			n.Kind = yaml.AliasNode
			return
		}
		n.Value, n.Tag = text, tagStr
		if plain {
			n.Tag = coreTag(text)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			w.prepare(item, fmt.Sprintf("%s[%d]", path, i), foreign)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Value == "<<" && !foreign {
				continue // section refuses it
			}
			vendor := path == atDistribution && key.Value != "procspan"
			w.prepare(n.Content[i+1], join(path, key.Value), foreign || vendor)
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,60}$`)

// join appends a key to a path.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// section is a mapping of the file, its keys checked. Keys that hold null are
// as good as absent. The zero section stands for an absent mapping: everything
// in it has its default.
type section struct {
	w      *walker
	path   string // in the file: a.b[0].c
	at     string // in the schema: a.b[].c
	node   *yaml.Node
	known  []string
	fields map[string]*yaml.Node
}

// section reads n as the mapping that the schema has at shape. n may be nil.
func (w *walker) section(n *yaml.Node, path, at string) section {
	s := section{w: w, path: path, at: at, node: n}
	if n == nil || n.Kind == yaml.AliasNode {
		return s
	}
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "must be a mapping (got %s)", found(n, isSecret(path)))
		return s
	}
	s.fields = make(map[string]*yaml.Node)
	shape := w.schema[at]
	s.known = shape.known
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			w.fail(key, path, "a key must be plain text (got %s)", found(key, false))
			continue
		case key.Style&yaml.TaggedStyle != 0 || key.Anchor != "":
			w.fail(key, join(path, key.Value), "a key can have no tag or anchor")
			continue
		case key.Value == "<<":
			w.fail(key, path, "merge keys (<<) are not supported; write the keys out")
			continue
		case lines[key.Value] > 0:
			w.fail(key, join(path, key.Value), "duplicate key; it stands on line %d already", lines[key.Value])
			continue
		}
		lines[key.Value] = key.Line
		switch {
		case shape.names || slices.Contains(shape.known, key.Value):
			if value.Kind != yaml.ScalarNode || value.Tag != tagNull {
				s.fields[key.Value] = value
			}
		case slices.Contains(shape.unsupported, key.Value):
			w.fail(key, join(path, key.Value), "procspan does not support %s; %s", key.Value, shape.cure())
		case at == atDistribution && nearest(key.Value, shape.known) == "":
			// Another vendor's.
		case strings.HasSuffix(at, ".headers[]"):
			// What stands here by mistake can be a secret: {authorization: …}.
			w.fail(key, path, "%s", shape.unknown(key.Value))
		default:
			w.fail(key, join(path, key.Value), "%s", shape.unknown(key.Value))
		}
	}
	return s
}

func (s section) has(key string) bool { return s.fields[key] != nil }

// fail blames the value of key, or the section where it has none.
func (s section) fail(key, format string, args ...any) {
	n := s.fields[key]
	if n == nil {
		n = s.node
	}
	s.w.fail(n, join(s.path, key), format, args...)
}

// missing blames a key that must be there. A section that is not a mapping has
// been blamed already.
func (s section) missing(key, cure string) {
	if s.fields != nil {
		s.w.fail(s.node, join(s.path, key), "is missing; %s", cure)
	}
}

// section reads the mapping at key.
func (s section) section(key string) section {
	return s.w.section(s.fields[key], join(s.path, key), join(s.at, key))
}

// item reads the mapping that is the i-th of the list at key.
func (s section) item(key string, i int, n *yaml.Node) section {
	return s.w.section(n, itemPath(s.path, key, i), join(s.at, key)+"[]")
}

func itemPath(path, key string, i int) string { return fmt.Sprintf("%s[%d]", join(path, key), i) }

// items returns the list at key, which must not be empty.
func (s section) items(key string) []*yaml.Node {
	items, ok := s.list(key)
	if ok && len(items) == 0 {
		s.fail(key, "must have at least one item; remove the key")
	}
	return items
}

// list returns the list at key, and whether there is one.
func (s section) list(key string) ([]*yaml.Node, bool) {
	n := s.fields[key]
	switch {
	case n == nil || n.Kind == yaml.AliasNode:
		return nil, false
	case n.Kind != yaml.SequenceNode:
		s.fail(key, "must be a list (got %s)", found(n, isSecret(s.path+"."+key)))
		return nil, false
	}
	return n.Content, true
}

// texts gives the items of the list at key to take, which returns what is wrong
// with one, or "".
func (s section) texts(key string, items []*yaml.Node, take func(string) string) {
	for i, item := range items {
		path := itemPath(s.path, key, i)
		if item.Kind == yaml.AliasNode {
			continue
		}
		if item.Kind != yaml.ScalarNode || item.Tag != tagStr {
			cure := ""
			if item.Kind == yaml.ScalarNode && item.Tag != tagNull {
				cure = "; put it in quotes"
			}
			s.w.fail(item, path, "must be a string (got %s)%s", found(item, false), cure)
		} else if problem := take(item.Value); problem != "" {
			s.w.fail(item, path, "%s", problem)
		}
	}
}

// scalar returns the value of key when it has one of the tags.
func (s section) scalar(key, what string, tags ...string) (*yaml.Node, bool) {
	n := s.fields[key]
	if n == nil || n.Kind == yaml.AliasNode {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
		cure := ""
		if what == "a string" && n.Kind == yaml.ScalarNode {
			cure = "; put it in quotes"
		}
		s.fail(key, "must be %s (got %s)%s", what, found(n, isSecret(join(s.path, key))), cure)
		return nil, false
	}
	return n, true
}

func (s section) text(key string) (string, bool) {
	n, ok := s.scalar(key, "a string", tagStr)
	if !ok {
		return "", false
	}
	return n.Value, true
}

func (s section) boolean(key string, def bool) bool {
	n, ok := s.scalar(key, "true or false", tagBool)
	if !ok {
		return def
	}
	return isTrue(n.Value)
}

// oneOf reads one of a few words.
func (s section) oneOf(key, def string, words ...string) string {
	n, ok := s.scalar(key, choice(words), tagStr)
	switch {
	case !ok:
		return def
	case !slices.Contains(words, n.Value):
		s.fail(key, "must be %s (got %s)", choice(words), found(n, false))
		return def
	}
	return n.Value
}

// isSecret reports whether what stands at path must not be quoted.
func isSecret(path string) bool {
	return strings.Contains(path, ".otlp_grpc.headers") || strings.HasSuffix(path, ".otlp_grpc.endpoint")
}
