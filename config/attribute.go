package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// attributeTypes are the words that resource.attributes[].type can be.
func attributeTypes() []string {
	return []string{"string", "bool", "int", "double", "string_array", "bool_array", "int_array", "double_array"}
}

// attributes reads attributes_list and attributes; the latter win.
func (s section) attributes() []Attribute {
	var list, own []Attribute
	if text, ok := s.text("attributes_list"); ok {
		var problems []string
		list, problems = parseAttributeList(text)
		for _, p := range problems {
			s.fail("attributes_list", "%s", p)
		}
	}
	given := make(map[string]bool)
	for i, item := range s.items("attributes") {
		a := s.item("attributes", i, item)
		name, ok := a.text("name")
		if !a.has("name") {
			a.missing("name", "give the attribute's name")
		}
		if !a.present("value") {
			a.missing("value", "give the attribute's value")
		}
		value := a.attributeValue()
		switch {
		case !ok:
		case name == "":
			a.fail("name", "must not be empty")
		case given[name]:
			a.fail("name", "is given twice (got %s)", quote(name))
		case value != nil:
			own = append(own, Attribute{Name: name, Value: value})
		}
		given[name] = given[name] || a.has("value") // null is as good as absent
	}
	return lastOfEach(attributeName, list, own)
}

// attributeValue reads value by type; nil where it is null or wrong.
func (s section) attributeValue() any {
	kind := s.oneOf("type", "string", attributeTypes()...)
	n := s.fields["value"]
	if n == nil || n.Kind == yaml.AliasNode {
		return nil
	}
	path := join(s.path, "value")
	element, array := strings.CutSuffix(kind, "_array")
	if !array {
		return s.w.element(n, path, element)
	}
	items := s.items("value")
	switch element {
	case "bool":
		return elements[bool](s.w, items, path, element)
	case "int":
		return elements[int64](s.w, items, path, element)
	case "double":
		return elements[float64](s.w, items, path, element)
	}
	return elements[string](s.w, items, path, element)
}

// elements reads a list whose items all are of one type; nil where one is not.
func elements[T any](w *walker, items []*yaml.Node, path, kind string) any {
	all := make([]T, 0, len(items))
	for i, item := range items {
		if v, ok := w.element(item, fmt.Sprintf("%s[%d]", path, i), kind).(T); ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 || len(all) < len(items) {
		return nil
	}
	return all
}

// element reads one value of an attribute; nil where it is wrong.
func (w *walker) element(n *yaml.Node, path, kind string) any {
	if n.Kind == yaml.AliasNode {
		return nil
	}
	scalar := n.Kind == yaml.ScalarNode
	switch {
	case kind == "string" && scalar && n.Tag == tagStr:
		return n.Value
	case kind == "bool" && scalar && n.Tag == tagBool:
		return isTrue(n.Value)
	case kind == "int" && scalar && n.Tag == tagInt:
		if v, err := parseInt(n.Value); err == nil {
			return v
		}
	case kind == "double" && scalar && (n.Tag == tagFloat || n.Tag == tagInt):
		if v, err := parseFloat(n.Value); err == nil {
			return v
		}
	}
	cure := ""
	if kind == "string" && scalar && n.Tag != tagNull {
		cure = "; put it in quotes, or say its type: int, double, bool"
	}
	article := "a"
	if kind == "int" {
		article = "an"
	}
	w.fail(n, path, "must be %s %s, as type says (got %s)%s", article, kind, found(n, false), cure)
	return nil
}

// parseAttributeList reads OTEL_RESOURCE_ATTRIBUTES' format: "k=v,k2=v2" with
// keys and values percent-encoded. The last of a name counts.
func parseAttributeList(list string) (attributes []Attribute, problems []string) {
	for i, entry := range strings.Split(list, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		k, v, ok := strings.Cut(entry, "=")
		name, nameErr := url.PathUnescape(strings.TrimSpace(k))
		value, valueErr := url.PathUnescape(strings.TrimSpace(v))
		switch {
		case !ok:
			problems = append(problems, fmt.Sprintf("entry %d has no '=' (got %s); write name=value,name2=value2", i+1, quote(entry)))
		case nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value):
			problems = append(problems, fmt.Sprintf("entry %d is not percent-encoded UTF-8 (got %s); write %%25 for a %%", i+1, quote(entry)))
		case name == "":
			problems = append(problems, fmt.Sprintf("entry %d has no name (got %s)", i+1, quote(entry)))
		default:
			attributes = append(attributes, Attribute{Name: name, Value: value})
		}
	}
	return lastOfEach(attributeName, attributes), problems
}

// lastOfEach returns the lists one after the other, without what a later item
// of the same name replaces.
func lastOfEach[T any](name func(T) string, lists ...[]T) []T {
	all := slices.Concat(lists...)
	last := make(map[string]int, len(all))
	for i, item := range all {
		last[name(item)] = i
	}
	var kept []T
	for i, item := range all {
		if last[name(item)] == i {
			kept = append(kept, item)
		}
	}
	return kept
}

func attributeName(a Attribute) string { return a.Name }
