package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestReload(t *testing.T) {
	const base = `file_format: "1.0"
tracer_provider:
  processors: [{batch: {exporter: {otlp_grpc: {endpoint: http://a:4317}}}}]
`
	const own = "distribution:\n  procspan:\n"
	now := mustParse(t, base, nil)
	for _, tt := range []struct {
		name, file string
		restart    []string
		taken      func(c *Config) // what it makes of now
	}{
		{"nothing changed", base, nil, func(*Config) {}},
		{"an endpoint", strings.Replace(base, "http://a", "http://b", 1), nil, func(c *Config) {
			c.Traces.Pipelines[0].Exporter.OTLPGRPC.Target = "b:4317"
		}},
		{"the exporter is gone", "file_format: \"1.0\"\n", []string{"tracer_provider"}, func(*Config) {}},
		{"an exporter of log records is new", base + strings.Replace(base[strings.Index(base, "tracer"):], "tracer", "logger", 1),
			nil, func(c *Config) {
				logs := DefaultLogs()
				logs.Pipelines[0].Exporter = c.Traces.Pipelines[0].Exporter
				c.Logs = &logs
			}},
		{"both kinds", base + own + "    filter: {min_duration: 1s}\n    kernel: {ring_size: 1MiB, max_processes: 7}\n",
			[]string{"distribution.procspan.kernel.ring_size", "distribution.procspan.kernel.max_processes"},
			func(c *Config) { c.Filter.MinDuration = 1e9 }},
		{"both kinds in one section", base + own + "    capture: {args: off, environment: [CI]}\n    traces: {join: false, max_spans: 3}\n",
			[]string{"distribution.procspan.capture.environment", "distribution.procspan.traces.join"},
			func(c *Config) { c.Capture.Args, c.TracePolicy.MaxSpans = ArgsOff, 3 }},
		{"metrics", base + "meter_provider: {readers: [{pull: {exporter: {prometheus/development: {port: 1}}}}]}\n",
			[]string{"meter_provider"}, func(*Config) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := mustParse(t, base, nil)
			tt.taken(&want)
			got, restart := now.Reload(mustParse(t, tt.file, nil))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got.YAML(), want.YAML())
			}
			if !slices.Equal(restart, tt.restart) {
				t.Errorf("a restart is needed by %q, want %q", restart, tt.restart)
			}
			if before := mustParse(t, base, nil); !reflect.DeepEqual(now, before) {
				t.Error("the present configuration changed")
			}
		})
	}
}

// The reference says of an option that it needs a restart where its tag does.
func TestReferenceNamesRestarts(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Load(Reference(), &doc); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	var read func(n *yaml.Node, path string)
	read = func(n *yaml.Node, path string) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			at := join(path, n.Content[i].Value)
			if strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(n.Content[i].HeadComment, "#", "")), " "), "Needs a restart") {
				said[at] = true
			}
			read(n.Content[i+1], at)
		}
	}
	read(doc.Content[0], "")
	var tagged func(o *option, path string)
	tagged = func(o *option, path string) {
		for _, k := range o.keys {
			at := join(path, k.name)
			if k.has("restart") != said[at] {
				t.Errorf("%s: tagged %t, the reference says %t", at, k.has("restart"), said[at])
			}
			if k.form != structs && k.form != choices {
				tagged(k, at)
			}
		}
	}
	tagged(describe(reflect.TypeFor[Config]()), "")
	if len(said) < 10 {
		t.Error(fmt.Sprint("only these say it: ", said))
	}
}
