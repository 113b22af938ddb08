package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

func TestParseWhole(t *testing.T) {
	data, err := os.ReadFile("testdata/whole.yml")
	if err != nil {
		t.Fatal(err)
	}
	got := mustParse(t, string(data), map[string]string{"TOKEN": "t0ken"})
	want := Config{
		Resource: Resource{Attributes: []Attribute{
			{Name: "team", Value: "a,b"}, {Name: "empty", Value: ""}, {Name: "service.name", Value: "builds"}, {Name: "slot", Value: int64(3)},
			{Name: "ratio", Value: 1.0}, {Name: "on", Value: true}, {Name: "names", Value: []string{"a", "1"}},
			{Name: "slots", Value: []int64{1, 16, 15}}, {Name: "ratios", Value: []float64{1, .5, -1000}},
			{Name: "flags", Value: []bool{true, false}}, {Name: "absent", Value: ""},
		}},
		Traces: &Traces{
			Limits:  DefaultTraces().Limits,
			Sampler: Sampler{.25, 1, 1},
			Pipelines: []Pipeline{{Batch: Batch{ScheduleDelay: 0, ExportTimeout: 5 * time.Second, MaxQueueSize: 100, MaxExportBatchSize: 10}, Exporter: Exporter{OTLPGRPC: &OTLPGRPC{Target: "otel.example.com:4317", OTLP: OTLP{
				TLS:         TLS{CAFile: "/ca.pem", CertFile: "/cert.pem", KeyFile: "/key.pem"},
				Headers:     []Header{{"x-b", NewSecret("a b")}, {"authorization", NewSecret("Bearer t0ken")}},
				Compression: "gzip",
				Timeout:     2 * time.Second,
			}}}}},
		},
		Logs: &Logs{Pipelines: []Pipeline{{
			Batch: Batch{ScheduleDelay: time.Second, ExportTimeout: time.Millisecond, MaxQueueSize: 9, MaxExportBatchSize: 9},
			Exporter: Exporter{OTLPGRPC: &OTLPGRPC{Target: "logs:1", OTLP: OTLP{Headers: []Header{{"x-a", NewSecret("t0ken")}}, Compression: "none",
				Timeout: 10 * time.Second}}},
		}}},
		Metrics: &Metrics{
			Periodic: &PeriodicReader{Interval: 100 * time.Millisecond, Timeout: time.Millisecond, Temporality: Delta,
				Exporter: Exporter{OTLPGRPC: &OTLPGRPC{Target: "metrics:1", OTLP: OTLP{Headers: []Header{{"x-a", NewSecret("t0ken")}}, Compression: "none", Timeout: 3 * time.Millisecond}}}},
			Prometheus: &Prometheus{Host: "::1"},
		},
		ServiceName:   ServiceNameExecutable,
		ExpectedExits: DefaultExpectedExits(),
		Capture: Capture{
			Args: ArgsFull, Attributes: []AttributeName{"minimal", "process.vpid"}, Forks: process.ForksAll, Baggage: true, Environment: []string{"CI_JOB_ID", "x"},
			Redact: Redact{
				Patterns: []*regexp.Regexp{regexp.MustCompile(`^tok_[0-9a-f]+$`), regexp.MustCompile(`\d`)},
				Allow:    []*regexp.Regexp{regexp.MustCompile("(?i)public")},
			},
		},
		Filter: Filter{MinDuration: 1500 * time.Millisecond},
		TracePolicy: TracePolicy{
			SplitOn: SplitOn{Session: true, Job: true}, MaxSpans: 1, MaxBytes: 64 << 10, MaxAge: 90 * time.Minute,
			LongLivedAfter: 10 * time.Millisecond, HonourSampled: new(bool), KeepErrors: true,
		},
		Delivery: Delivery{Directory: "/var/lib/my procspan", MaxSize: 16 << 20, MaxAge: 90 * time.Second},
		Files:    Files{MaxSize: 2 << 20, MaxAge: 48 * time.Hour, Keep: 3},
		Kernel:   Kernel{RingSize: 64 << 10, MaxProcesses: 1},
		Daemon:   Daemon{Persist: true, PinDirectory: "/sys/fs/bpf/other", StateDirectory: "/run/other"},
		Health:   Health{Endpoint: "localhost:0"},
	}
	maps.Copy(want.ExpectedExits, ExpectedExits{
		"grep": nil, "*": {15, 3 << 8, 35}, "my-$tool": {255 << 8}, "rg": {1, 16 << 8},
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse differs\n got: %s\nwant: %s", got.YAML(), want.YAML())
	}
	if h := got.Traces.Pipelines[0].Exporter.OTLPGRPC.Headers[1].Value.Reveal(); h != "Bearer t0ken" {
		t.Errorf("header = %q", h)
	}
}

type validFile struct {
	file string
	want Config
}

func TestParseDefaults(t *testing.T) {
	for name, tt := range validFiles() {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, tt.file, nil); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got.YAML(), tt.want.YAML())
			}
		})
	}
}

