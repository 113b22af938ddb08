package otelexport

import (
	"fmt"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
	"github.com/procspan/procspan/otelexport/otlp"
	"github.com/procspan/procspan/process"
)

// Options configure an Exporter.
type Options struct {
	// Traces take the spans, Logs the log records, each all of them; none disables the
	// signal.
	Traces, Logs []*deliver.Destination
	// SpanLimits bound spans, RecordLimits log records.
	SpanLimits   config.SpanLimits
	RecordLimits config.AttributeLimits
	Capture      config.Capture
	ServiceName  config.ServiceName
	// Redactor, when set, sees variables, and arguments unless capture.args is full.
	Redactor otlp.Redactor
	// Names, when set, resolves user ids.
	Names otlp.Names
	// Resource describes this host and agent; see NewResource.
	Resource *resource.Resource
	// Clock is used by Export and ExportExec only.
	Clock *otlp.Clock
	// Files bounds the files of File exporters; Stdout is standard output.
	Files  config.Files
	Stdout io.Writer
	// Delivery says where items wait on disk.
	Delivery config.Delivery
	// Version is the agent's own.
	Version string
	Log     *slog.Logger
}

// Exporter delivers spans of finished lifetimes, and log records of execs and
// exits. One goroutine, the owner of the clock, calls Export, ExportExec, Named,
// AppendPaths and RestorePaths.
type Exporter struct {
	*deliver.Outbox
	*otlp.Workloads
	encoder   *otlp.Encoder
	limited   otlp.Limited
	batchSize int // the largest of spans; a batch has each of its resources once
}

// New returns a running exporter. It connects when there is something to deliver. A
// store that another process uses is an error (*spool.InUseError).
func New(o Options) (*Exporter, error) {
	if o.Redactor == nil && o.Capture.Args != config.ArgsOff && o.Capture.Args != config.ArgsFull {
		return nil, fmt.Errorf("prepare export: capture.args %q needs a redactor", o.Capture.Args)
	}
	outbox, err := deliver.Open(deliverOptions(o))
	if err != nil {
		return nil, err
	}
	e := &Exporter{
		Outbox:    outbox,
		Workloads: otlp.NewWorkloads(o.ServiceName, o.Resource),
	}
	return e, e.Reconfigure(o)
}

// Reconfigure makes everything from now on follow other options; what waits stays. An
// error means that nothing has changed. The goroutine that exports calls it.
func (e *Exporter) Reconfigure(o Options) error {
	if err := e.Replace(deliverOptions(o)); err != nil {
		return err
	}
	e.Describe(o.ServiceName, o.Resource)
	e.encoder = otlp.NewEncoder(otlp.Options{
		Clock: o.Clock, Capture: o.Capture, Redactor: o.Redactor, Names: o.Names,
		SpanLimits: o.SpanLimits, RecordLimits: o.RecordLimits, Limited: &e.limited,
	})
	e.batchSize = 0
	for _, to := range o.Traces {
		e.batchSize = max(e.batchSize, to.Batch.MaxExportBatchSize)
	}
	return nil
}

func deliverOptions(o Options) deliver.Options {
	return deliver.Options{
		Traces: o.Traces, Logs: o.Logs, Store: o.Delivery, Files: o.Files, Stdout: o.Stdout, Scope: otlp.Scope(o.Version), Version: o.Version, Log: o.Log,
	}
}

// Export takes a finished lifetime, for a span and for the log record of its exit.
// It never blocks and keeps nothing of l.
func (e *Exporter) Export(l *process.Lifetime) {
	span, record := e.Spans.Wants(), e.LogRecords.Wants()
	if !span && !record {
		return
	}
	r := e.Of(l.Groups.Cgroup, &l.Image, l.Treatment)
	e.encoder.Load(l, r)
	if span {
		item, err := e.encoder.Span(l)
		e.Spans.Push(item, err, r.Wire)
		l.Sent(len(item)+len(r.Wire)/max(1, e.batchSize), len(r.Wire))
	}
	if record {
		item, err := e.encoder.ExitRecord(l)
		e.LogRecords.Push(item, err, r.Wire)
	}
}

// ExportExec takes an exec, for a log record of the span at, whose trace began here
// with root; both may be zero. t, if set, is how rules change it.
func (e *Exporter) ExportExec(ev *process.Event, at process.SpanContext, root process.ID, t *process.Treatment) {
	if !e.LogRecords.Wants() {
		return
	}
	r := e.Of(ev.Groups.Cgroup, &ev.Image, t)
	item, err := e.encoder.ExecRecord(ev, at, root, r, t)
	e.LogRecords.Push(item, err, r.Wire)
}

// Limited returns what limits took away from spans and log records so far. The
// goroutine that exports calls it.
func (e *Exporter) Limited() otlp.Limited { return e.limited }

// HasSpans reports whether spans are exported.
func (e *Exporter) HasSpans() bool { return e.Spans.Used() }

// HasRecords reports whether log records are exported; without them ExportExec does
// nothing.
func (e *Exporter) HasRecords() bool { return e.LogRecords.Used() }
