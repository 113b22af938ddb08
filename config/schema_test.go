package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// beyondSchema has the invalid files that the schema accepts, or that it cannot be
// asked about, and why.
var beyondSchema = map[string]string{
	"invalid-control-character":    "no YAML",
	"invalid-daemon-without-store": "keys depend on one another",
	"invalid-disabled":             "true is a bool; that procspan refuses it is no matter of form",
	"invalid-duplicate-keys":       "YAML: duplicate keys",
	"invalid-endpoint-query":       "the form of an endpoint",
	"invalid-endpoint-userinfo":    "the form of an endpoint",
	"invalid-expected-exits-star":  "no YAML",
	"invalid-empty-file":           "no YAML document",
	"invalid-indentation":          "no YAML",
	"invalid-not-utf8":             "no YAML",
	"invalid-only-comments":        "no YAML document",
	"invalid-open-quote":           "no YAML",
	"invalid-references":           "the form of a reference",
	"invalid-tls-plain":            "keys depend on one another",
	"invalid-reference-in-flow":    "no YAML",
	"invalid-sampler-local-parent": "keys depend on one another",
	"invalid-tls-cert-without-key": "keys depend on one another",
	"invalid-tls-key-without-cert": "keys depend on one another",
	"invalid-two-documents":        "two YAML documents",
	"invalid-unknown-anchor":       "no YAML",
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("procspan.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("procspan.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON returns what a YAML node is in JSON, by the core schema.
func asJSON(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = asJSON(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, asJSON(item))
		}
		return list
	case yaml.ScalarNode:
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			return n.Value
		}
		switch coreTag(n.Value) {
		case tagNull:
			return nil
		case tagBool:
			return isTrue(n.Value)
		case tagInt:
			if i, err := parseInt(n.Value); err == nil {
				return int(i)
			}
			return 1e30
		case tagFloat:
			f, _ := parseFloat(n.Value)
			return f
		}
	}
	return n.Value
}

func TestSchemaAcceptsWhatIsValid(t *testing.T) {
	schema := compileSchema(t)
	files := map[string]string{"reference": string(Reference())}
	for _, name := range []string{"printed", "whole"} {
		data, err := os.ReadFile("testdata/" + name + ".yml")
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	for name, tt := range validFiles() {
		files[name] = tt.file
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			var doc yaml.Node
			if err := yaml.Load([]byte(strings.TrimPrefix(file, "\ufeff")), &doc); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(asJSON(doc.Content[0])); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRejectsWhatIsInvalid(t *testing.T) {
	schema := compileSchema(t)
	files, err := filepath.Glob("testdata/invalid-*.yml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rejected := false
			var doc yaml.Node
			if yaml.Load(data, &doc) == nil && len(doc.Content) == 1 {
				rejected = schema.Validate(asJSON(doc.Content[0])) != nil
			}
			if beyond := beyondSchema[name] != ""; rejected == beyond {
				t.Errorf("the schema rejects it: %t; beyond the schema: %t", rejected, beyond)
			}
		})
	}
}

// TestSchemaExplains: editors show what the reference says.
func TestSchemaExplains(t *testing.T) {
	for _, want := range []string{
		`"description": "How many spans a trace has at most: 1 to 1000000.`,
		`"default": 10000`,
		`"pattern": "^\\+?[0-9]+ ?(B|KiB|MiB|GiB)$"`,
	} {
		if !strings.Contains(string(Schema()), want) {
			t.Errorf("the schema lacks %s", want)
		}
	}
}