func validFiles() map[string]validFile {
	withExporter := Default()
	traces := DefaultTraces()
	withExporter.Traces = &traces
	withLogs := Default()
	logs := DefaultLogs()
	withLogs.Logs = &logs
	pulled, pushed := Default(), Default()
	metrics := DefaultMetrics()
	pulled.Metrics, pushed.Metrics = &Metrics{Prometheus: metrics.Prometheus}, &Metrics{Periodic: metrics.Periodic}
	fixed := func(value string) Config {
		c := Default()
		c.Resource.Attributes = []Attribute{{Name: "service.name", Value: value}}
		c.ServiceName = ServiceNameFixed
		return c
	}
	unnamed, unit := fixed(""), fixed("x")
	unnamed.ServiceName, unit.ServiceName = ServiceNameUnit, ServiceNameUnit
	return map[string]validFile{
		"least file":         {"file_format: '1.0'", Default()},
		"null sections":      {"file_format: '1.0'\nresource:\ntracer_provider: ~\ndistribution: null\ndisabled:\n", Default()},
		"null in procspan":   {"file_format: '1.0'\ndistribution: {procspan: {capture: , kernel: {ring_size: }, filter: , traces: {split_on: , max_age: }}}", Default()},
		"args redacted":      {"file_format: '1.0'\ndistribution: {procspan: {capture: {args: redacted}}}", Default()},
		"empty in procspan":  {"file_format: '1.0'\ndistribution: {procspan: {service_name: , expected_exits: {}, capture: {redact: {patterns: [], allow: }, environment: []}, delivery: {directory: \"\"}}}", Default()},
		"logs alone":         {strings.Replace(around(), "tracer_provider", "logger_provider", 1), withLogs},
		"service named":      {"file_format: '1.0'\nresource: {attributes: [{name: service.name, value: x}]}", fixed("x")},
		"service in a list":  {"file_format: '1.0'\nresource: {attributes_list: service.name=x}", fixed("x")},
		"service unnamed":    {"file_format: '1.0'\nresource: {attributes_list: service.name=}", unnamed},
		"service of unit":    {"file_format: '1.0'\nresource: {attributes_list: service.name=x}\ndistribution: {procspan: {service_name: unit}}", unit},
		"pull alone":         {"file_format: '1.0'\nmeter_provider: {readers: [{pull: {exporter: {prometheus/development: }}}]}", pulled},
		"periodic alone":     {"file_format: '1.0'\nmeter_provider: {readers: [{periodic: {exporter: {otlp_grpc: }}}]}", pushed},
		"no health":          {"file_format: '1.0'\nmeter_provider:\ndistribution: {procspan: {health: {endpoint: ''}}}", Default()},
		"byte order mark":    {"\ufefffile_format: '1.0'", Default()},
		"document markers":   {"---\nfile_format: '1.0'\n...\n", Default()},
		"YAML 1.1 directive": {"%YAML 1.1\n---\nfile_format: '1.0'\ndistribution: {procspan: {capture: {args: redacted}}}", Default()},
		"JSON":               {`{"file_format": "1.0", "distribution": {"procspan": {"kernel": {"max_processes": 262144}}}}`, Default()},
		"ring by CPUs":       {"file_format: '1.0'\ndistribution: {procspan: {kernel: {ring_size: auto}}}", Default()},
		"null exporter":      {around(), withExporter},
		"null sampler":       {strings.Replace(around(), "processors:", "sampler:\n  processors:", 1), withExporter},
		"null options":       {around("endpoint:", "headers:", "tls: {ca_file: }", "timeout: null"), withExporter},
	}
}

