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

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
)

const scopeName = "github.com/procspan/procspan"

// meter is the instruments and their readers.
type meter struct {
	provider *sdk.MeterProvider
	attempts metric.Float64Histogram
	// close releases what the readers use, which the provider does not.
	close func() error
}

// newMeter returns a meter that calls read at each collection, and the handler for
// Prometheus, nil if that is not configured.
func newMeter(o Options, read func() reading) (*meter, handler, error) {
	// By default the SDK prints its errors past the log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("metrics SDK error", "error", err) }))
	options := []sdk.Option{
		sdk.WithResource(o.Resource),
		sdk.WithExemplarFilter(exemplar.AlwaysOffFilter), // there are no spans of procspan itself
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

// instrument creates an instrument for each metric.
func (m *meter) instrument(version string, read func() reading) error {
	from := m.provider.Meter(scopeName, metric.WithInstrumentationVersion(version), metric.WithSchemaURL(semconv.SchemaURL))
	var (
		observables []metric.Observable
		observers   []func(*reading, metric.Observer)
	)
	for _, d := range Metrics() {
		i, observe, err := d.instrument(from)
		if err != nil {
			return fmt.Errorf("create the metric %s: %w", d.Name, err)
		}
		if histogram, ok := i.(metric.Float64Histogram); ok {
			m.attempts = histogram
			continue
		}
		observables, observers = append(observables, i.(metric.Observable)), append(observers, observe)
	}
	_, err := from.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		r := read() // once, so that all values are of one moment
		for _, observe := range observers {
			observe(&r, to)
		}
		return nil
	}, observables...)
	if err != nil {
		return fmt.Errorf("observe the metrics: %w", err)
	}
	return nil
}

// instrument returns an instrument for the metric, and its observer.
func (d Metric) instrument(from metric.Meter) (i any, observe func(*reading, metric.Observer), err error) {
	description, unit := metric.WithDescription(d.Description), metric.WithUnit(d.Unit)
	switch {
	case d.Kind == Histogram:
		i, err = from.Float64Histogram(d.Name, description, unit, metric.WithExplicitBucketBoundaries(attemptBounds()...))
	case d.Kind == Gauge:
		i, err = from.Float64ObservableGauge(d.Name, description, unit)
	case d.Kind == UpDownCounter:
		i, err = from.Int64ObservableUpDownCounter(d.Name, description, unit)
	case d.Unit == "s":
		i, err = from.Float64ObservableCounter(d.Name, description, unit)
	default:
		i, err = from.Int64ObservableCounter(d.Name, description, unit)
	}
	return i, func(r *reading, to metric.Observer) {
		d.observe(r, func(value float64, attributes ...attribute.KeyValue) {
			switch i := i.(type) {
			case metric.Int64Observable:
				to.ObserveInt64(i, int64(value), metric.WithAttributes(attributes...))
			case metric.Float64Observable:
				to.ObserveFloat64(i, value, metric.WithAttributes(attributes...))
			}
		})
	}, err
}

// attemptBounds are the histogram's bounds in seconds: from a collector on the same
// machine to a timeout.
func attemptBounds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// attempted returns the recorder of attempts of the i-th exporter of a signal.
func (m *meter) attempted(s Signal, i int, to config.Exporter) deliver.Attempted {
	exporter := exporterAttributes(s, i, to)
	success := metric.WithAttributeSet(attribute.NewSet(exporter...))
	return func(took time.Duration, errorType string) {
		outcome := success
		if errorType != "" {
			outcome = metric.WithAttributes(append(exporter[:len(exporter):len(exporter)], semconv.ErrorTypeKey.String(errorType))...)
		}
		m.attempts.Record(context.Background(), took.Seconds(), outcome)
	}
}

// exporterAttributes describe the i-th exporter of a signal.
func exporterAttributes(s Signal, i int, to config.Exporter) []attribute.KeyValue {
	attributes := component(i, map[Signal]string{Spans: "span", LogRecords: "log"}[s]+"_exporter", to.Kind())
	if host, text, err := net.SplitHostPort(to.Target()); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			attributes = append(attributes, semconv.ServerAddress(host), semconv.ServerPort(port))
		}
	}
	return attributes
}

// processorAttributes describe the queue of the i-th exporter of a signal.
func processorAttributes(s Signal, i int) []attribute.KeyValue {
	return component(i, map[Signal]string{Spans: "span", LogRecords: "log"}[s]+"_processor", "batching")
}

// component names a component as the semantic conventions do, which have names for
// those of OTLP only.
func component(i int, what, kind string) []attribute.KeyValue {
	name := kind + "_" + what
	return []attribute.KeyValue{semconv.OTelComponentTypeKey.String(name), semconv.OTelComponentName(name + "/" + strconv.Itoa(i))}
}

// shutdown sends once more with the periodic reader, until ctx ends.
func (m *meter) shutdown(ctx context.Context) error {
	return errors.Join(m.provider.Shutdown(ctx), m.close())
}
