package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON schema (draft 2020-12) of the file, for editors. It
// follows from the tags; meaning and default of each key come from the reference.
// What it accepts can still be wrong where keys depend on one another.
func Schema() []byte {
	var reference yaml.Node
	if err := yaml.Load(Reference(), &reference); err != nil {
		panic(err) // a test parses it
	}
	schema := describe(reflect.TypeFor[Config]()).schema(reference.Content[0])
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Configuration of procspan"
	schema["$defs"] = object{
		"reference": object{"type": "string", "pattern": `\$\{`, "description": "a reference to an environment variable, as in ${NAME}"},
		"sampler":   samplerSchema(),
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// schema returns the JSON schema of an option. reference is what stands for it in
// the reference; nil is nothing.
func (o *option) schema(reference *yaml.Node) object {
	s := o.bareSchema(reference)
	if !o.has("required") && o.name != "" && s["type"] != nil {
		s["type"] = []any{s["type"], "null"}
	}
	return s
}

func (o *option) bareSchema(reference *yaml.Node) object {
	switch o.form {
	case choices:
		s := o.mappingSchema(item(reference))
		s["minProperties"], s["maxProperties"] = 1, 1
		delete(s, "required")
		var once []any
		for _, name := range o.names() {
			once = append(once, object{"contains": object{"required": []string{name}}, "minContains": 0, "maxContains": 1})
		}
		return object{"type": "array", "minItems": 1, "items": s, "allOf": once}
	case structs:
		s := object{"type": "array", "minItems": 1, "items": o.mappingSchema(item(reference))}
		o.limitItems(s)
		return s
	case scalars, set:
		item := object{"anyOf": []any{o.kind.schema, object{"$ref": "#/$defs/reference"}}}
		s := object{"type": "array", "items": item}
		o.limitItems(s)
		if o.has("unique") || o.form == set {
			s["uniqueItems"] = true
		}
		if o.has("single") {
			s["minItems"] = 1
			return object{"anyOf": []any{item, s, object{"type": "null"}}}
		}
		return s
	case scalar:
		any := []any{o.kind.schema, object{"$ref": "#/$defs/reference"}}
		if !o.has("required") {
			any = append(any, object{"type": "null"})
		}
		return object{"anyOf": any}
	case special:
		return adapt(reflect.New(o.typ).Interface()).(specialForm).schema()
	}
	return o.mappingSchema(reference)
}

func (o *option) limitItems(list object) {
	if most, err := strconv.Atoi(o.tag.Get("most")); err == nil {
		list["maxItems"] = most
	}
}

// mappingSchema returns the schema of a mapping with the keys of o.
func (o *option) mappingSchema(reference *yaml.Node) object {
	properties, required := object{}, []string{}
	for _, k := range o.keys {
		key, value := pairOf(reference, k.name)
		p := k.schema(value)
		if key != nil && key.HeadComment != "" {
			p["description"] = plainComment(key.HeadComment)
		}
		if value != nil && value.Kind == yaml.ScalarNode && value.Tag != tagNull && k.form == scalar {
			var v any
			if value.Decode(&v) == nil {
				p["default"] = v
			}
		}
		properties[k.name] = p
		if k.must() != "" {
			required = append(required, k.name)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": o.name == vendors}
	if o.has("one") {
		s["minProperties"], s["maxProperties"] = 1, 1
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// pairOf returns a key of a mapping and its value; nil where it has none.
func pairOf(n *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// item returns a mapping with the keys of all items of a list.
func item(list *yaml.Node) *yaml.Node {
	all := &yaml.Node{Kind: yaml.MappingNode}
	for _, n := range content(list) {
		all.Content = append(all.Content, n.Content...)
	}
	return all
}

func content(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	return n.Content
}

// plainComment returns the text of a YAML comment.
func plainComment(comment string) string {
	lines := strings.Split(comment, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
