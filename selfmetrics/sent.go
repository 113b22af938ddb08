package selfmetrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

// The pauses between the attempts of one export.
const (
	firstPause = time.Second
	maxPause   = 5 * time.Second
)

// newSent returns a reader that sends every so often, and what releases its
// connection.
func newSent(o Options) (sdk.Reader, func() error, error) {
	p := o.Metrics.Periodic
	conn, err := otelexport.Dial(p.Exporter, o.TLS, o.Version)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := newExporter(p, conn)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("prepare the export of metrics: %w", err), conn.Close())
	}
	sender := &sender{Exporter: exporter, to: p.Exporter, resource: o.Resource, log: o.Log}
	return sdk.NewPeriodicReader(sender, sdk.WithInterval(p.Interval), sdk.WithTimeout(p.Timeout)), conn.Close, nil
}

func newExporter(p *config.PeriodicReader, conn *grpc.ClientConn) (*otlpmetricgrpc.Exporter, error) {
	headers := make(map[string]string, len(p.Exporter.Headers))
	for _, h := range p.Exporter.Headers {
		headers[h.Name] = h.Value.Reveal()
	}
	// The exporter reads OTEL_EXPORTER_OTLP_* in any case. Everything it could
	// take from there is overridden here, but what it cannot parse it prints,
	// values of headers included.
	otel.SetLogger(logr.Discard())
	return otlpmetricgrpc.New(context.Background(),
		otlpmetricgrpc.WithGRPCConn(conn), // endpoint, TLS and compression are the connection's
		otlpmetricgrpc.WithHeaders(headers),
		otlpmetricgrpc.WithTimeout(p.Exporter.Timeout),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{
			Enabled: true, InitialInterval: firstPause, MaxInterval: maxPause, MaxElapsedTime: p.Timeout,
		}),
		otlpmetricgrpc.WithTemporalitySelector(temporality(p.Temporality)),
		otlpmetricgrpc.WithAggregationSelector(sdk.DefaultAggregationSelector),
	)
}

func temporality(t config.Temporality) sdk.TemporalitySelector {
	switch t {
	case config.Delta:
		return sdk.DeltaTemporalitySelector
	case config.LowMemory:
		return sdk.LowMemoryTemporalitySelector
	}
	return sdk.CumulativeTemporalitySelector
}

// sender is the exporter as the reader has it: it says once that sending fails,
// and once that it works again. What could not be sent is sent with the next
// export, unless counters are delta.
type sender struct {
	*otlpmetricgrpc.Exporter
	to       config.OTLPGRPC
	resource *resource.Resource
	log      *slog.Logger
	failing  bool // exports come one at a time
}

// Export sends the metrics. Its failures are logged, and are none for the reader,
// which would log each.
func (s *sender) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	metrics.Resource = s.resource // as it is: the SDK adds OTEL_RESOURCE_ATTRIBUTES
	switch err := s.Exporter.Export(ctx, metrics); {
	case err == nil:
		if s.failing {
			s.log.Info("metrics are delivered again", "endpoint", s.to.Target)
		}
		s.failing = false
	case errors.Is(ctx.Err(), context.Canceled): // for the last one
	case !s.failing:
		s.failing = true
		s.log.Warn("metrics cannot be delivered; the next are tried all the same", "error", otelexport.Failure("metrics", s.to, err))
	}
	return nil
}
