package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// metricsConfig is a Collector that writes traces and metrics to the files %[2]s
// and %[3]s.
const metricsConfig = `
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces]}
    metrics: {receivers: [otlp], exporters: [file/metrics]}
  telemetry:
    metrics: {level: none}
    logs: {level: info}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%[1]d"}}}
exporters:
  file/traces: {path: %[2]q, flush_interval: 10ms}
  file/metrics: {path: %[3]q, flush_interval: 10ms}
`

// TestMetrics has `procspan run` send its last metrics to a Collector: they count
// as many spans as came there.
func TestMetrics(t *testing.T) {
	requireObservable(t)
	dir := t.TempDir()
	s := &sink{traces: filepath.Join(dir, "traces.json")}
	metrics := filepath.Join(dir, "metrics.json")
	s.collector = runCollector(t, func(port int) string { return fmt.Sprintf(metricsConfig, port, s.traces, metrics) })
	exporter := fmt.Sprintf(`exporter: {otlp_grpc: {endpoint: "http://%s"}}`, s.otlp)
	daemon := startRun(t, writeFile(t, "procspan.yaml", strings.Join([]string{
		`file_format: "1.0"`,
		`resource: {attributes: [{name: slot, value: 3, type: int}]}`,
		`tracer_provider: {processors: [{batch: {` + exporter + `}}]}`,
		`meter_provider: {readers: [{periodic: {interval: 3600000, ` + exporter + `}}]}`, // at the end only
		"",
	}, "\n")))
	for range 20 {
		runOutcome(t, "true", 0, "true")
	}
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s", status)
	}
	s.finish(t)

	lines := readLines(t, metrics)
	if len(lines) != 1 {
		t.Fatalf("%d requests with metrics came, want 1", len(lines))
	}
	var request otlpMetrics
	if err := json.Unmarshal(lines[0], &request); err != nil {
		t.Fatalf("decode the metrics of the collector: %v", err)
	}
	spans := len(s.spans(t))
	if spans < 20 {
		t.Errorf("%d spans came, want 20 and those of the host", spans)
	}
	for point, want := range map[string]int{
		"procspan.lifetimes procspan.lifetime.outcome=ended":    spans,
		"procspan.lifetimes procspan.lifetime.outcome=filtered": 0,
		"procspan.lost procspan.loss.stage=delivery":            0,
		"procspan.lost procspan.loss.stage=kernel":              0,
		"otel.sdk.exporter.span.exported":                       spans,
		"otel.sdk.processor.span.queue.size":                    0,
		"procspan.queue.usage procspan.signal=spans":            0,
		"otel.sdk.exporter.span.inflight":                       0,
		"otel.sdk.processor.span.queue.capacity":                65536,
	} {
		if got, ok := request.sum(point); !ok || got != want {
			t.Errorf("%s is %d (there: %t), want %d", point, got, ok, want)
		}
	}
	resource := toMap(request.ResourceMetrics[0].Resource.Attributes)
	if resource["service.name"] != "procspan" || resource["slot"] != int64(3) || resource["host.name"] == nil {
		t.Errorf("the resource is %v", resource)
	}
}

// otlpMetrics is a request with metrics, as far as the tests read it.
type otlpMetrics struct {
	ResourceMetrics []struct {
		Resource struct {
			Attributes []keyValue
		}
		ScopeMetrics []struct {
			Metrics []struct {
				Name string
				Sum  struct {
					DataPoints []struct {
						Attributes []keyValue
						AsInt      string
					}
				}
			}
		}
	}
}

// sum adds up the points of a metric, those with the attribute where what is
// "NAME KEY=VALUE".
func (r otlpMetrics) sum(what string) (n int, ok bool) {
	name, attribute, _ := strings.Cut(what, " ")
	key, value, _ := strings.Cut(attribute, "=")
	for _, m := range r.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		if m.Name != name {
			continue
		}
		for _, p := range m.Sum.DataPoints {
			if key != "" && toMap(p.Attributes)[key] != value {
				continue
			}
			more, err := strconv.Atoi(p.AsInt)
			if err != nil {
				return 0, false
			}
			n, ok = n+more, true
		}
	}
	return n, ok
}
