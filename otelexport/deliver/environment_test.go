package deliver

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/sys/unix"
)

// The configuration has decided; the client's own reading of the environment
// must change nothing, and must not print secrets.
func TestEnvironmentHasNoEffect(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":                  "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":           "https://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_HEADERS":                   "from-env=1,m4lf0rm3d-s3cr3t",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":            "authorization=from-env",
		"OTEL_EXPORTER_OTLP_COMPRESSION":               "gzip",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION":        "gzip",
		"OTEL_EXPORTER_OTLP_TIMEOUT":                   "1",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT":            "1",
		"OTEL_EXPORTER_OTLP_INSECURE":                  "false",
		"OTEL_EXPORTER_OTLP_CERTIFICATE":               "/does/not/exist",
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE":        "/does/not/exist",
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY":         "/does/not/exist",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":           "http/json",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":               "1",
		"OTEL_RESOURCE_ATTRIBUTES":                     "from.env=1",
		"OTEL_SDK_DISABLED":                            "true",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":              "1",
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":            "1",
		"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE":        "/does/not/exist",
		"OTEL_EXPORTER_OTLP_TRACES_INSECURE":           "false",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":                "/does/not/exist",
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "/does/not/exist",
	} {
		t.Setenv(name, value)
	}
	c := newCollector(func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		time.Sleep(50 * time.Millisecond) // longer than the timeout above
		return &coltracepb.ExportTraceServiceResponse{}, nil
	}).listen(t, "")
	o, _ := testOptions(t)
	o.Traces[0].Exporter.OTLPGRPC.Headers = nil

	printed := filepath.Join(t.TempDir(), "stderr")
	restore := redirectStderr(t, printed)
	e := newExporter(t, o, c.addr)
	restore()

	e.export(item(1), nil)
	span := c.wait(t, 1)[0]
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 1, Delivered: 1})
	if len(span.Attributes) != 1 {
		t.Errorf("got %d attributes: a limit from the environment?", len(span.Attributes))
	}
	if got := append(c.headers.Get("authorization"), c.headers.Get("from-env")...); len(got) != 0 {
		t.Errorf("headers from the environment: %q", got)
	}
	if c.encoding != "" {
		t.Errorf("compression: got %q, want none", c.encoding)
	}
	if text, err := os.ReadFile(printed); err != nil || len(text) != 0 {
		t.Errorf("printed: %q (%v)", text, err)
	}
}

// redirectStderr sends file descriptor 2 to a file: the SDK's log has taken
// os.Stderr before any test runs.
func redirectStderr(t *testing.T, path string) (restore func()) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(int(f.Fd()), 2, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = unix.Dup3(saved, 2, 0)
		_ = unix.Close(saved)
		_ = f.Close()
	}
}
