package selfmetrics

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

// What to change where a port cannot be had.
const (
	healthEndpoint = "endpoint in distribution.procspan.health"
	prometheusPort = "port in meter_provider's pull reader (OTEL_EXPORTER_PROMETHEUS_PORT)"
)

// Options are what a Watch is made from.
type Options struct {
	// Metrics says where metrics go; nil is nowhere.
	Metrics *config.Metrics
	// TLS is for the periodic reader's exporter unless that is insecure; nil is the
	// system's roots.
	TLS    *tls.Config
	Health config.Health
	// Resource describes the agent.
	Resource *resource.Resource
	Version  string
	Log      *slog.Logger
}

// Watch tells others how procspan does. A nil one watches nothing.
type Watch struct {
	log      *slog.Logger
	latest   atomic.Pointer[Snapshot]
	delivery atomic.Pointer[target]

	meter   *meter // nil without metrics
	servers []*server
	stop    sync.Once
}

// Start returns a Watch at work, or nil where there is nothing to tell. Its
// ports are bound when it returns.
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

// serve has a server answer at address, and says where.
func (w *Watch) serve(what, option, address, path string, handler handler) error {
	s, err := listen(what, option, address, handler, w.log)
	if err != nil {
		return err
	}
	w.servers = append(w.servers, s)
	w.log.Info(what+" served", "url", "http://"+s.address()+path)
	return nil
}

// Publish takes what the agent's goroutine knows now, which must not be changed
// any more.
func (w *Watch) Publish(s *Snapshot) {
	if w != nil {
		w.latest.Store(s)
	}
}

// Watches reports whether anyone is to be told: whether to Publish.
func (w *Watch) Watches() bool { return w != nil }

// Attempted returns what is to be told of attempts to send spans, and log
// records, to a server; nil where nobody wants to know.
func (w *Watch) Attempted(s Signal, target string) otelexport.Attempted {
	if w == nil || w.meter == nil {
		return nil
	}
	return w.meter.attempted(s, target)
}

// Follow has the metrics tell of a delivery of spans and of log records, each to
// host:port; "" where they are not sent.
func (w *Watch) Follow(d Delivery, spansTo, logRecordsTo string) {
	if w != nil {
		w.delivery.Store(&target{d, spansTo, logRecordsTo})
	}
}

// Shutdown sends what was counted last, until ctx ends, and ends all that was
// started. It may be called again, and does nothing then.
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
