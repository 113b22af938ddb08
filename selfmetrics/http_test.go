package selfmetrics

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
)

// Metrics go over HTTP as they do over gRPC, whatever the environment says.
func TestSentOverHTTP(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-leaked=1")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	withCertificate(t)
	requests := make(chan *http.Request, 10)
	arrived := make(chan *colmetricspb.ExportMetricsServiceRequest, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		text, err := io.ReadAll(body)
		var request colmetricspb.ExportMetricsServiceRequest
		if err != nil || proto.Unmarshal(text, &request) != nil {
			t.Errorf("got %d bytes that are no metrics: %v", len(text), err)
		}
		requests <- r
		arrived <- &request
	}))
	defer server.Close()
	m := config.DefaultMetrics()
	m.Prometheus = nil
	m.Periodic.Interval = time.Hour // once, at the end
	m.Periodic.Exporter = config.Exporter{OTLPHTTP: &config.OTLPHTTP{URL: server.URL + "/v1/metrics", OTLP: config.OTLP{
		Compression: "gzip", Timeout: 10 * time.Second,
		Headers: []config.Header{{Name: "authorization", Value: config.NewSecret("Bearer s3cr3t-token")}}}}}
	o, out := testOptions(m)
	w := startFull(t, o)
	if err := w.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, got := <-requests, <-arrived
	if r.URL.Path != "/v1/metrics" || r.Header.Get("Authorization") != "Bearer s3cr3t-token" || r.Header.Get("X-Leaked") != "" || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %s with %v", r.URL, r.Header)
	}
	if n := len(got.ResourceMetrics[0].ScopeMetrics[0].Metrics); n != len(Metrics()) {
		t.Errorf("%d metrics came, want %d", n, len(Metrics()))
	}
	if out.String() != "" {
		t.Errorf("the log has\n%s", out)
	}
	if err := ProbeExporter(t.Context(), m.Periodic.Exporter, nil, "1"); err != nil {
		t.Errorf("probe: %v", err)
	}
}

func TestHTTPRefuses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not with s3cr3t-token", http.StatusForbidden)
	}))
	defer server.Close()
	to := config.Exporter{OTLPHTTP: &config.OTLPHTTP{URL: server.URL + "/v1/metrics", OTLP: config.OTLP{Timeout: 10 * time.Second,
		Headers: []config.Header{{Name: "authorization", Value: config.NewSecret("Bearer s3cr3t-token")}}}}}
	err := ProbeExporter(t.Context(), to, nil, "1")
	if err == nil || !strings.Contains(err.Error(), "403: not with <redacted>; check the exporter's headers") {
		t.Errorf("got %v", err)
	}
	m := config.DefaultMetrics()
	m.Prometheus, m.Periodic.Interval, m.Periodic.Exporter = nil, 100*time.Millisecond, to
	o, out := testOptions(m)
	w := startFull(t, o)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), "metrics export failed") && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if err := w.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "metrics export failed, will retry"); n != 1 || strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("want it once, without the secret:\n%s", out)
	}
}
