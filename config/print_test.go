package config

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shown is c as its YAML shows it: the secrets redacted.
func shown(c Config) Config {
	hidden := func(e Exporter) Exporter {
		var o *OTLP
		switch {
		case e.File != nil || e.Console != nil:
			return e
		case e.OTLPHTTP != nil:
			http := *e.OTLPHTTP
			e, o = Exporter{OTLPHTTP: &http}, &http.OTLP
		default:
			grpc := *e.OTLPGRPC
			e, o = Exporter{OTLPGRPC: &grpc}, &grpc.OTLP
		}
		o.Headers = slices.Clone(o.Headers)
		for i := range o.Headers {
			o.Headers[i].Value = NewSecret(redacted)
		}
		return e
	}
	hiddenAll := func(pipelines []Pipeline) []Pipeline {
		pipelines = slices.Clone(pipelines)
		for i, p := range pipelines {
			pipelines[i].Exporter = hidden(p.Exporter)
		}
		return pipelines
	}
	if c.Traces != nil {
		traces := *c.Traces
		traces.Pipelines = hiddenAll(traces.Pipelines)
		c.Traces = &traces
	}
	if c.Logs != nil {
		logs := *c.Logs
		logs.Pipelines = hiddenAll(logs.Pipelines)
		c.Logs = &logs
	}
	if c.Metrics != nil && c.Metrics.Periodic != nil {
		metrics, periodic := *c.Metrics, *c.Metrics.Periodic
		periodic.Exporter = hidden(periodic.Exporter)
		metrics.Periodic = &periodic
		c.Metrics = &metrics
	}
	return c
}

// checkReparses proves that Parse∘YAML is the identity, secrets aside.
func checkReparses(t *testing.T, c Config) {
	t.Helper()
	// A variable that is found would prove that "$" is not escaped.
	env := func(string) (string, bool) { return "substituted", true }
	again, err := Parse("printed.yml", c.YAML(), env)
	if err != nil {
		t.Fatalf("parse what YAML printed: %v\n%s", err, c.YAML())
	}
	if want := shown(c); !reflect.DeepEqual(again, want) {
		t.Fatalf("YAML changed the configuration\n got: %+v\nwant: %+v\n%s", again, want, c.YAML())
	}
	if !bytes.Equal(again.YAML(), c.YAML()) {
		t.Fatalf("YAML of the same configuration differs\n%s\n%s", again.YAML(), c.YAML())
	}
}

