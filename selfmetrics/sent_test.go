package selfmetrics

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/procspan/procspan/config"
)

// collector is an OTLP/gRPC server on loopback that fails the first requests, as
// many as it is told.
type collector struct {
	colmetricspb.UnimplementedMetricsServiceServer
	addr     string
	failures int
	arrived  chan *colmetricspb.ExportMetricsServiceRequest
	headers  chan metadata.MD
}

func newCollector(t *testing.T, failures int) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{
		addr: listener.Addr().String(), failures: failures,
		arrived: make(chan *colmetricspb.ExportMetricsServiceRequest, 1000), headers: make(chan metadata.MD, 1000),
	}
	server := grpc.NewServer()
	colmetricspb.RegisterMetricsServiceServer(server, c)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.GracefulStop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return c
}

// Export is called for one request after the other: there is one client.
func (c *collector) Export(ctx context.Context, r *colmetricspb.ExportMetricsServiceRequest) (*colmetricspb.ExportMetricsServiceResponse, error) {
	if c.failures > 0 {
		c.failures--
		return nil, status.Error(codes.PermissionDenied, "not with s3cr3t-token")
	}
	headers, _ := metadata.FromIncomingContext(ctx)
	c.headers <- headers
	c.arrived <- r
	return &colmetricspb.ExportMetricsServiceResponse{}, nil
}

// push is a periodic reader that sends to the collector.
func (c *collector) push(interval time.Duration, t config.Temporality) config.Metrics {
	m := config.DefaultMetrics()
	m.Prometheus = nil
	m.Periodic.Interval, m.Periodic.Temporality = interval, t
	m.Periodic.Exporter.OTLPGRPC.Target = c.addr
	m.Periodic.Exporter.OTLPGRPC.Headers = []config.Header{{Name: "authorization", Value: config.NewSecret("Bearer s3cr3t-token")}}
	return m
}

func (c *collector) wait(t *testing.T) (*metricspb.ResourceMetrics, map[string]*metricspb.Metric) {
	t.Helper()
	select {
	case r := <-c.arrived:
		all := map[string]*metricspb.Metric{}
		for _, m := range r.ResourceMetrics[0].ScopeMetrics[0].Metrics {
			all[m.Name] = m
		}
		return r.ResourceMetrics[0], all
	case <-time.After(30 * time.Second):
		t.Fatal("no metrics in 30 s")
	}
	return nil, nil
}

func TestSent(t *testing.T) {
	// Package config has decided on all of these.
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "leaked=1")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-leaked=1")
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "1")
	c := newCollector(t, 0)
	o, out := testOptions(c.push(time.Hour, config.Cumulative)) // once, at the end
	w := startFull(t, o)
	if err := w.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, all := c.wait(t)
	var resource []string
	for _, a := range got.Resource.Attributes {
		resource = append(resource, a.Key)
	}
	slices.Sort(resource)
	if want := []string{"host.name", "service.name", "slot"}; !slices.Equal(resource, want) {
		t.Errorf("the resource has %v, want %v", resource, want)
	}
	if scope := got.ScopeMetrics[0].Scope; scope.Name != scopeName || scope.Version != "0.0.0-test" {
		t.Errorf("the scope is %v", scope)
	}
	if headers := <-c.headers; !slices.Equal(headers["authorization"], []string{"Bearer s3cr3t-token"}) ||
		headers["x-leaked"] != nil || !strings.HasPrefix(headers["user-agent"][0], "procspan/0.0.0-test ") {
		t.Errorf("the headers are %v", headers)
	}
	if n := len(c.arrived); n != 0 {
		t.Errorf("%d requests more came than the last", n)
	}
	for _, want := range Metrics() {
		if m := all[want.Name]; m == nil || m.Unit != want.Unit {
			t.Errorf("of %s came %v, want it in %s", want.Name, m, want.Unit)
		}
	}
	if len(all) != len(Metrics()) {
		t.Errorf("%d metrics came, want %d", len(all), len(Metrics()))
	}
	if sum := all["procspan.lifetimes"].GetSum(); !sum.GetIsMonotonic() || len(sum.GetDataPoints()) != 4 ||
		sum.AggregationTemporality != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
		t.Errorf("procspan.lifetimes is %v", sum)
	}
	if h := all["otel.sdk.exporter.operation.duration"].GetHistogram(); len(h.GetDataPoints()) != 3 ||
		!slices.Equal(h.DataPoints[0].ExplicitBounds, attemptBounds()) {
		t.Errorf("the histogram is %v", h)
	}
	if out.String() != "" {
		t.Errorf("the log has\n%s", out)
	}
}

func TestSentAsDelta(t *testing.T) {
	c := newCollector(t, 0)
	o, _ := testOptions(c.push(100*time.Millisecond, config.Delta))
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Shutdown(context.Background())
	w.Publish(&Snapshot{Ended: 40})
	await := func(want int64) {
		t.Helper()
		for {
			_, all := c.wait(t)
			sum := all["procspan.lifetimes"].GetSum()
			if sum.GetAggregationTemporality() != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
				t.Fatalf("procspan.lifetimes is %v", sum)
			}
			for _, p := range sum.DataPoints {
				switch {
				case p.GetAsInt() == want:
					return
				case p.GetAsInt() != 0:
					t.Fatalf("got %d more, want 0 or %d", p.GetAsInt(), want)
				}
			}
		}
	}
	await(40)
	w.Publish(&Snapshot{Ended: 43})
	await(3)
}

// That sending fails is said once, without the secret, and that it works again.
func TestSendingFails(t *testing.T) {
	c := newCollector(t, 3)
	o, out := testOptions(c.push(100*time.Millisecond, config.LowMemory))
	w := startFull(t, o)
	c.wait(t)
	c.wait(t)
	if err := w.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"metrics export failed", "PERMISSION_DENIED", "check the exporter's headers", "metrics export recovered"} {
		if n := strings.Count(out.String(), want); n != 1 {
			t.Errorf("the log has %q %d times, want once", want, n)
		}
	}
	if strings.Contains(out.String(), "s3cr3t") || t.Failed() {
		t.Errorf("the log:\n%s", out)
	}
}

// A collector that is away holds up nothing: neither the start nor, for long, the
// end.
func TestCollectorIsAway(t *testing.T) {
	c := collector{addr: "127.0.0.1:1"}
	o, out := testOptions(c.push(time.Hour, config.Cumulative))
	w := startFull(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = w.Shutdown(ctx)
	if !strings.Contains(out.String(), "metrics export failed") {
		t.Errorf("the log does not say it:\n%s", out)
	}
}

func TestProbeExporter(t *testing.T) {
	c := newCollector(t, 1)
	to := c.push(time.Hour, config.Cumulative).Periodic.Exporter
	err := ProbeExporter(t.Context(), to, nil, "0.0.0-test")
	if err == nil || !strings.Contains(err.Error(), "PERMISSION_DENIED: not with <redacted>; check") {
		t.Errorf("refused: got %v", err)
	}
	if err := ProbeExporter(t.Context(), to, nil, "0.0.0-test"); err != nil {
		t.Errorf("got %v", err)
	}
	if headers := <-c.headers; !slices.Equal(headers["authorization"], []string{"Bearer s3cr3t-token"}) {
		t.Errorf("the headers are %v", headers)
	}
}
