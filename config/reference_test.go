package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestReferenceIsTheDefaults(t *testing.T) {
	want := Default()
	traces, logs, metrics := DefaultTraces(), DefaultLogs(), DefaultMetrics()
	want.Traces, want.Logs, want.Metrics = &traces, &logs, &metrics
	got := mustParse(t, string(Reference()), nil)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reference.yml differs from the defaults\n got:\n%s\nwant:\n%s", got.YAML(), want.YAML())
	}
}

// TestReferenceHasEveryKey walks reference.yml along the schema. The items of
// lists stand there as commented examples.
func TestReferenceHasEveryKey(t *testing.T) {
	example := regexp.MustCompile(`(?m)^( *)#   (- |  )(name|value|type): `)
	file := example.ReplaceAllString(string(Reference()), "$1  $2$3: ")
	// The examples stand above their empty key: move it over them.
	for _, key := range []string{"attributes", "headers"} {
		at := regexp.MustCompile(`(?m)((?:^ +(?:- |  )(?:name|value|type): .*\n)+)( +` + key + `:)\n`)
		if !at.MatchString(file) {
			t.Fatalf("no example above %s", key)
		}
		file = at.ReplaceAllString(file, "$2\n$1")
	}
	const root, share = "root: {always_on: {}}", "trace_id_ratio_based: {ratio: 0.25}"
	if !strings.Contains(file, "#   "+share) || !strings.Contains(file, root) {
		t.Fatalf("no example %s, or no %s", share, root)
	}
	file = strings.Replace(file, root, "root: {"+share+"}", 1)
	mustParse(t, file, map[string]string{"OTLP_TOKEN": "x"})
	var doc yaml.Node
	if err := yaml.Load([]byte(file), &doc); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			at := join(path, n.Content[i].Value)
			have[at] = true
			if path == atParentBased {
				at = atSampler
			}
			walk(n.Content[i+1], at)
		}
		if n.Kind == yaml.SequenceNode {
			for _, item := range n.Content {
				walk(item, path+"[]")
			}
		}
	}
	walk(doc.Content[0], "")
	for at, shape := range schema() {
		keys := shape.known
		if shape.names { // the one map of names there is
			for name := range DefaultExpectedExits() {
				keys = append(keys, name)
			}
		}
		for _, key := range keys {
			key = join("", key)
			path := strings.TrimPrefix(at+"."+key, ".")
			if !have[path] {
				t.Errorf("reference.yml lacks %s", path)
			}
			delete(have, path)
		}
	}
	for path := range have {
		t.Errorf("reference.yml has %s, which the schema has not", path)
	}
}
