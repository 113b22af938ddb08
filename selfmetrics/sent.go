package selfmetrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
)

// The pauses between the attempts of one export.
const (
	firstPause = time.Second
	maxPause   = 5 * time.Second
)

// newSent returns a reader that sends periodically, and the function that closes its
// connection or file.
func newSent(o Options) (sdk.Reader, func() error, error) {
	p := o.Metrics.Periodic
	// The exporters always read OTEL_EXPORTER_OTLP_*. All of it is overridden, but
	// they print what they cannot parse, including values of headers.
	otel.SetLogger(logr.Discard())
	exporter, end, err := connect(o)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the export of metrics: %w", err)
	}
	sender := &sender{Exporter: exporter, to: p.Exporter, resource: o.Resource, log: o.Log}
	return sdk.NewPeriodicReader(sender, sdk.WithInterval(p.Interval), sdk.WithTimeout(p.Timeout)), end, nil
}

func connect(o Options) (sdk.Exporter, func() error, error) {
	switch e := o.Metrics.Periodic.Exporter; {
	case e.OTLPGRPC != nil:
		return overGRPC(o)
	case e.OTLPHTTP != nil:
		return overHTTP(o, deliver.HTTPClient(*e.OTLPHTTP, o.TLS), e.OTLPHTTP.URL)
	default:
		written := deliver.MetricsClient(e, &deliver.Options{Files: o.Files, Stdout: o.Stdout, Log: o.Log})
		return overHTTP(o, written, "http://localhost/v1/metrics") // nothing is sent there
	}
}

func overGRPC(o Options) (sdk.Exporter, func() error, error) {
	p := o.Metrics.Periodic
	conn, err := deliver.Dial(*p.Exporter.OTLPGRPC, o.TLS, o.Version)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlpmetricgrpc.New(context.Background(),
		otlpmetricgrpc.WithGRPCConn(conn), // with endpoint, TLS and compression
		otlpmetricgrpc.WithHeaders(headers(p.Exporter)),
		otlpmetricgrpc.WithTimeout(p.Exporter.Common().Timeout),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{
			Enabled: true, InitialInterval: firstPause, MaxInterval: maxPause, MaxElapsedTime: p.Timeout,
		}),
		otlpmetricgrpc.WithTemporalitySelector(temporalities[p.Temporality]),
		otlpmetricgrpc.WithAggregationSelector(sdk.DefaultAggregationSelector),
	)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return exporter, conn.Close, nil
}

// overHTTP returns an OTLP/HTTP exporter. The client may write the requests instead of
// sending them.
func overHTTP(o Options, client *http.Client, url string) (sdk.Exporter, func() error, error) {
	p := o.Metrics.Periodic
	common := p.Exporter.Common()
	compression := otlpmetrichttp.NoCompression
	if common.Compression == "gzip" || common.Compression == "zstd" { // the SDK has no zstd
		compression = otlpmetrichttp.GzipCompression
	}
	exporter, err := otlpmetrichttp.New(context.Background(),
		otlpmetrichttp.WithHTTPClient(client), // with TLS and the proxy
		otlpmetrichttp.WithEndpointURL(url),
		otlpmetrichttp.WithHeaders(headers(p.Exporter)),
		otlpmetrichttp.WithCompression(compression),
		otlpmetrichttp.WithTLSClientConfig(nil), // the client's counts
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{
			Enabled: true, InitialInterval: firstPause, MaxInterval: maxPause, MaxElapsedTime: p.Timeout,
		}),
		otlpmetrichttp.WithTemporalitySelector(temporalities[p.Temporality]),
		otlpmetrichttp.WithAggregationSelector(sdk.DefaultAggregationSelector),
	)
	if err != nil {
		return nil, nil, err
	}
	return exporter, func() error { client.CloseIdleConnections(); return nil }, nil
}

func headers(e config.Exporter) map[string]string {
	all := make(map[string]string, len(e.Common().Headers))
	for _, h := range e.Common().Headers {
		all[h.Name] = h.Value.Reveal()
	}
	return all
}

var temporalities = map[config.Temporality]sdk.TemporalitySelector{
	config.Cumulative: sdk.CumulativeTemporalitySelector,
	config.Delta:      sdk.DeltaTemporalitySelector,
	config.LowMemory:  sdk.LowMemoryTemporalitySelector,
}

// sender is an exporter that logs the first failure and the recovery. Cumulative
// counters lose nothing by a failed export; the next one includes it.
type sender struct {
	sdk.Exporter
	to       config.Exporter
	resource *resource.Resource
	log      *slog.Logger
	failing  bool // exports come one at a time
}

// Export sends the metrics. It logs failures itself and never returns them, since the
// reader would log each.
func (s *sender) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	metrics.Resource = s.resource // the SDK's has OTEL_RESOURCE_ATTRIBUTES, too
	bounded := ctx
	if timeout := s.to.Common().Timeout; timeout > 0 { // the SDK's client has it for gRPC only
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	switch err := s.Exporter.Export(bounded, metrics); {
	case err == nil:
		if s.failing {
			s.log.Info("metrics export recovered", "endpoint", s.to.Target())
		}
		s.failing = false
	case errors.Is(ctx.Err(), context.Canceled): // by the last export
	case !s.failing:
		s.failing = true
		s.log.Warn("metrics export failed, will retry", "error", deliver.Failure("metrics", s.to, err))
	}
	return nil
}
