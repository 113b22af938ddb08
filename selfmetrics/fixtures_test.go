package selfmetrics

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.uber.org/goleak"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs is a log that can be read while it is written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// delivery is one that has seen everything.
type delivery struct{}

func (delivery) Stats() (spans, logRecords otelexport.Stats) {
	spans = otelexport.Stats{Accepted: 1045, Delivered: 1000, Waiting: 8, Stored: 9, Dropped: otelexport.Dropped{
		QueueFull: 1, Rejected: 2, TooLarge: 3, Refused: 4, Invalid: 5, Shutdown: 6, Unsupported: 7}}
	return spans, otelexport.Stats{Accepted: 20, Delivered: 20}
}

func (delivery) Depth() (spans, logRecords otelexport.Depth) {
	return otelexport.Depth{Queued: 5, Bytes: 4000, InFlight: 3, Capacity: 65536}, otelexport.Depth{Capacity: 100}
}

// fullSnapshot has something of everything.
func fullSnapshot() *Snapshot {
	return &Snapshot{
		At: time.Now(), Observing: true,
		Events: []Count{{"fork", 11}, {"exec", 12}, {"exit", 13}, {"named", 14}, {"malformed", 15}},
		Losses: []Loss{{StageKernel, "exec: ring buffer full", 21}, {StageTable, "record malformed", 15}},
		Living: 31, Traces: 32, Waiting: 33,
		Ended: 41, LeftOut: 42, SampledOut: 43,
		RingBytes: 51, RingSize: 1 << 20,
		Programs: []Program{{"on_exec", 61, 1500 * time.Millisecond}},
	}
}

// testOptions are those of a Watch of metrics.
func testOptions(m config.Metrics) (Options, *logs) {
	out := &logs{}
	return Options{
		Metrics: &m,
		Resource: resource.NewWithAttributes(semconv.SchemaURL,
			semconv.ServiceName("procspan"), semconv.HostName("h"), attribute.Int("slot", 3)),
		Version: "0.0.0-test",
		Log:     slog.New(slog.NewTextHandler(out, nil)),
	}, out
}

// startFull returns a Watch that has everything to tell.
func startFull(t *testing.T, o Options) *Watch {
	t.Helper()
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Shutdown(context.Background()); err != nil { // of what a test has not stopped
			t.Error(err)
		}
	})
	w.Publish(fullSnapshot())
	w.Follow(delivery{}, "collector.example:4317", "[::1]:4318")
	attempted := w.Attempted(Spans, "collector.example:4317")
	attempted(20*time.Millisecond, "")
	attempted(2*time.Second, "UNAVAILABLE")
	w.Attempted(LogRecords, "[::1]:4318")(time.Millisecond, "")
	return w
}

// pull is a Prometheus reader at any free port.
func pull() config.Metrics {
	return config.Metrics{Prometheus: &config.Prometheus{Host: "127.0.0.1"}}
}
