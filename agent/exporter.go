package agent

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/enrich/redact"
	"github.com/procspan/procspan/otelexport"
)

// newExporter makes the exporter that the configuration asks for.
func newExporter(o Options, clock *otelexport.Clock) (*otelexport.Exporter, error) {
	options, err := exporterOptions(o, clock)
	if err != nil {
		return nil, err
	}
	return otelexport.New(options)
}

func exporterOptions(o Options, clock *otelexport.Clock) (options otelexport.Options, err error) {
	traces, err := tracesDestination(o.Config)
	if err != nil {
		return options, err
	}
	logs, err := logsDestination(o.Config)
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
		Traces:   traces,
		Logs:     logs,
		Capture:  o.Config.Capture,
		Redactor: redactor,
		Names:    enrich.NewUsers("/etc/passwd", "/etc/group", readUsersEvery, time.Now),
		Resource: resource,
		Clock:    clock,
		Version:  o.Version,
		Log:      o.Log,
	}, nil
}

// readUsersEvery is how old the names of users are at most.
const readUsersEvery = 10 * time.Second

func tracesDestination(c config.Config) (*otelexport.Destination, error) {
	if c.Traces == nil {
		return nil, nil
	}
	tls, err := c.Traces.Exporter.TLS.Config()
	if err != nil {
		return nil, err
	}
	return &otelexport.Destination{Batch: c.Traces.Batch, Exporter: c.Traces.Exporter, TLS: tls}, nil
}

func logsDestination(c config.Config) (*otelexport.Destination, error) {
	if c.Logs == nil {
		return nil, nil
	}
	tls, err := c.Logs.Exporter.TLS.Config()
	if err != nil {
		return nil, err
	}
	return &otelexport.Destination{Batch: c.Logs.Batch, Exporter: c.Logs.Exporter, TLS: tls}, nil
}

// newRedactor returns what takes secrets out of arguments and variables.
func newRedactor(c config.Config) (*redact.Redactor, error) {
	texts := func(expressions []*regexp.Regexp) (all []string) {
		for _, e := range expressions {
			all = append(all, e.String())
		}
		return all
	}
	r, err := redact.New(redact.Options{
		Patterns: texts(c.Capture.Redact.Patterns),
		Allow:    texts(c.Capture.Redact.Allow),
	})
	if err != nil {
		return nil, fmt.Errorf("capture.redact: %w", err)
	}
	return r, nil
}
