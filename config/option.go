package config

import (
	"reflect"
	"slices"
	"strings"
)

// option is one key of the file, as the tags of a struct field describe it. It
// is the only description: the reader, the printer, the JSON schema and the
// variables follow from it.
//
//	yaml:"a.b"         the keys that lead to the value, from those of the struct;
//	                   "" is the struct itself; also:"c.b" is a second place
//	range:"1..100"     bounds, in the unit of the value; the upper one may be absent
//	unit:"ms"          a duration in milliseconds; unit:"size": bytes with a unit,
//	                   power:"2" a power of two, and auto:"" also "auto", kept as 0
//	words:"a b"        the strings that are accepted
//	text:"directory"   the rule for a string, see textRules
//	set:""             a struct of flags, written as a list of their names
//	items:"processor"  a list; its items each have exactly one of the keys
//	unique:"name"      no two items of a list are equal, or equal in this key
//	most:"12"          the highest number of items of a list
//	one:"hint"         a mapping that has exactly one of its keys
//	required:"hint"    the key must be there; present:"hint": it may be null
//	null:""            a mapping that is there, with its defaults, when it is null
//	unsupported:"a b"  keys of OpenTelemetry's schema that procspan does not
//	                   support; instead:"c" is what to use in their place
//	secret:""          no error quotes what stands here
//	omit:""            it is not printed when it is empty
//	as:"{a: b}"        an example for the error about what is no mapping
//	single:""          a list that may be written as its one item
//	raw:""             no reference to a variable is substituted
//	glob:"path"        a glob of a path or a file's name
//	restart:"yes"      a reload does not apply it, nor what is below it;
//	                   restart:"presence": nor adds the first or removes the last
//	env:"TIMEOUT"      the end of the name of the variable
//
// A field named _ declares a key that the struct's check method reads.
type option struct {
	name  string
	form  form
	keys  []*option    // of a mapping
	kind  *kind        // of a scalar, or of a list's scalars
	typ   reflect.Type // of the field; nil where no field holds the value
	index []int        // of the field, from the struct that is read
	tag   reflect.StructTag
	// anyKey: each key is the name of something.
	anyKey bool
}

// form is how an option is laid out in the file.
type form int

const (
	mapping  form = iota
	optional      // a mapping; a nil pointer when absent
	choices       // a list of mappings that have one key each
	structs       // a list of mappings
	scalar
	scalars // a list of scalars
	set     // a list of the names of flags
	special // a type that reads and prints itself
)

// describe returns the options of a struct type.
func describe(t reflect.Type) *option {
	o := &option{}
	o.add(t, nil)
	return o
}

// add adds the options of the fields of t, which stands at index.
func (o *option) add(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		path, ok := f.Tag.Lookup("yaml")
		if !ok && f.Anonymous {
			o.add(f.Type, append(slices.Clip(index), i))
		}
		if !ok {
			continue
		}
		places := []string{path}
		if also, ok := f.Tag.Lookup("also"); ok {
			places = append(places, strings.Fields(also)...)
		}
		for _, place := range places {
			k := o.at(place)
			k.tag += " " + f.Tag
			if f.Name != "_" {
				k.typ, k.index = f.Type, append(slices.Clip(index), i)
			}
			k.addType(f)
		}
	}
}

func (o *option) addType(f reflect.StructField) {
	t := f.Type
	switch kind := t.Kind(); {
	case o.has("items"):
		o.form = choices
	case t == reflect.TypeFor[struct{}]():
	case isSpecial(t):
		o.form = special
	case o.has("set"):
		o.form = set
		o.add(t, o.index)
		o.kind = wordKind(o.names())
	case kind == reflect.Struct && !isScalar(t):
		o.add(t, o.index)
	case kind == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		o.form = optional
		o.add(t.Elem(), o.index)
	case kind == reflect.Slice && t.Elem().Kind() == reflect.Struct && !isScalar(t.Elem()):
		o.form = structs
		o.add(t.Elem(), nil)
	case kind == reflect.Slice:
		o.form, o.kind = scalars, kindOf(t.Elem(), f.Tag)
	default:
		o.form, o.kind = scalar, kindOf(t, f.Tag)
	}
}

// at returns the option below o that the path names, making it where there is
// none.
func (o *option) at(path string) *option {
	if path == "" {
		return o
	}
	for name := range strings.SplitSeq(path, ".") {
		k := o.key(name)
		if k == nil {
			k = &option{name: name}
			o.keys = append(o.keys, k)
		}
		o = k
	}
	return o
}

// has reports whether the option has a tag.
func (o *option) has(tag string) bool {
	_, ok := o.tag.Lookup(tag)
	return ok
}

// must returns the hint for the absence of a key that has to be there.
func (o *option) must() string { return o.tag.Get("required") + o.tag.Get("present") }

// key returns the option of that name; nil where o is nil or has none.
func (o *option) key(name string) *option {
	if o == nil {
		return nil
	}
	i := slices.IndexFunc(o.keys, func(k *option) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return o.keys[i]
}

func (o *option) names() []string {
	names := make([]string, len(o.keys))
	for i, k := range o.keys {
		names[i] = k.name
	}
	return names
}

// unknown returns the text for a key that is not known: what was probably meant,
// or else which keys there are.
func (o *option) unknown(key string) string {
	if near := nearest(key, o.names()); near != "" {
		return "unknown key; did you mean " + near + "?"
	}
	if len(o.keys) == 0 {
		return "unknown key; there are none here, remove it"
	}
	return "unknown key; known here: " + strings.Join(o.names(), ", ")
}

// hint returns what to do about an unsupported key.
func (o *option) hint() string {
	if instead := o.tag.Get("instead"); instead != "" {
		return "use " + instead
	}
	return "remove it"
}
