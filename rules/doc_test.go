package rules

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/procspan/procspan/test/doctable"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/rules.md")

// TestDocumented: docs/rules.md has each key, with what the code says of it.
func TestDocumented(t *testing.T) {
	means := func(f reflect.StructField) string {
		text := strings.ReplaceAll(f.Tag.Get("means"), "|", "`")
		if text == "" {
			t.Errorf("%s has no text", f.Name)
		}
		return text
	}
	match := "| key | is | value | known |\n|---|---|---|---|\n"
	m := reflect.TypeFor[Match]()
	for i := range m.NumField() {
		f := m.Field(i)
		match += fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.Tag.Get("yaml"), means(f), valueOf(f), knownAt(f))
	}
	doctable.Check(t, "../docs/rules.md", "match", match, *update)
	does := "| key | does |\n|---|---|\n"
	r := reflect.TypeFor[Rule]()
	for i := range r.NumField() {
		f := r.Field(i)
		if key := f.Tag.Get("yaml"); !slices.Contains([]string{"preset", "name", "match"}, key) {
			does += fmt.Sprintf("| `%s` | %s |\n", key, means(f))
		}
	}
	doctable.Check(t, "../docs/rules.md", "does", does, *update)
}

// valueOf says how a key of a match is written.
func valueOf(f reflect.StructField) string {
	switch f.Type {
	case reflect.TypeFor[[]Glob]():
		return "globs"
	case reflect.TypeFor[[]string]():
		if words := f.Tag.Get("words"); words != "" {
			return strings.ReplaceAll(words, " ", ", ")
		}
		return "names or numbers"
	case reflect.TypeFor[*bool]():
		return "true, false"
	case reflect.TypeFor[Environment]():
		return "`{NAME: globs}`"
	case reflect.TypeFor[[]Exit]():
		return "0 to 255, SIGTERM, …"
	case reflect.TypeFor[Duration]():
		return "`{above: 1s, below: 1m}`"
	case reflect.TypeFor[Size]():
		return "`{above: 1GiB, below: 2GiB}`"
	}
	return ""
}

// knownAt says when a key is known, by a match that has it alone.
func knownAt(f reflect.StructField) string {
	one := reflect.New(reflect.TypeFor[Match]()).Elem()
	field := one.FieldByIndex(f.Index)
	switch field.Kind() {
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	default:
		field.Field(0).SetInt(1)
	}
	m := one.Interface().(Match)
	switch {
	case len(m.endKeys()) > 0:
		return "at exit"
	case len(m.agentKeys()) > 0:
		return "at exec"
	}
	return "at exec, in the kernel"
}
