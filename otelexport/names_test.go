package otelexport

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// The README has the table of all attributes; -update writes it.
func TestAttributesInReadme(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- attributes -->\n", "<!-- /attributes -->"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	got, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s lacks the lines %s and %s", file, begin, end)
	}
	want := attributeTable()
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the table of attributes in %s is not what the code has; run go test ./otelexport -run Readme -update", file)
	}
}

func attributeTable() string {
	var table strings.Builder
	table.WriteString("| attribute | type | what it says | when |\n|---|---|---|---|\n")
	for _, a := range Attributes() {
		kind := a.Type
		if a.Unit != "" {
			kind += ", " + a.Unit
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", a.Name, kind, a.Source, a.When)
	}
	return table.String()
}

// The list is what the encoder writes: nothing is missing, nothing too many,
// all in its order and of its type.
func TestAttributesAreAll(t *testing.T) {
	e, l := testEncoder(t, fullCapture), fullLifetime()
	l.Reexecs[0].To = l.Image
	span := spanOf(t, e, l)
	expected := fullLifetime()
	expected.Expected = true
	unseen := fullLifetime()
	unseen.EndEstimated = true
	wire, err := encodeExec(e, fullEvent(), l.Context, l.Root)
	exec := decodeRecord(t, wire, err)
	for _, tc := range []struct {
		on    string
		lists [][]*commonpb.KeyValue
	}{
		{"span", [][]*commonpb.KeyValue{span.Attributes, spanOf(t, e, expected).Attributes, spanOf(t, e, unseen).Attributes}},
		{"exec", [][]*commonpb.KeyValue{exec.Attributes}},
		{"event", [][]*commonpb.KeyValue{span.Events[0].Attributes}},
	} {
		seen := map[string]bool{}
		for _, list := range tc.lists {
			last := -1
			for _, kv := range list {
				i := slices.IndexFunc(Attributes(), func(a Attribute) bool { return a.describes(kv.Key) })
				if i < 0 {
					t.Errorf("%s on %s is not in the list", kv.Key, tc.on)
					continue
				}
				a := Attributes()[i]
				seen[a.Name] = true
				if got := typeOf(kv.Value); got != a.Type || !slices.Contains(a.On, tc.on) {
					t.Errorf("%s on %s is a %s; the list has %s, on %v", kv.Key, tc.on, got, a.Type, a.On)
				}
				if i < last {
					t.Errorf("%s on %s stands after %s", kv.Key, tc.on, Attributes()[last].Name)
				}
				last = i
			}
		}
		for _, a := range Attributes() {
			if slices.Contains(a.On, tc.on) && !seen[a.Name] {
				t.Errorf("%s: the list has it on %s, the encoder not", a.Name, tc.on)
			}
		}
	}
}

// describes reports whether a stands for an attribute of this name.
func (a Attribute) describes(name string) bool {
	if prefix, many := strings.CutSuffix(a.Name, "<key>"); many {
		return strings.HasPrefix(name, prefix)
	}
	return a.Name == name
}

func typeOf(v *commonpb.AnyValue) string {
	switch v.Value.(type) {
	case *commonpb.AnyValue_StringValue:
		return "string"
	case *commonpb.AnyValue_IntValue:
		return "int"
	case *commonpb.AnyValue_DoubleValue:
		return "double"
	case *commonpb.AnyValue_BoolValue:
		return "boolean"
	case *commonpb.AnyValue_ArrayValue:
		return "string[]"
	}
	return "none"
}
