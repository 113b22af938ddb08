package selfmetrics

import (
	"context"
	"crypto/tls"

	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc/metadata"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

// ProbeExporter sends a request without metrics, and says whether the server took
// it. It tries once, until ctx ends.
func ProbeExporter(ctx context.Context, to config.OTLPGRPC, tls *tls.Config, version string) error {
	conn, err := otelexport.Dial(to, tls, version)
	if err != nil {
		return err
	}
	defer conn.Close()
	headers := make(map[string]string, len(to.Headers))
	for _, h := range to.Headers {
		headers[h.Name] = h.Value.Reveal()
	}
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(headers))
	if _, err := colmetricspb.NewMetricsServiceClient(conn).Export(ctx, &colmetricspb.ExportMetricsServiceRequest{}); err != nil {
		return otelexport.Failure("metrics", to, err)
	}
	return nil
}

// ProbePrometheus says whether metrics could be served there.
func ProbePrometheus(p *config.Prometheus) error {
	return tryBind("metrics", prometheusPort, prometheusAddress(p))
}

// ProbeHealth says whether probes could be answered there.
func ProbeHealth(h config.Health) error { return tryBind("health", healthEndpoint, h.Endpoint) }
