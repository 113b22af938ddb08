package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sinkConfig is a Collector that writes traces and logs to the files %[2]s and
// %[3]s, a line for each request that it gets. Its processor does by a resource
// what k8sattributes and others do: it looks container.id up there, and only
// there, and adds what it finds.
const sinkConfig = `
service:
  pipelines:
    traces: {receivers: [otlp], processors: [resource], exporters: [file/traces]}
    logs: {receivers: [otlp], processors: [resource], exporters: [file/logs]}
  telemetry:
    metrics: {level: none}
    logs: {level: info}
receivers:
  otlp: {protocols: {%[4]s: {endpoint: "127.0.0.1:%[1]d"}}}
processors:
  resource: {attributes: [{key: ` + lookedUp + `, from_attribute: container.id, action: insert}]}
exporters:
  file/traces: {path: %[2]q, flush_interval: 10ms}
  file/logs: {path: %[3]q, flush_interval: 10ms}
`

// lookedUp is the attribute that the processor adds.
const lookedUp = "e2e.container"

// sink is a running Collector that writes to files.
type sink struct {
	*collector
	protocol     protocol
	traces, logs string // the files
}

// protocol is how OTLP is sent.
type protocol string

const (
	overGRPC protocol = "grpc"
	overHTTP protocol = "http"
)

// exporter returns procspan's exporter of spans to a collector.
func (p protocol) exporter(otlp string) string {
	if p == overHTTP {
		return fmt.Sprintf(`{otlp_http: {endpoint: "http://%s/v1/traces"}}`, otlp)
	}
	return fmt.Sprintf(`{otlp_grpc: {endpoint: "http://%s"}}`, otlp)
}

// overBoth runs a test over gRPC and over HTTP.
func overBoth(t *testing.T, test func(t *testing.T, p protocol)) {
	t.Run("gRPC", func(t *testing.T) { test(t, overGRPC) })
	t.Run("HTTP", func(t *testing.T) { test(t, overHTTP) })
}

// startSink starts a sink, and ends it with the test.
func startSink(t *testing.T) *sink {
	t.Helper()
	return startSinkOver(t, overGRPC)
}

// startSinkOver starts one that receives by a protocol.
func startSinkOver(t *testing.T, p protocol) *sink {
	t.Helper()
	s := newSink(t, p)
	s.collector = runCollector(t, s.collectorConfig)
	return s
}

// startSinkAt starts one that receives at a port that was free.
func startSinkAt(t *testing.T, p protocol, port int) *sink {
	t.Helper()
	s := newSink(t, p)
	var err error
	if s.collector, err = collectorAt(t, port, s.collectorConfig(port)); err != nil {
		t.Fatal(err)
	}
	return s
}

func newSink(t *testing.T, p protocol) *sink {
	dir := t.TempDir()
	return &sink{protocol: p, traces: filepath.Join(dir, "traces.json"), logs: filepath.Join(dir, "logs.json")}
}

func (s *sink) collectorConfig(port int) string {
	return fmt.Sprintf(sinkConfig, port, s.traces, s.logs, s.protocol)
}

// config writes a configuration file for procspan: it sends spans and log
// records to the sink, after delay. options is more YAML.
func (s *sink) config(t *testing.T, delay string, options ...string) (path string) {
	t.Helper()
	provider := fmt.Sprintf(`{processors: [{batch: {schedule_delay: %s, exporter: {otlp_grpc: {endpoint: "http://%s"}}}}]}`, delay, s.otlp)
	return writeFile(t, "procspan.yaml", strings.Join(append(options,
		`file_format: "1.0"`, "tracer_provider: "+provider, "logger_provider: "+provider, ""), "\n"))
}

const (
	atOnce   = "10"
	atTheEnd = "3600000" // when procspan ends: one request for each signal
)

// finish ends the Collector, so that the files have everything.
func (s *sink) finish(t *testing.T) {
	t.Helper()
	if status := s.stop(); status != "exit status 0" {
		t.Errorf("the collector ends with %s", status)
	}
}

// spans returns those of the traces' file, sorted by start.
func (s *sink) spans(t *testing.T) []*span {
	t.Helper()
	var spans []*span
	for _, line := range readLines(t, s.traces) {
		var request otlpTraces
		if err := json.Unmarshal(line, &request); err != nil {
			t.Fatalf("decode the traces of the collector: %v", err)
		}
		spans = append(spans, request.spans()...)
	}
	sortSpans(spans)
	return spans
}

// records returns those of the logs' file, as they have come.
func (s *sink) records(t *testing.T) []*record {
	t.Helper()
	var records []*record
	for _, line := range readLines(t, s.logs) {
		var request otlpLogs
		if err := json.Unmarshal(line, &request); err != nil {
			t.Fatalf("decode the logs of the collector: %v", err)
		}
		records = append(records, request.records()...)
	}
	return records
}

// readLines returns the lines of a file that are whole: what comes after may
// still be written.
func readLines(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return lines[:len(lines)-1]
}
