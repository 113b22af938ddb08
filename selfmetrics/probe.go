package selfmetrics

import (
	"context"
	"crypto/tls"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
)

// ProbeExporter sends a request without metrics and returns why it failed, or nil.
// It tries once, until ctx ends.
func ProbeExporter(ctx context.Context, to config.Exporter, tls *tls.Config, version string) error {
	return deliver.Probe(ctx, deliver.Metrics, &deliver.Destination{Exporter: to, TLS: tls}, version)
}

// ProbePrometheus returns why metrics could not be served there, or nil.
func ProbePrometheus(p *config.Prometheus) error {
	return tryBind("metrics", prometheusPort, prometheusAddress(p))
}

// ProbeHealth returns why probes could not be answered there, or nil.
func ProbeHealth(h config.Health) error { return tryBind("health", healthEndpoint, h.Endpoint) }
