package selfmetrics

import (
	"context"
	"flag"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
	"github.com/procspan/procspan/test/noleak"
	"github.com/procspan/procspan/test/syncbuffer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { noleak.Main(m) }

// delivery is one that has seen everything.
type delivery struct{ spans, logRecords config.Exporter }

func (d delivery) States() []deliver.State {
	spans := deliver.Stats{Accepted: 1045, Delivered: 1000, Waiting: 8, Stored: 9, Dropped: deliver.Drops{
		deliver.QueueFull: 1, deliver.Rejected: 2, deliver.TooLarge: 3, deliver.Refused: 4, deliver.Invalid: 5, deliver.Shutdown: 6, deliver.Unsupported: 7}}
	return []deliver.State{
		{Signal: deliver.Spans, Exporter: d.spans, Stats: spans, Depth: deliver.Depth{Queued: 5, Bytes: 4000, InFlight: 3, Capacity: 65536}},
		{Signal: deliver.LogRecords, Exporter: d.logRecords, Stats: deliver.Stats{Accepted: 20, Delivered: 20}, Depth: deliver.Depth{Capacity: 100}},
	}
}

// fullSnapshot has something of everything.
func fullSnapshot() *Snapshot {
	return &Snapshot{
		At: time.Now(), Observing: true,
		Events: []Count{{"fork", 11}, {"exec", 12}, {"exit", 13}, {"cgroup_path", 14}, {"malformed", 15}},
		Losses: []Loss{{StageKernel, "exec: ring buffer full", 21}, {StageTable, "record malformed", 15}},
		Living: 31, Traces: 32, Waiting: 33,
		Ended: 41, Filtered: 42, SampledOut: 43, Dropped: 44,
		Rules:     []Count{{"probes", 45}},
		Limited:   []Count{{"values_cut", 52}, {"attributes_dropped", 53}},
		RingBytes: 51, RingSize: 1 << 20,
		Reloads: 71, ReloadsFailed: 72, Configured: time.Unix(1_800_000_000, 500_000_000),
		Programs: []Program{{"on_exec", 61, 1500 * time.Millisecond}},
	}
}

// testOptions are those of a Watch of metrics.
func testOptions(m config.Metrics) (Options, *syncbuffer.Buffer) {
	out := &syncbuffer.Buffer{}
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
	spans, records := grpcTo("collector.example:4317"), grpcTo("[::1]:4318")
	w.Follow(delivery{spans, records})
	attempted := w.Attempted(Spans, 0, spans)
	attempted(20*time.Millisecond, "")
	attempted(2*time.Second, "UNAVAILABLE")
	w.Attempted(LogRecords, 0, records)(time.Millisecond, "")
	return w
}

// grpcTo is an exporter.
func grpcTo(target string) config.Exporter {
	return config.Exporter{OTLPGRPC: &config.OTLPGRPC{Target: target}}
}

// pull is a Prometheus reader at any free port.
func pull() config.Metrics {
	return config.Metrics{Prometheus: &config.Prometheus{Host: "127.0.0.1"}}
}
