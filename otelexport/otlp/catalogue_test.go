package otlp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/test/doctable"
)

// docs/attributes.md has the table of all attributes; -update writes it.
func TestAttributesInDocs(t *testing.T) {
	var table strings.Builder
	table.WriteString("| attribute | type | what it says | when | profile |\n|---|---|---|---|---|\n")
	for _, a := range catalogue.All() {
		kind := a.Type
		if a.Unit != "" {
			kind += ", " + a.Unit
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", a.Name, kind, a.Source, a.When, a.Level)
	}
	doctable.Check(t, "../../docs/attributes.md", "attributes", table.String(), *update)
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
	forked := fullLifetime()
	forked.Forked = true
	wire, err := encodeExec(e, fullEvent(), l.Context, l.Root)
	exec := decodeRecord(t, wire, err)
	all := catalogue.All()
	for _, tc := range []struct {
		on    string
		lists [][]*commonpb.KeyValue
	}{
		{"span", [][]*commonpb.KeyValue{span.Attributes, spanOf(t, e, expected).Attributes, spanOf(t, e, unseen).Attributes, spanOf(t, e, forked).Attributes}},
		{"exec", [][]*commonpb.KeyValue{exec.Attributes}},
		{"event", [][]*commonpb.KeyValue{span.Events[0].Attributes}},
	} {
		seen := map[string]bool{}
		for _, list := range tc.lists {
			last := -1
			for _, kv := range list {
				i := slices.IndexFunc(all[:], func(a catalogue.Attribute) bool { return a.Describes(kv.Key) })
				if i < 0 {
					t.Errorf("%s on %s is not in the list", kv.Key, tc.on)
					continue
				}
				a := all[i]
				seen[a.Name] = true
				if got := typeOf(kv.Value); got != a.Type || !slices.Contains(a.On, tc.on) {
					t.Errorf("%s on %s is a %s; the list has %s, on %v", kv.Key, tc.on, got, a.Type, a.On)
				}
				if i < last {
					t.Errorf("%s on %s stands after %s", kv.Key, tc.on, all[last].Name)
				}
				last = i
			}
		}
		for _, a := range all {
			if slices.Contains(a.On, tc.on) && !seen[a.Name] {
				t.Errorf("%s: the list has it on %s, the encoder not", a.Name, tc.on)
			}
		}
	}
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
