package otelexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/spool"
	"github.com/procspan/procspan/process"
)

// Options are what an Exporter is made from.
type Options struct {
	// Traces takes the spans, Logs the log records; nil is to send none.
	Traces, Logs *Destination
	Capture      config.Capture
	// Redactor, when set, sees variables, and unless all are wanted as they are,
	// arguments before they are sent.
	Redactor Redactor
	// Names, when set, knows the names of users.
	Names Names
	// Resource describes this host and agent; see NewResource.
	Resource *resource.Resource
	// Clock is called by Export and ExportExec only.
	Clock *Clock
	// Delivery says where to store what cannot be delivered.
	Delivery config.Delivery
	// Version is the agent's own.
	Version string
	Log     *slog.Logger
}

// Redactor takes secrets out. It is called for every process, by the goroutine
// that exports.
type Redactor interface {
	// Args returns as many arguments as it is given, argv[0] first, each ended by
	// a NUL byte; the last may be cut.
	Args(args string) string
	// Variable returns the value to show for that of an environment variable.
	Variable(name, value string) string
}

// Names knows the names of users. It is called for every process, by the
// goroutine that exports, and must not wait for anything.
type Names interface {
	// User returns the name of a user of the initial user namespace, or "".
	User(uid uint32) string
}

// Exporter delivers spans of finished lifetimes, and log records of the starts
// and ends of processes, to OTLP/gRPC endpoints.
type Exporter struct {
	base         *resource.Resource
	host         *Resource
	encoder      *encoder
	traces, logs *pipeline
	store        *spool.Store // nil: there is none
	log          *slog.Logger

	stop sync.Once
}

// Stats says what became of the items of one signal. Accepted and Restored
// together are always the sum of the others.
type Stats struct {
	Accepted  uint64 // spans or records that were to be sent
	Restored  uint64 // those that an earlier agent left, in the store or by AppendPending
	Delivered uint64 // those that the server took
	Waiting   uint64 // in the queue or under way
	Stored    uint64 // on disk, for later or for the next run
	Dropped   Dropped
}

// New returns an exporter at work. Whether the endpoints can be reached shows
// only when there is something to deliver, and is then logged. A store that
// another process uses is an error (*spool.InUseError).
func New(o Options) (*Exporter, error) {
	if o.Redactor == nil && o.Capture.Args != config.ArgsOff && o.Capture.Args != config.ArgsFull {
		return nil, fmt.Errorf("prepare export: there is no redactor for capture.args %q", o.Capture.Args)
	}
	store, err := openStore(o.Delivery, o.Log)
	if err != nil {
		return nil, err
	}
	traces, err := openPipeline(signalSpans, o.Traces, store, o.Version, o.Log)
	if err != nil {
		return nil, errors.Join(err, closeStore(store))
	}
	logs, err := openPipeline(signalLogRecords, o.Logs, store, o.Version, o.Log)
	if err != nil {
		traces.discard()
		return nil, errors.Join(err, closeStore(store))
	}
	return assemble(o, store, traces, logs), nil
}

// assemble puts the pipelines to work.
func assemble(o Options, store *spool.Store, traces, logs *pipeline) *Exporter {
	traces.start()
	logs.start()
	return &Exporter{
		store:   store,
		log:     o.Log,
		base:    o.Resource,
		host:    newResource(o.Resource, nil, ""),
		encoder: newEncoder(o),
		traces:  traces,
		logs:    logs,
	}
}

// Export takes a finished lifetime, of resource r or, where that is nil, of this
// host: for a span, and for the log record of its end. It never blocks and keeps
// nothing of l. It and ExportExec are for one goroutine, the one that owns the
// clock.
func (e *Exporter) Export(l *process.Lifetime, r *Resource) {
	span, record := e.traces.wants(), e.logs.wants()
	if !span && !record {
		return
	}
	if r == nil {
		r = e.host
	}
	e.encoder.loadExit(l, r)
	if span {
		wire, err := e.encoder.span(l)
		e.traces.push(wire, err, r)
	}
	if record {
		wire, err := e.encoder.exitRecord(l)
		e.logs.push(wire, err, r)
	}
}

// Spans reports whether there are spans: an exporter for them.
func (e *Exporter) Spans() bool { return e.traces != nil }

// Records reports whether there are log records at all, which is all that
// ExportExec makes.
func (e *Exporter) Records() bool { return e.logs != nil }

// ExportExec takes an exec, as Export does, for a log record. The record is of
// the span at, whose trace here began with root; both may be zero.
func (e *Exporter) ExportExec(ev *process.Event, at process.SpanContext, root process.ID, r *Resource) {
	if !e.logs.wants() {
		return
	}
	if r == nil {
		r = e.host
	}
	e.encoder.loadExec(ev, root, r)
	wire, err := e.encoder.execRecord(at)
	e.logs.push(wire, err, r)
}

// Stats returns what became of the spans and of the log records so far. It may
// be called at any time.
func (e *Exporter) Stats() (spans, logRecords Stats) {
	return e.traces.stats(), e.logs.stats()
}

// Shutdown delivers what waits, until ctx ends; what still waits then is
// stored, or without a store dropped, counted and logged. It returns when nothing of the exporter runs any
// more. What comes in later is counted as dropped.
func (e *Exporter) Shutdown(ctx context.Context) {
	e.stop.Do(func() {
		var both sync.WaitGroup
		both.Go(func() { e.traces.shutdown(ctx) })
		both.Go(func() { e.logs.shutdown(ctx) })
		both.Wait()
		if err := closeStore(e.store); err != nil {
			e.log.Warn("the store was not closed properly; some that was delivered may be sent again", "error", err)
		}
	})
}
