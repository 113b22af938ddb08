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
	hidden := func(o OTLPGRPC) OTLPGRPC {
		o.Headers = slices.Clone(o.Headers)
		for i := range o.Headers {
			o.Headers[i].Value = redacted
		}
		return o
	}
	if c.Traces != nil {
		traces := *c.Traces
		traces.Exporter = hidden(traces.Exporter)
		c.Traces = &traces
	}
	if c.Logs != nil {
		logs := *c.Logs
		logs.Exporter = hidden(logs.Exporter)
		c.Logs = &logs
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
	traces, logs := DefaultTraces(), DefaultLogs()
	c.Traces, c.Logs = &traces, &logs
	logs.Batch.MaxQueueSize = 4096
	logs.Exporter.Headers = []Header{{"c", "x"}}
	c.ServiceName = ServiceNameExecutable
	for _, name := range []string{"a\"\\$${X}\n\u2028: ", "true", "?"} {
		c.ExpectedExits[name] = Exits{1 << 8, 255 << 8, 9, 34, 64}
	}
	c.ExpectedExits["grep"] = nil
	c.Capture.Redact.Patterns = []*regexp.Regexp{regexp.MustCompile(`^"\w+\\$|${X}`)}
	c.Capture.Redact.Allow = []*regexp.Regexp{regexp.MustCompile("a,"), regexp.MustCompile("\n$")}
	c.Capture.Environment = []string{"A B", "$X", "\u0085"}
	traces.Exporter.Target, traces.Exporter.Insecure = "[fe80::1%eth0]:4317", false
	traces.Exporter.TLS = TLS{CAFile: "/a b/ca.pem", CertFile: "c:\\cert", KeyFile: "${KEY}"}
	traces.Exporter.Headers = []Header{{"authorization", "Bearer x"}, {"b", ""}}
	traces.Sampler = Sampler{1e-5, 1, 0}
	c.Filter.MinDuration = 1500 * time.Microsecond
	c.TracePolicy.SplitOn = SplitOn{Cgroup: true, LongLived: true}
	c.Delivery = Delivery{Directory: "/a b/$X", MaxSize: 3 << 29, MaxAge: time.Minute}
	c.TracePolicy.MaxAge = 36*time.Hour + 10*time.Second
	c.Resource.Attributes = []Attribute{
		{"s", "a\"b\\c\n\t\x00\x7f\u0085\u2028\ufeff$${X} é 世 \U0001f600 #: - "}, {"true", "true"}, {"empty", ""},
		{"i", int64(math.MinInt64)}, {"f", 1e21}, {"f2", 3.0}, {"b", false},
		{"ss", []string{"", "a, b]", "null"}}, {"is", []int64{-1, 2}}, {"fs", []float64{0.1, -2}}, {"bs", []bool{true, false}},
	}
	checkReparses(t, c)
	golden(t, "testdata/printed.yml", string(c.YAML()))
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