func TestYAML(t *testing.T) {
	c := Default()
	traces, logs, metrics := DefaultTraces(), DefaultLogs(), DefaultMetrics()
	c.Traces, c.Logs, c.Metrics = &traces, &logs, &metrics
	metrics.Periodic.Interval, metrics.Periodic.Temporality = 1500*time.Millisecond, LowMemory
	metrics.Periodic.Exporter.OTLPGRPC.Headers = []Header{{"d", NewSecret("x")}}
	metrics.Prometheus.Host, metrics.Prometheus.Port = "fe80::1%eth0", 0
	c.Health.Endpoint = "[::1]:13133"
	logs.Pipelines[0].Batch.MaxQueueSize = 4096
	logs.Pipelines[0].Exporter.OTLPGRPC.Headers = []Header{{"c", NewSecret("x")}}
	c.ServiceName = ServiceNameExecutable
	for _, name := range []string{"a\"\\$${X}\n\u2028: ", "true", "?"} {
		c.ExpectedExits[name] = Exits{1 << 8, 255 << 8, 9, 34, 64}
	}
	c.ExpectedExits["grep"] = nil
	c.Capture.Redact.Patterns = []*regexp.Regexp{regexp.MustCompile(`^"\w+\\$|${X}`)}
	c.Capture.Redact.Allow = []*regexp.Regexp{regexp.MustCompile("a,"), regexp.MustCompile("\n$")}
	c.Capture.Environment = []string{"A B", "$X", "\u0085"}
	traces.Pipelines[0].Exporter.OTLPGRPC.Target, traces.Pipelines[0].Exporter.OTLPGRPC.Insecure = "[fe80::1%eth0]:4317", false
	traces.Pipelines[0].Exporter.OTLPGRPC.TLS = TLS{CAFile: "/a b/ca.pem", CertFile: "c:\\cert", KeyFile: "${KEY}"}
	traces.Pipelines[0].Exporter.OTLPGRPC.Headers = []Header{{"authorization", NewSecret("Bearer x")}, {"b", NewSecret("")}}
	traces.Sampler = Sampler{1e-5, 1, 0}
	c.Filter.MinDuration = 1500 * time.Microsecond
	c.TracePolicy.SplitOn = SplitOn{Cgroup: true, LongLived: true}
	c.Delivery = Delivery{Directory: "/a b/$X", MaxSize: 3 << 29, MaxAge: time.Minute}
	c.TracePolicy.MaxAge = 36*time.Hour + 10*time.Second
	c.Resource.Attributes = []Attribute{
		{Name: "s", Value: "a\"b\\c\n\t\x00\x7f\u0085\u2028\ufeff$${X} é 世 \U0001f600 #: - "}, {Name: "true", Value: "true"}, {Name: "empty", Value: ""},
		{Name: "i", Value: int64(math.MinInt64)}, {Name: "f", Value: 1e21}, {Name: "f2", Value: 3.0}, {Name: "b", Value: false},
		{Name: "ss", Value: []string{"", "a, b]", "null"}}, {Name: "is", Value: []int64{-1, 2}}, {Name: "fs", Value: []float64{0.1, -2}}, {Name: "bs", Value: []bool{true, false}},
	}
	checkReparses(t, c)
	golden(t, "testdata/printed.yml", string(c.YAML()))
	pulled := Default()
	pulled.Metrics = &Metrics{Prometheus: metrics.Prometheus}
	checkReparses(t, pulled)
	longest := Default()
	longest.ExpectedExits[strings.Repeat("\x01", maxFileName)] = nil // YAML bounds a key as it is written
	checkReparses(t, longest)
}

func TestFormatDuration(t *testing.T) {
	for _, want := range []string{"0s", "1ns", "1.5ms", "10s", "10m", "10m10s", "1h", "20h0m10s", "1h30m", "100h", "2562047h"} {
		d, err := time.ParseDuration(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%v) = %s, want %s", d, got, want)
		}
	}
}

// FuzzParse proves that no file panics, and that what is valid prints as a file
// that means the same.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "reference.yml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "value")
	}
	f.Add([]byte(around("endpoint: ${V}", "tls: {insecure: true}", "headers_list: \"a=${V}\"")), "[::1%x]:1")
	f.Add([]byte(strings.Replace(around(), "processors:", "sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: ${V}}}}}\n  processors:", 1)), "0.5")
	f.Add([]byte("file_format: '1.0'\ndistribution: {procspan: {filter: {min_duration: \"${V}\"}, traces: {split_on: [job], max_age: \"${V}\"}}}"), "1h0m0.5us")
	f.Add([]byte("file_format: '1.0'\ndistribution: {procspan: {service_name: \"${V}\", capture: {environment: [\"${V}\"], redact: {allow: [\"${V}\", a]}}, expected_exits: {a: [1, \"${V}\"]}}}"), "SIGHUP")
	f.Add([]byte("file_format: '1.0'\ndistribution: {procspan: {delivery: {directory: \"/${V}\", max_size: \"${V}\", max_age: \"${V}\"}}}"), "20MiB")
	f.Add([]byte("file_format: '1.0'\nresource: {attributes_list: \"a=${V},%24%00=$$\"}"), "x,y=${V}")
	f.Add([]byte("file_format: '1.0'\nmeter_provider: {readers: [{pull: {exporter: {prometheus/development: {host: \"${V}\"}}}}]}\ndistribution: {procspan: {health: {endpoint: \"${V}\"}}}"), "::1%a:1")
	f.Add([]byte("file_format: '1.0'\ndistribution: {procspan: {rules: [{name: \"${V}\", match: {executable: \"${V}\", user: \"${V}\", environment: {A: \"${V}\"}, exit: [0]}, span_name: \"${V}\", set: {\"a b\": \"$$${env:A:-x}\"}}]}}"), "a\\*[!x]")
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		c, err := Parse("fuzz.yml", data, func(string) (string, bool) { return value, true })
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without text")
			}
			return
		}
		checkReparses(t, c)
	})
}
