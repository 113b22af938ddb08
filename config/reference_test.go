package config

import (
	"maps"
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

const atSampler, atParentBased = "tracer_provider.sampler", "tracer_provider.sampler.parent_based"

// TestReferenceHasEveryKey walks reference.yml along the options. The items of
// lists stand there as commented examples.
func TestReferenceHasEveryKey(t *testing.T) {
	// The examples stand above their empty key, as comments: move them below it.
	file := string(Reference())
	uncomment := func(key string) {
		at := regexp.MustCompile(`(?m)((?:^ +#   .*\n)+)( +` + key + `:)\n`)
		if !at.MatchString(file) {
			t.Fatalf("no example above %s", key)
		}
		file = at.ReplaceAllStringFunc(file, func(found string) string {
			m := at.FindStringSubmatch(found)
			return m[2] + "\n" + strings.ReplaceAll(m[1], "#   ", "  ")
		})
	}
	uncomment("attributes")
	uncomment("headers")
	uncomment("rules")
	const root, share = "root: {always_on: {}}", "trace_id_ratio_based: {ratio: 0.25}"
	if !strings.Contains(file, "#   "+share) || !strings.Contains(file, root) {
		t.Fatalf("no example %s, or no %s", share, root)
	}
	file = strings.Replace(file, root, "root: {"+share+"}", 1)
	mustParse(t, file, map[string]string{"OTLP_TOKEN": "x"})
	uncomment("exporter") // of which there would be two, then
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
	var declared func(o *option, path string)
	declared = func(o *option, path string) {
		for _, k := range o.keys {
			at := join(path, k.name)
			if !have[at] {
				t.Errorf("reference.yml lacks %s", at)
			}
			delete(have, at)
			switch {
			case k.form == set:
			case k.form == structs, k.form == choices:
				declared(k, at+"[]")
			case at == atSampler:
				declared(describe(reflect.TypeFor[samplerForm]()), at)
			case k.name == "args" && k.form == special:
				declared(describe(reflect.TypeFor[argsMapping]()), at)
			case k.form == special: // its keys are names
				maps.DeleteFunc(have, func(path string, _ bool) bool { return strings.HasPrefix(path, at+".") })
			default:
				declared(k, at)
			}
		}
	}
	declared(describe(reflect.TypeFor[Config]()), "")
	for path := range have {
		t.Errorf("reference.yml has %s, which no option has", path)
	}
}
