package selfmetrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/procspan/procspan/otelexport"
)

const scopeName = "github.com/procspan/procspan"

// meter is the instruments and the readers that ask them.
type meter struct {
	provider *sdk.MeterProvider
	attempts metric.Float64Histogram
	// close releases what the readers use; the provider leaves that to us.
	close func() error
}

// newMeter returns a meter at work, which reads when it is asked, and what
// answers Prometheus; nil where Prometheus is not to be answered.
func newMeter(o Options, read func() reading) (*meter, handler, error) {
	// What goes wrong inside the SDK would otherwise be printed past the log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("metrics", "error", err) }))
	options := []sdk.Option{
		sdk.WithResource(o.Resource),
		sdk.WithExemplarFilter(exemplar.AlwaysOffFilter), // there are no spans to refer to
	}
	m := &meter{close: func() error { return nil }}
	var fetch handler
	if o.Metrics.Prometheus != nil {
		reader, h, err := newFetched(o)
		if err != nil {
			return nil, nil, err
		}
		options, fetch = append(options, sdk.WithReader(reader)), h
	}
	if o.Metrics.Periodic != nil {
		reader, end, err := newSent(o)
		if err != nil {
			return nil, nil, err
		}
		options, m.close = append(options, sdk.WithReader(reader)), end
	}
	m.provider = sdk.NewMeterProvider(options...)
	if err := m.instrument(o.Version, read); err != nil {
		return nil, nil, errors.Join(err, m.shutdown(context.Background()))
	}
	return m, fetch, nil
}

// instrument makes an instrument of each metric.
func (m *meter) instrument(version string, read func() reading) error {
	from := m.provider.Meter(scopeName, metric.WithInstrumentationVersion(version), metric.WithSchemaURL(semconv.SchemaURL))
	var (
		all  []metric.Observable
		tell []func(*reading, metric.Observer)
	)
	for _, d := range Metrics() {
		i, observe, err := d.instrument(from)
		if err != nil {
			return fmt.Errorf("make the metric %s: %w", d.Name, err)
		}
		if histogram, ok := i.(metric.Float64Histogram); ok {
			m.attempts = histogram
			continue
		}
		all, tell = append(all, i.(metric.Observable)), append(tell, observe)
	}
	_, err := from.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		r := read() // once for all: what is told belongs together
		for _, t := range tell {
			t(&r, to)
		}
		return nil
	}, all...)
	if err != nil {
		return fmt.Errorf("observe the metrics: %w", err)
	}
	return nil
}

// instrument returns an instrument of the metric, and what observes it.
func (d Metric) instrument(from metric.Meter) (i any, tell func(*reading, metric.Observer), err error) {
	says, unit := metric.WithDescription(d.Says), metric.WithUnit(d.Unit)
	counting := func(i metric.Int64Observable, err error) (any, func(*reading, metric.Observer), error) {
		return i, func(r *reading, to metric.Observer) {
			d.count(r, func(n int64, attributes ...attribute.KeyValue) {
				to.ObserveInt64(i, n, metric.WithAttributes(attributes...))
			})
		}, err
	}
	measuring := func(i metric.Float64Observable, err error) (any, func(*reading, metric.Observer), error) {
		return i, func(r *reading, to metric.Observer) {
			d.seconds(r, func(f float64, attributes ...attribute.KeyValue) {
				to.ObserveFloat64(i, f, metric.WithAttributes(attributes...))
			})
		}, err
	}
	switch {
	case d.Kind == Histogram:
		i, err = from.Float64Histogram(d.Name, says, unit, metric.WithExplicitBucketBoundaries(attemptBounds()...))
		return i, nil, err
	case d.Kind == Counter && d.count != nil:
		return counting(from.Int64ObservableCounter(d.Name, says, unit))
	case d.Kind == Counter:
		return measuring(from.Float64ObservableCounter(d.Name, says, unit))
	case d.Kind == UpDownCounter:
		return counting(from.Int64ObservableUpDownCounter(d.Name, says, unit))
	}
	return measuring(from.Float64ObservableGauge(d.Name, says, unit))
}

// attemptBounds are the bounds of the histogram of attempts, in seconds: from a
// collector on the same machine to one that makes an attempt time out.
func attemptBounds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// attempted returns what counts attempts to send to a server.
func (m *meter) attempted(s Signal, target string) otelexport.Attempted {
	exporter := exporterAttributes(s, target)
	well := metric.WithAttributeSet(attribute.NewSet(exporter...))
	return func(took time.Duration, errorType string) {
		how := well
		if errorType != "" {
			how = metric.WithAttributes(append(exporter[:len(exporter):len(exporter)], semconv.ErrorTypeKey.String(errorType))...)
		}
		m.attempts.Record(context.Background(), took.Seconds(), how)
	}
}

// exporterAttributes are those of the exporter of a signal to host:port.
func exporterAttributes(s Signal, target string) []attribute.KeyValue {
	kind := semconv.OTelComponentTypeOtlpGRPCSpanExporter
	if s == LogRecords {
		kind = semconv.OTelComponentTypeOtlpGRPCLogExporter
	}
	attributes := []attribute.KeyValue{kind, semconv.OTelComponentName(kind.Value.AsString() + "/0")}
	if host, text, err := net.SplitHostPort(target); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			attributes = append(attributes, semconv.ServerAddress(host), semconv.ServerPort(port))
		}
	}
	return attributes
}

// processorAttributes are those of what holds the queue of a signal.
func processorAttributes(s Signal) []attribute.KeyValue {
	kind := semconv.OTelComponentTypeBatchingSpanProcessor
	if s == LogRecords {
		kind = semconv.OTelComponentTypeBatchingLogProcessor
	}
	return []attribute.KeyValue{kind, semconv.OTelComponentName(kind.Value.AsString() + "/0")}
}

// shutdown has the periodic reader send once more, until ctx ends.
func (m *meter) shutdown(ctx context.Context) error {
	return errors.Join(m.provider.Shutdown(ctx), m.close())
}
