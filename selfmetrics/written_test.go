package selfmetrics

import (
	"bytes"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/test/syncbuffer"
)

// written are the options of a Watch that writes metrics.
func written(interval time.Duration, to config.Exporter) (Options, *syncbuffer.Buffer, *bytes.Buffer) {
	m := config.DefaultMetrics()
	m.Prometheus, m.Periodic.Interval, m.Periodic.Exporter, m.Periodic.Temporality = nil, interval, to, config.Delta
	o, out := testOptions(m)
	stdout := &bytes.Buffer{}
	o.Files, o.Stdout = config.Default().Files, stdout
	return o, out, stdout
}

// withCertificate sets what the SDK reads as TLS, which it refuses without https.
func withCertificate(t *testing.T) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", path)
}

// parse reads one line.
func parse(t *testing.T, line string) map[string]*metricspb.Metric {
	t.Helper()
	var request colmetricspb.ExportMetricsServiceRequest
	if err := protojson.Unmarshal([]byte(line), &request); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	all := map[string]*metricspb.Metric{}
	for _, m := range request.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		all[m.Name] = m
	}
	return all
}

// A file and standard output get each export as a line of OTLP's JSON.
func TestWrittenAsJSON(t *testing.T) {
	withCertificate(t)
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	for name, to := range map[string]string{"file": path, "stdout": config.Stdout} {
		t.Run(name, func(t *testing.T) {
			o, out, stdout := written(time.Hour, config.Exporter{File: &config.File{Path: to}}) // once, at the end
			if err := startFull(t, o).Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			text := stdout.String()
			if to != config.Stdout {
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				text += string(content)
			}
			if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, `{"resourceMetrics":[`) {
				t.Errorf("it wrote\n%s", text)
			}
			all := parse(t, text)
			if len(all) != len(Metrics()) {
				t.Errorf("%d metrics came, want %d", len(all), len(Metrics()))
			}
			h := all["otel.sdk.exporter.operation.duration"].GetHistogram()
			if len(h.GetDataPoints()) != 3 || len(h.DataPoints[0].BucketCounts) != len(attemptBounds())+1 ||
				h.AggregationTemporality != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
				t.Errorf("the histogram is %v", h)
			}
			if out.String() != "" {
				t.Errorf("the log has\n%s", out)
			}
		})
	}
}

// The console gets a line for each point.
func TestWrittenAsLines(t *testing.T) {
	o, out, stdout := written(time.Hour, config.Exporter{Console: &config.Console{}})
	if err := startFull(t, o).Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		" metric procspan.lifetimes 42 unit={process} service.name=procspan ",
		" metric otel.sdk.exporter.operation.duration 2 count=1 unit=s service.name=procspan ",
		` metric procspan.lost 21 unit={loss} service.name=procspan `,
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no line has %q:\n%s", want, stdout)
		}
	}
	if out.String() != "" {
		t.Errorf("the log has\n%s", out)
	}
}

// A file that cannot be written is logged once, with a hint, and is written once that is
// possible.
func TestWrittenLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	to := config.Exporter{File: &config.File{Path: path}}
	if err := ProbeExporter(t.Context(), to, nil, "1"); err == nil || !strings.Contains(err.Error(), "EISDIR") {
		t.Errorf("the probe says %v", err)
	}
	o, out, _ := written(100*time.Millisecond, to)
	w := startFull(t, o)
	wait := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), text); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log has no %q:\n%s", text, out)
			}
		}
	}
	wait("metrics export failed, will retry")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wait("metrics export recovered")
	if err := w.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	const want = "EISDIR: write to " // and the path, but no URL
	if text := out.String(); strings.Count(text, "metrics export failed") != 1 || !strings.Contains(text, want) ||
		!strings.Contains(text, "make the file of output_stream") || strings.Contains(text, "localhost") {
		t.Errorf("it logged\n%s", text)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		parse(t, line)
	}
}
