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
)

func TestParseWhole(t *testing.T) {
	got := mustParse(t, `
file_format: "1.1"
disabled: false
resource:
  attributes_list: "service.name=lost,team=a%2Cb, empty="
  attributes:
    - {name: service.name, value: builds}
    - {name: slot, value: 3, type: int}
    - {name: ratio, value: 1, type: double}
    - {name: on, value: true, type: bool}
    - {name: names, value: [a, "1"], type: string_array}
    - {name: slots, value: [1, 0x10, 0o17], type: int_array}
    - {name: ratios, value: [1, .5, -1e3], type: double_array}
    - {name: flags, value: [true, False], type: bool_array}
    - {name: absent, value: "${NONE}"}
    - name: gone
      value: ${NONE}
tracer_provider:
  sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.25}}, remote_parent_sampled: {trace_id_ratio_based: }, remote_parent_not_sampled: {always_on: {}}}}
  processors:
    - batch:
        schedule_delay: 0
        export_timeout: 5000
        max_queue_size: 100
        max_export_batch_size: 10
        exporter:
          otlp_grpc:
            endpoint: otel.example.com
            tls: {ca_file: /ca.pem, key_file: /key.pem, cert_file: /cert.pem, insecure: false}
            headers:
              - {name: Authorization, value: "Bearer ${TOKEN}"}
              - {name: x-gone, value: }
            headers_list: "authorization=low,x-b=a%20b"
            compression: gzip
            timeout: 2000
logger_provider:
  processors:
    - batch:
        export_timeout: 1
        max_queue_size: 9
        exporter: {otlp_grpc: {endpoint: "https://logs:1", headers: [{name: x-a, value: "${TOKEN}"}]}}
distribution:
  other-vendor: {anything: [1, &a 2, *a], args: !x y}
  procspan:
    service_name: executable
    expected_exits: {grep: [], "*": [SIGTERM, 3, SIGRTMIN+1], my-$tool: [255], diff: , rg: ["${NONE:-SIGHUP}", 0x10]}
    capture:
      args: full
      args_max_bytes: 0
      working_directory: false
      baggage: true
      redact: {patterns: ['^tok_[0-9a-f]+$$', "\\d"], allow: [(?i)public]}
      environment: [CI_JOB_ID, x]
    filter: {min_duration: 1.5s, keep_errors: false}
    traces: {split_on: [job, session], max_spans: 1, max_age: 1h30m, long_lived_after: 10ms, join: false, honour_sampled: false, keep_errors: true}
    delivery: {directory: "/var/lib/my procspan/", max_size: 16MiB, max_age: 90s}
    kernel: {ring_size: 64 KiB, max_processes: 1}
    daemon: {persist: true, pin_directory: /sys/fs/bpf/other/, state_directory: /run/other}
`, map[string]string{"TOKEN": "t0ken"})
	want := Config{
		Resource: Resource{Attributes: []Attribute{
			{"team", "a,b"}, {"empty", ""}, {"service.name", "builds"}, {"slot", int64(3)},
			{"ratio", 1.0}, {"on", true}, {"names", []string{"a", "1"}},
			{"slots", []int64{1, 16, 15}}, {"ratios", []float64{1, .5, -1000}},
			{"flags", []bool{true, false}}, {"absent", ""},
		}},
		Traces: &Traces{
			Sampler: Sampler{.25, 1, 1},
			Batch:   Batch{ScheduleDelay: 0, ExportTimeout: 5 * time.Second, MaxQueueSize: 100, MaxExportBatchSize: 10},
			Exporter: OTLPGRPC{
				Target:      "otel.example.com:4317",
				TLS:         TLS{CAFile: "/ca.pem", CertFile: "/cert.pem", KeyFile: "/key.pem"},
				Headers:     []Header{{"x-b", "a b"}, {"authorization", "Bearer t0ken"}},
				Compression: "gzip",
				Timeout:     2 * time.Second,
			},
		},
		Logs: &Logs{
			Batch: Batch{ScheduleDelay: time.Second, ExportTimeout: time.Millisecond, MaxQueueSize: 9, MaxExportBatchSize: 9},
			Exporter: OTLPGRPC{Target: "logs:1", Headers: []Header{{"x-a", "t0ken"}}, Compression: "none",
				Timeout: 10 * time.Second},
		},
		ServiceName:   ServiceNameExecutable,
		ExpectedExits: DefaultExpectedExits(),
		Capture: Capture{
			Args: ArgsFull, Baggage: true, Environment: []string{"CI_JOB_ID", "x"},
			Redact: Redact{
				Patterns: []*regexp.Regexp{regexp.MustCompile(`^tok_[0-9a-f]+$`), regexp.MustCompile(`\d`)},
				Allow:    []*regexp.Regexp{regexp.MustCompile("(?i)public")},
			},
		},
		Filter: Filter{MinDuration: 1500 * time.Millisecond},
		TracePolicy: TracePolicy{
			SplitOn: SplitOn{Session: true, Job: true}, MaxSpans: 1, MaxAge: 90 * time.Minute,
			LongLivedAfter: 10 * time.Millisecond, KeepErrors: true,
		},
		Delivery: Delivery{Directory: "/var/lib/my procspan", MaxSize: 16 << 20, MaxAge: 90 * time.Second},
		Kernel:   Kernel{RingSize: 64 << 10, MaxProcesses: 1},
		Daemon:   Daemon{Persist: true, PinDirectory: "/sys/fs/bpf/other", StateDirectory: "/run/other"},
	}
	maps.Copy(want.ExpectedExits, ExpectedExits{
		"grep": nil, "*": {15, 3 << 8, 35}, "my-$tool": {255 << 8}, "rg": {1, 16 << 8},
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse differs\n got: %s\nwant: %s", got.YAML(), want.YAML())
	}
	if h := got.Traces.Exporter.Headers[1].Value.Reveal(); h != "Bearer t0ken" {
		t.Errorf("header = %q", h)
	}
}

func TestParseDefaults(t *testing.T) {
	withExporter := Default()
	traces := DefaultTraces()
	withExporter.Traces = &traces
	withLogs := Default()
	logs := DefaultLogs()
	withLogs.Logs = &logs
	fixed := func(value string) Config {
		c := Default()
		c.Resource.Attributes = []Attribute{{"service.name", value}}
		c.ServiceName = ServiceNameFixed
		return c
	}
	unnamed, unit := fixed(""), fixed("x")
	unnamed.ServiceName, unit.ServiceName = ServiceNameUnit, ServiceNameUnit
	for name, tt := range map[string]struct {
		file string
		want Config
	}{
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
		"byte order mark":    {"\ufefffile_format: '1.0'", Default()},
		"document markers":   {"---\nfile_format: '1.0'\n...\n", Default()},
		"YAML 1.1 directive": {"%YAML 1.1\n---\nfile_format: '1.0'\ndistribution: {procspan: {capture: {args: redacted}}}", Default()},
		"JSON":               {`{"file_format": "1.0", "distribution": {"procspan": {"kernel": {"max_processes": 262144}}}}`, Default()},
		"null exporter":      {around(), withExporter},
		"null sampler":       {strings.Replace(around(), "processors:", "sampler:\n  processors:", 1), withExporter},
		"null options":       {around("endpoint:", "headers:", "tls: {ca_file: }", "timeout: null"), withExporter},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, tt.file, nil); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got.YAML(), tt.want.YAML())
			}
		})
	}
}

func TestShortQueueMakesShortBatch(t *testing.T) {
	c := mustParse(t, strings.Replace(around(), "exporter:", "max_queue_size: 7\n        exporter:", 1), nil)
	if got := c.Traces.Batch.MaxExportBatchSize; got != 7 {
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

	if c, err := Load(good, lookup(nil)); err != nil || !reflect.DeepEqual(c, Default()) {
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
