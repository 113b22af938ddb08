package config

import (
	"cmp"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// check merges attributes_list and attributes; the latter win. An attribute
// whose value is null is absent.
func (r *Resource) check(s section) {
	own := slices.DeleteFunc(r.Attributes, func(a Attribute) bool { return a.Value == nil })
	var list []Attribute
	if text, ok := s.text("attributes_list"); ok {
		list = parseAttributeList(text, s.blame("attributes_list"))
	}
	r.Attributes = lastOfEach(attributeName, list, own)
}

// check reads value by type.
func (a *Attribute) check(s section) {
	word, _ := s.text("type")
	element, array := strings.CutSuffix(word, "_array")
	k, v := attributeKind(element), s.get("value")
	if !array {
		a.Value = v.parse(k)
		return
	}
	list := reflect.New(reflect.SliceOf(k.typ)).Elem()
	v.readScalars(&option{kind: k}, list)
	if list.Len() > 0 {
		a.Value = list.Interface()
	} else if v.node != nil && v.node.Kind == yaml.SequenceNode && len(v.node.Content) == 0 {
		v.fail("must have at least one item; remove the attribute")
	}
}

// attributeKind returns the kind of a type of attributes; string by default.
func attributeKind(name string) (k *kind) {
	switch name {
	case "bool":
		k = boolKind()
	case "int":
		k = integerKind(math.MinInt64, math.MaxInt64, "")
	case "double":
		k = doubleKind()
	default:
		k = textKind(textRule(""))
		k.hint += ", or give its type: int, double, bool"
	}
	k.what += ", as type says"
	return k
}

// printed prints the type and the value, which is of it.
func (a *Attribute) printed(key string) string {
	v := reflect.ValueOf(a.Value)
	array, element := "", v.Type()
	if v.Kind() == reflect.Slice {
		array, element = "_array", element.Elem()
	}
	name := map[reflect.Kind]string{reflect.Bool: "bool", reflect.Int64: "int", reflect.Float64: "double"}[element.Kind()]
	switch k := attributeKind(name); {
	case key == "type":
		return cmp.Or(name, "string") + array
	case key == "value" && array != "":
		return flowOf(k, v)
	case key == "value":
		return k.print(a.Value)
	}
	return ""
}

// parseAttributeList reads OTEL_RESOURCE_ATTRIBUTES' format: "k=v,k2=v2" with
// keys and values percent-encoded. The last of a name counts.
func parseAttributeList(list string, fail blame) (attributes []Attribute) {
	for i, entry := range strings.Split(list, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		k, v, ok := strings.Cut(entry, "=")
		name, nameErr := url.PathUnescape(strings.TrimSpace(k))
		value, valueErr := url.PathUnescape(strings.TrimSpace(v))
		switch {
		case !ok:
			fail("entry %d has no '=' (got %s); write name=value,name2=value2", i+1, quote(entry))
		case nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value):
			fail("entry %d is not percent-encoded UTF-8 (got %s); write %%25 for a %%", i+1, quote(entry))
		case name == "":
			fail("entry %d has no name (got %s)", i+1, quote(entry))
		default:
			attributes = append(attributes, Attribute{Name: name, Value: value})
		}
	}
	return lastOfEach(attributeName, attributes)
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
