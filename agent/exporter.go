package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/redact"
	"github.com/procspan/procspan/selfmetrics"
)

// newExporter makes the exporter that the configuration asks for.
func newExporter(o Options, clock *otelexport.Clock) (*otelexport.Exporter, error) {
	options, err := exporterOptions(o, clock)
	if err != nil {
		return nil, err
	}
	exporter, err := otelexport.New(options)
	if err != nil {
		return nil, err
	}
	o.self.Follow(exporter)
	return exporter, nil
}

func exporterOptions(o Options, clock *otelexport.Clock) (options otelexport.Options, err error) {
	traces, err := destinations(o, selfmetrics.Spans, o.Config.SpanPipelines())
	if err != nil {
		return options, err
	}
	logs, err := destinations(o, selfmetrics.LogRecords, o.Config.LogPipelines())
	if err != nil {
		return options, err
	}
	redactor, err := newRedactor(o.Config)
	if err != nil {
		return options, err
	}
	resource, err := otelexport.NewResource(context.Background(), o.Config.Resource, o.Version)
	if err != nil {
		o.Log.Warn("some resource attributes are missing", "error", err)
	}
	return otelexport.Options{
		Traces:     traces,
		Logs:       logs,
		SpanLimits: o.Config.SpanLimits(), RecordLimits: o.Config.RecordLimits(),
		Capture:     o.Config.Capture,
		ServiceName: o.Config.ServiceName,
		Redactor:    redactor,
		Names:       hostUsers(),
		Resource:    resource,
		Clock:       clock,
		Files:       o.Config.Files,
		Stdout:      o.Stdout,
		Delivery:    o.Config.Delivery,
		Version:     o.Version,
		Log:         o.Log,
	}, nil
}

// readUsersEvery is how often /etc/passwd is checked for changes.
const readUsersEvery = 10 * time.Second

// hostUsers reads the users of this host.
func hostUsers() *enrich.Users { return enrich.NewUsers("/etc/passwd", readUsersEvery) }

// destinations returns where a signal goes.
func destinations(o Options, s selfmetrics.Signal, pipelines []config.Pipeline) (all []*otelexport.Destination, err error) {
	for i, p := range pipelines {
		tls, err := p.Exporter.Common().TLS.Config()
		if err != nil {
			return nil, err
		}
		all = append(all, &otelexport.Destination{
			Batch: p.Batch, Exporter: p.Exporter, TLS: tls,
			Attempted: o.self.Attempted(s, i, p.Exporter), DropUnfixed: o.oneCommand,
		})
	}
	return all, nil
}

// Usable returns why nothing can be exported by the pipelines, or nil. It reads the
// PEM files and connects to nothing.
func Usable(pipelines []config.Pipeline) error {
	_, err := destinations(Options{}, selfmetrics.Spans, pipelines)
	return err
}

// newRedactor returns the redactor of arguments and variables.
func newRedactor(c config.Config) (*redact.Redactor, error) {
	r, err := redact.New(redact.Options(c.Capture.Redact))
	if err != nil {
		return nil, fmt.Errorf("capture.redact: %w", err)
	}
	return r, nil
}
