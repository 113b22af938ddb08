package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/procspan/procspan/rules"
)

// specialForm is a type whose form in the file no tag describes.
type specialForm interface {
	// read reads what stands at v over what the type holds.
	read(v value)
	// print returns text or pairs, see printer.
	print() any
	// schema returns its JSON schema.
	schema() object
}

// adapt returns the form of a type that another package owns: p, a pointer, as a
// type that has the methods of specialForm or checked.
func adapt(p any) any {
	switch p := p.(type) {
	case *rules.Rule:
		return (*ruleForm)(p)
	case *rules.Args:
		return (*argsForm)(p)
	case *rules.Environment:
		return (*environmentForm)(p)
	case *rules.Settings:
		return (*settingsForm)(p)
	}
	return p
}

func isSpecial(t reflect.Type) bool {
	_, ok := adapt(reflect.New(t).Interface()).(specialForm)
	return ok
}

// checked is a struct that reads the keys that it declares with a field named
// _, or whose options depend on one another. check runs when the struct's mapping
// was read, and only where there is one.
type checked interface{ check(s section) }

// defaulted is a struct below a pointer, or in a list, that has defaults.
type defaulted interface{ setDefaults() }

// readStruct reads the mapping at v, which o describes, into the struct.
func (v value) readStruct(o *option, into reflect.Value) section {
	s := v.section(o)
	if s.fields == nil {
		return s
	}
	for _, k := range o.keys {
		s.read(k, into)
	}
	given := s.given()
	switch {
	case !o.has("one"):
	case len(given) == 0 && !s.hasUnknown():
		s.missing(o.keys[0].name, o.tag.Get("one"))
	case len(given) > 1:
		s.fail(given[1], "must be alone here (got %s); keep one", strings.Join(given, ", "))
	}
	if c, ok := adapt(o.owner(into)).(checked); ok {
		c.check(s)
	}
	return s
}

// owner returns a pointer to the struct that the mapping o stands for; nil where
// there is none. root is what the index of o counts from.
func (o *option) owner(root reflect.Value) any {
	switch {
	case o.form == optional:
		return root.FieldByIndex(o.index).Interface()
	case o.form == mapping && o.index != nil:
		return root.FieldByIndex(o.index).Addr().Interface()
	case o.form == mapping && o.name != "":
		return nil
	}
	return root.Addr().Interface()
}

// read reads the option k of the section into a field of the struct.
func (s section) read(k *option, into reflect.Value) {
	if k.has("required") && !s.has(k.name) || k.has("present") && !s.present(k.name) {
		if !s.hasUnknown() || !s.o.has("instead") {
			s.missing(k.name, k.must())
		}
		return
	}
	v := s.get(k.name)
	var field reflect.Value
	if k.index != nil {
		field = into.FieldByIndex(k.index)
	}
	switch k.form {
	case mapping:
		v.readStruct(k, into)
	case optional:
		if v.node != nil || (k.has("null") || k.has("present")) && s.present(k.name) {
			field.Set(newStruct(k.typ.Elem()).Addr())
			v.readStruct(k, into)
		}
	case choices:
		v.readChoices(k, into)
	case structs:
		v.readStructs(k, field)
	case set:
		v.readSet(k, into)
	case scalars:
		v.readScalars(k, field)
	case special:
		if v.node != nil {
			adapt(field.Addr().Interface()).(specialForm).read(v)
		}
	case scalar:
		if k.kind.parse == nil {
			return // the struct's check reads it
		}
		if parsed := v.parse(k.kind); parsed != nil && k.index != nil {
			assign(field, parsed)
		}
	}
}

// assign sets a field, or what it points to.
func assign(field reflect.Value, v any) {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	field.Set(reflect.ValueOf(v).Convert(field.Type()))
}

func newStruct(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if d, ok := v.Interface().(defaulted); ok {
		d.setDefaults()
	}
	return v.Elem()
}

// readChoices reads a list whose items each have one of the keys of o; each key
// stands in one item at most.
func (v value) readChoices(o *option, into reflect.Value) {
	one := *o // an item is a mapping of the same keys
	one.form = mapping
	noun, taken := o.tag.Get("items"), make(map[string]bool)
	for _, item := range v.items() {
		if item.isNull() {
			item.fail("is empty; %s", o.must())
			continue
		}
		s := item.section(&one)
		given := s.given()
		switch {
		case len(given) > 1:
			s.fail(given[1], "a %s is one of %s (got %s); make it %d %ss", noun, strings.Join(o.names(), ", "), strings.Join(given, ", "), len(given), noun)
		case len(given) == 0 && !s.hasUnknown():
			s.missing(o.keys[0].name, o.must())
		case len(given) == 0:
		case taken[given[0]]:
			item.fail("procspan supports one %s %s; remove this one", given[0], noun)
		default:
			taken[given[0]] = true
			s.read(o.key(given[0]), into)
		}
	}
}

// readStructs reads a list of mappings.
func (v value) readStructs(o *option, field reflect.Value) {
	seen := make(map[any]bool)
	field.SetZero()
	most, err := strconv.Atoi(o.tag.Get("most"))
	for i, item := range v.items() {
		if err == nil && i >= most {
			item.fail("procspan supports only %d of these; remove this one", most)
			continue
		}
		one := newStruct(o.typ.Elem())
		s := item.readStruct(o, one)
		if k := o.key(o.tag.Get("unique")); k != nil && s.has(k.name) {
			id := one.FieldByIndex(k.index).Interface()
			if seen[id] && !one.FieldByIndex(k.index).IsZero() {
				s.fail(k.name, "is given twice (got %s)", quote(fmt.Sprint(id)))
			}
			seen[id] = true
		}
		field.Set(reflect.Append(field, one))
	}
}

// readScalars reads a list of scalars, which may be empty unless its one item
// may stand for it.
func (v value) readScalars(o *option, field reflect.Value) {
	var items []value
	switch ok := true; {
	case v.node == nil:
		return
	case o.has("single") && v.node.Kind == yaml.ScalarNode:
		items = []value{v}
	case o.has("single") && v.node.Kind == yaml.MappingNode:
		v.fail("must be %s, or a list (got a mapping)", o.kind.what)
	case o.has("single"):
		items = v.items()
	default:
		if items, ok = v.list(); !ok {
			return
		}
	}
	if most, err := strconv.Atoi(o.tag.Get("most")); err == nil && len(items) > most {
		v.fail("must have at most %d items (got %d); remove some", most, len(items))
		return
	}
	all := reflect.Zero(field.Type())
	seen := make(map[any]bool)
	for _, item := range items {
		parsed := item.parse(o.kind)
		switch {
		case parsed == nil:
		case o.has("unique") && seen[parsed]:
			item.fail("is given twice (got %s)", item.got())
		default:
			if o.has("unique") {
				seen[parsed] = true
			}
			all = reflect.Append(all, reflect.ValueOf(parsed))
		}
	}
	field.Set(all)
}

// readSet reads a list of names, which may be empty, into the flags that have
// them.
func (v value) readSet(o *option, into reflect.Value) {
	items, ok := v.list()
	if !ok {
		return
	}
	into.FieldByIndex(o.index).SetZero()
	for _, item := range items {
		name, ok := item.parse(o.kind).(string)
		if !ok {
			continue
		}
		flag := into.FieldByIndex(o.key(name).index)
		if flag.Bool() {
			item.fail("is given twice (got %s)", item.got())
		}
		flag.SetBool(true)
	}
}
