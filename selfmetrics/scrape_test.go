package selfmetrics

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// get asks a server, which answers with this status, and returns the body.
func get(t *testing.T, s *server, path string, status int) (body string, header http.Header) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + s.address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != status {
		t.Errorf("%s: status %s, want %d\n%s", path, r.Status, status, data)
	}
	return string(data), r.Header
}

// scrape returns what a Watch that has everything to tell tells Prometheus.
func scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	o, _ := testOptions(pull())
	w := startFull(t, o)
	text, _ := get(t, w.servers[0], metricsPath, http.StatusOK)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse the answer: %v\n%s", err, text)
	}
	return families
}

func TestScrape(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "leaked=1") // which config has decided on
	families := scrape(t)
	got := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				if !strings.HasPrefix(l.GetName(), "otel_scope_") {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			got[fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))] = value
		}
	}
	const exporter = "otel_component_name=otlp_grpc_span_exporter/0,otel_component_type=otlp_grpc_span_exporter,server_address=collector.example,server_port=4317"
	const logExporter = "otel_component_name=otlp_grpc_log_exporter/0,otel_component_type=otlp_grpc_log_exporter,server_address=::1,server_port=4318"
	const processor = "otel_component_name=batching_span_processor/0,otel_component_type=batching_span_processor"
	for series, want := range map[string]float64{
		"procspan_events_total{procspan_event_kind=exec}":                                                                                                         12,
		"procspan_events_total{procspan_event_kind=malformed}":                                                                                                    15,
		"procspan_lost_total{procspan_loss_reason=exec: ring buffer full,procspan_loss_stage=kernel}":                                                             21,
		"procspan_lost_total{procspan_loss_reason=record malformed,procspan_loss_stage=table}":                                                                    15,
		"procspan_lost_total{otel_component_name=otlp_grpc_span_exporter/0,procspan_loss_reason=queue_full,procspan_loss_stage=delivery,procspan_signal=spans}":   1,
		"procspan_lost_total{otel_component_name=otlp_grpc_span_exporter/0,procspan_loss_reason=unsupported,procspan_loss_stage=delivery,procspan_signal=spans}":  7,
		"procspan_lost_total{otel_component_name=otlp_grpc_log_exporter/0,procspan_loss_reason=refused,procspan_loss_stage=delivery,procspan_signal=log_records}": 0,
		"procspan_processes_living{}":                                                                     31,
		"procspan_traces_living{}":                                                                        32,
		"procspan_lifetimes_waiting{}":                                                                    33,
		"procspan_lifetimes_total{procspan_lifetime_outcome=ended}":                                       41,
		"procspan_lifetimes_total{procspan_lifetime_outcome=filtered}":                                    42,
		"procspan_lifetimes_total{procspan_lifetime_outcome=dropped}":                                     44,
		"procspan_rules_dropped_total{procspan_rule=probes}":                                              45,
		"procspan_lifetimes_total{procspan_lifetime_outcome=sampled_out}":                                 43,
		"procspan_ring_usage_bytes{}":                                                                     51,
		"procspan_ring_limit_bytes{}":                                                                     1 << 20,
		"procspan_bpf_runs_total{procspan_bpf_program=on_exec}":                                           61,
		"procspan_bpf_run_time_seconds_total{procspan_bpf_program=on_exec}":                               1.5,
		"otel_sdk_exporter_span_exported_total{" + exporter + "}":                                         1000,
		"otel_sdk_exporter_span_exported_total{error_type=rejected," + exporter + "}":                     2,
		"otel_sdk_exporter_log_exported_total{" + logExporter + "}":                                       20,
		"otel_sdk_exporter_span_inflight{" + exporter + "}":                                               3,
		"otel_sdk_processor_span_queue_size{" + processor + "}":                                           5,
		"otel_sdk_processor_span_queue_capacity{" + processor + "}":                                       65536,
		"procspan_queue_usage_bytes{otel_component_name=otlp_grpc_span_exporter/0,procspan_signal=spans}": 4000,
		"procspan_store_items{otel_component_name=otlp_grpc_span_exporter/0,procspan_signal=spans}":       9,
		"otel_sdk_exporter_operation_duration_seconds{" + exporter + "}":                                  1,
		"otel_sdk_exporter_operation_duration_seconds{error_type=UNAVAILABLE," + exporter + "}":           1,
		"target_info{host_name=h,service_name=procspan,slot=3}":                                           1,
	} {
		value, ok := got[series]
		if !ok || value != want {
			t.Errorf("%s is %v (there: %t), want %v", series, value, ok, want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(slices.Sorted(maps.Keys(got)), "\n"))
	}
	if memory := got["process_memory_usage_bytes{}"]; memory < 1<<20 || memory > 1<<34 {
		t.Errorf("procspan takes %v bytes of memory", memory)
	}
	if spent := got["process_cpu_time_seconds_total{cpu_mode=user}"]; spent <= 0 {
		t.Errorf("procspan took %v s of CPU time in user mode", spent)
	}
	if f := families["procspan_lost_total"]; f.GetType() != dto.MetricType_COUNTER || f.GetHelp() == "" {
		t.Errorf("procspan_lost_total is a %s: %q", f.GetType(), f.GetHelp())
	}
}

// Before the first snapshot there is little to tell, and no nonsense.
func TestScrapeAtTheStart(t *testing.T) {
	o, out := testOptions(pull())
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := get(t, w.servers[0], metricsPath, http.StatusOK)
	if !strings.Contains(text, "\nprocess_memory_usage_bytes{") || strings.Contains(text, "procspan_loop_age") || strings.Contains(text, "otel_sdk_") {
		t.Errorf("got\n%s", text)
	}
	if _, _ = get(t, w.servers[0], "/", http.StatusNotFound); !strings.Contains(out.String(), "url=http://"+w.servers[0].address()+"/metrics") {
		t.Errorf("the log does not say where:\n%s", out)
	}
	if err := w.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