func TestParseHTTP(t *testing.T) {
	exporter := func(signal, otlp string) string {
		return signal + "_provider: {processors: [{batch: {exporter: {otlp_http: " + otlp + "}}}]}\n"
	}
	c := mustParse(t, "file_format: '1.0'\n"+
		exporter("tracer", "{endpoint: 'https://h/otlp/v1/traces?x=y', tls: {ca_file: /ca.pem}, headers: [{name: A, value: b}], compression: zstd, timeout: 3, encoding: protobuf}")+
		exporter("logger", "{endpoint: unix:/run/otel.sock}")+
		"meter_provider: {readers: [{periodic: {exporter: {otlp_http: {temporality_preference: delta}}}}]}\n", nil)
	plain := defaultOTLP()
	for _, tt := range []struct {
		got  Exporter
		want OTLPHTTP
	}{
		{c.Traces.Pipelines[0].Exporter, OTLPHTTP{URL: "https://h/otlp/v1/traces?x=y", OTLP: OTLP{TLS: TLS{CAFile: "/ca.pem"},
			Headers: []Header{{"a", NewSecret("b")}}, Compression: "zstd", Timeout: 3 * time.Millisecond}}},
		{c.Logs.Pipelines[0].Exporter, OTLPHTTP{URL: "http://localhost/v1/logs", Socket: "/run/otel.sock", OTLP: plain}},
		{c.Metrics.Periodic.Exporter, OTLPHTTP{URL: "http://localhost:4318/v1/metrics", OTLP: plain}},
	} {
		if want := (Exporter{OTLPHTTP: &tt.want}); !reflect.DeepEqual(tt.got, want) {
			t.Errorf("got %+v, want %+v", tt.got.OTLPHTTP, tt.want)
		}
	}
	if c.Metrics.Periodic.Temporality != Delta {
		t.Errorf("temporality %s", c.Metrics.Periodic.Temporality)
	}
	checkReparses(t, c)
}

// Metrics go where spans and log records go, each place with its temporality.
func TestParseWrittenMetrics(t *testing.T) {
	for text, want := range map[string]Exporter{
		"console: {temporality_preference: delta}":                                                 {Console: &Console{}},
		"otlp_file/development: {temporality_preference: delta}":                                   {File: &File{Path: Stdout}},
		"otlp_file/development: {output_stream: 'file:///m.jsonl', temporality_preference: delta}": {File: &File{Path: "/m.jsonl"}},
	} {
		c := mustParse(t, "file_format: '1.0'\nmeter_provider: {readers: [{periodic: {exporter: {"+text+"}}}]}\n", nil)
		if p := c.Metrics.Periodic; !reflect.DeepEqual(p.Exporter, want) || p.Temporality != Delta {
			t.Errorf("%s is %+v, %s", text, p.Exporter, p.Temporality)
		}
		checkReparses(t, c)
	}
}

func TestShortQueueMakesShortBatch(t *testing.T) {
	c := mustParse(t, strings.Replace(around(), "exporter:", "max_queue_size: 7\n        exporter:", 1), nil)
	if got := c.Traces.Pipelines[0].Batch.MaxExportBatchSize; got != 7 {
		t.Errorf("MaxExportBatchSize = %d, want 7", got)
	}
}

// TestInvalid parses each testdata/invalid-*.yml; what must be said about it
// stands in the .err file beside it.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	env := lookup(map[string]string{"SECRET": "s3cret", "LATIN1": "\xe9", "LINE": "a\nb", "N": "nine"})
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse(name, data, env)
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v, want *Invalid", err)
			}
			if !reflect.DeepEqual(c, Config{}) {
				t.Error("a part of the configuration came with the error")
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes a secret: %v", err)
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".err", err.Error()+"\n")
		})
	}
}

func TestParseSyntaxNeverPanics(t *testing.T) {
	for name, data := range map[string]string{
		"deep flow":      strings.Repeat("[", 100000),
		"deep mapping":   strings.Repeat("{a: ", 100000),
		"self alias":     "a: &a [*a]\n",
		"root alias":     "&a {b: *a}",
		"nul":            "\x00",
		"latin 1":        "a: \xe9",
		"only anchor":    "&a",
		"complex key":    "? {a: b}\n: c",
		"billion laughs": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(name, []byte(data), lookup(nil)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yml")
	big := filepath.Join(dir, "big.yml")
	write(t, good, "file_format: '1.0'")
	write(t, big, strings.Repeat("# \n", maxFileSize/2))

	want := Default()
	want.Source = Source{good, "cf8a055361428244cf6df358c8e984fbf114ffaf87b3ae09a0b830b968f9286f"}
	if c, err := Load(good, lookup(nil)); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("Load = %+v, %v", c, err)
	}
	missing := filepath.Join(dir, "none.yml")
	_, err := Load(missing, lookup(nil))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir, lookup(nil)); err == nil {
		t.Error("a directory was loaded")
	}
	if _, err := Load(big, lookup(nil)); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("large file: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestParseIsLinear(t *testing.T) {
	var list strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&list, "k%d=1,", i)
	}
	file := "file_format: '1.0'\nresource: {attributes_list: '" + list.String() + "'}"
	start := time.Now()
	if c := mustParse(t, file, nil); len(c.Resource.Attributes) != 100_000 {
		t.Errorf("%d attributes", len(c.Resource.Attributes))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a file of 1 MiB took %v", took)
	}
}
