package selfmetrics

import (
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
)

const (
	metricsPath = "/metrics"
	// maxScrapes bounds concurrent scrapes.
	maxScrapes = 4
)

func prometheusAddress(p *config.Prometheus) string {
	return net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
}

// newFetched returns a reader that collects when Prometheus calls the handler.
func newFetched(o Options) (sdk.Reader, handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		// The exporter's own would include OTEL_RESOURCE_ATTRIBUTES.
		otelprometheus.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, nil, err
	}
	if err := registry.Register(targetInfo(o.Resource)); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             requestTimeout / 2,
	}))
	return reader, mux, nil
}

// targetInfo is the resource as a metric, by OpenTelemetry's rules for Prometheus.
func targetInfo(r *resource.Resource) prometheus.Collector {
	labels, namer := prometheus.Labels{}, otlptranslator.LabelNamer{}
	for _, a := range r.Attributes() {
		if name, err := namer.Build(string(a.Key)); err == nil { // a key without a letter has no name
			labels[name] = a.Value.String()
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: otlptranslator.TargetInfoMetricName, Help: "Target metadata", ConstLabels: labels})
	info.Set(1)
	return info
}
