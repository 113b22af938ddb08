package otelexport

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
	"github.com/procspan/procspan/otelexport/otlp"
	"github.com/procspan/procspan/process"
)

// What the agent needs of the rooms behind this one.
type (
	Clock       = otlp.Clock
	Destination = deliver.Destination
	Stats       = deliver.Stats
	Limited     = otlp.Limited
	State       = deliver.State
	Signal      = deliver.Signal
	Reason      = deliver.Reason
	Positions   = deliver.Positions
	Workloads   = otlp.Workloads
)

// The signals of a State.
const (
	Spans      = deliver.Spans
	LogRecords = deliver.LogRecords
)

// Probe sends a request without items, once, until ctx ends.
func Probe(ctx context.Context, s Signal, to *Destination, version string) error {
	return deliver.Probe(ctx, s, to, version)
}

// LogGRPC passes what grpc-go reports to log, for the whole program. Without it,
// grpc-go prints to standard error. Call it before New.
func LogGRPC(log *slog.Logger) { deliver.LogGRPC(log) }

// NewClock returns a clock with the current offset.
func NewClock() (*Clock, error) { return otlp.NewClock() }

// NewCgroups returns workloads that only know paths.
func NewCgroups() *Workloads { return otlp.NewWorkloads("", resource.Empty()) }

// Extract parses the values of TRACEPARENT and TRACESTATE.
func Extract(traceparent, tracestate string) (process.Remote, bool) {
	return otlp.Extract(traceparent, tracestate)
}

// Traceparent returns the value of TRACEPARENT for a span.
func Traceparent(span process.SpanContext, sampled, random bool) string {
	return otlp.Traceparent(span, sampled, random)
}

// NewSampler returns the sampling decision, made once per trace.
func NewSampler(s config.Sampler, honour bool) func(process.TraceID, process.Remote) bool {
	return otlp.NewSampler(s, honour)
}
