package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// jaegerConfig is a Jaeger that listens on loopback only and keeps traces in
// memory. Without a batch processor it has stored a span before it answers the
// sender, so what is not there when the sender has ended will not come. Skew
// between clocks is reported and not corrected: an adjustment of at most 0s is
// refused with a warning.
const jaegerConfig = `
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry:
    metrics: {level: none}
    logs: {level: warn}
extensions:
  jaeger_storage: {backends: {memory: {memory: {max_traces: 100000}}}}
  jaeger_query:
    storage: {traces: memory}
    max_clock_skew_adjust: 0s
    enable_tracing: false # of Jaeger itself, to localhost:4317 whoever that is
    http: {endpoint: "127.0.0.1:%[1]d"}
    grpc: {endpoint: "127.0.0.1:%[2]d"}
  healthcheckv2: {use_v2: true, http: {endpoint: "127.0.0.1:%[3]d"}}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%[4]d"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
`

// jaeger is a running Jaeger.
type jaeger struct {
	*server
	queryURL string // base of the query API
	otlp     string // host:port of its OTLP/gRPC receiver
}

// startJaeger starts a Jaeger that is ready to receive and to answer, and ends
// it with the test.
func startJaeger(t *testing.T) *jaeger {
	t.Helper()
	binary := jaegerBinary(t)
	var j *jaeger
	withFreePorts(t, 4, func(ports []int) error {
		config := writeFile(t, "jaeger.yaml",
			fmt.Sprintf(jaegerConfig, ports[0], ports[1], ports[2], ports[3]))
		j = &jaeger{
			server:   startServer(t, "jaeger", binary, "--config", config),
			queryURL: fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
			otlp:     fmt.Sprintf("127.0.0.1:%d", ports[3]),
		}
		return j.awaitReady(t.Context(), func(ctx context.Context) error {
			if _, err := httpGet(ctx, fmt.Sprintf("http://127.0.0.1:%d/status", ports[2])); err != nil {
				return err
			}
			_, err := httpGet(ctx, j.queryURL+"/api/services")
			return err
		})
	})
	return j
}

// httpGet returns the body of a 200 answer; any other answer is an error.
func httpGet(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{url: url, code: answer.StatusCode, body: body}
	}
	return body, nil
}

// statusError is an answer other than 200.
type statusError struct {
	url  string
	code int
	body []byte
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d: %.500s", e.url, e.code, e.body)
}

// writeFile puts text into a file of the test's own directory.
func writeFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
	return path
}
