package selfmetrics

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
)

// Settings to change if a port is in use.
const (
	healthEndpoint = "endpoint in distribution.procspan.health"
	prometheusPort = "port in meter_provider's pull reader (OTEL_EXPORTER_PROMETHEUS_PORT)"
)

// Options configure a Watch.
type Options struct {
	// Metrics is the destination of metrics; nil for none.
	Metrics *config.Metrics
	// TLS is for the periodic reader's exporter, unless that is insecure; nil means
	// the system's roots.
	TLS *tls.Config
	// Files bounds the file of a File exporter; Stdout is for those that write to standard
	// output.
	Files  config.Files
	Stdout io.Writer

	Health config.Health
	// Resource describes the agent.
	Resource *resource.Resource
	Version  string
	Log      *slog.Logger
}

// Watch exports metrics and answers probes. A nil Watch does nothing.
type Watch struct {
	log      *slog.Logger
	latest   atomic.Pointer[Snapshot]
	delivery atomic.Pointer[Delivery]

	meter   *meter // nil without metrics
	servers []*server
	stop    sync.Once
}

// Start returns a running Watch, or nil if nothing is configured. Its ports are
// bound when it returns.
func Start(o Options) (*Watch, error) {
	if o.Metrics == nil && o.Health.Endpoint == "" {
		return nil, nil
	}
	w := &Watch{log: o.Log}
	if err := w.start(o); err != nil {
		return nil, errors.Join(err, w.Shutdown(context.Background()))
	}
	return w, nil
}

func (w *Watch) start(o Options) error {
	if o.Health.Endpoint != "" {
		if err := w.serve("health", healthEndpoint, o.Health.Endpoint, "/readyz", w.health()); err != nil {
			return err
		}
	}
	if o.Metrics == nil {
		return nil
	}
	meter, fetch, err := newMeter(o, w.reading)
	if err != nil {
		return err
	}
	w.meter = meter
	if p := o.Metrics.Prometheus; p != nil {
		return w.serve("metrics", prometheusPort, prometheusAddress(p), metricsPath, fetch)
	}
	return nil
}

// serve starts a server at address and logs its URL.
func (w *Watch) serve(what, option, address, path string, handler handler) error {
	s, err := listen(what, option, address, handler, w.log)
	if err != nil {
		return err
	}
	w.servers = append(w.servers, s)
	w.log.Info("serving "+what, "url", "http://"+s.address()+path)
	return nil
}

// Publish makes s the current state. The caller must not change it any more.
func (w *Watch) Publish(s *Snapshot) {
	if w != nil {
		w.latest.Store(s)
	}
}

// Watches reports whether there is a reader: whether to Publish.
func (w *Watch) Watches() bool { return w != nil }

// Attempted returns the recorder of attempts of the i-th exporter of a signal; nil
// without metrics.
func (w *Watch) Attempted(s Signal, i int, to config.Exporter) deliver.Attempted {
	if w == nil || w.meter == nil {
		return nil
	}
	return w.meter.attempted(s, i, to)
}

// Follow adds the metrics of a delivery.
func (w *Watch) Follow(d Delivery) {
	if w != nil {
		w.delivery.Store(&d)
	}
}

// Shutdown exports once more, until ctx ends, and stops everything Start started.
// Further calls do nothing.
func (w *Watch) Shutdown(ctx context.Context) error {
	if w == nil {
		return nil
	}
	var errs []error
	w.stop.Do(func() {
		if w.meter != nil {
			errs = append(errs, w.meter.shutdown(ctx))
		}
		for _, s := range w.servers {
			errs = append(errs, s.close())
		}
	})
	return errors.Join(errs...)
}
