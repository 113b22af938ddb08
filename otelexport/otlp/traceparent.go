package otlp

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// Extract parses the values of TRACEPARENT and TRACESTATE by the rules of W3C
// Trace Context. ok is false if the former is invalid; an invalid TRACESTATE is
// ignored.
func Extract(traceparent, tracestate string) (remote process.Remote, ok bool) {
	carrier := propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate}
	span := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !span.IsValid() {
		return process.Remote{}, false
	}
	return process.Remote{
		Context: process.SpanContext{Trace: process.TraceID(span.TraceID()), Span: process.SpanID(span.SpanID())},
		State:   span.TraceState().String(),
		Sampled: span.IsSampled(),
		Random:  span.IsRandom(),
	}, true
}

// Traceparent returns the value of TRACEPARENT that names a span, with the flags
// sampled and random.
func Traceparent(span process.SpanContext, sampled, random bool) string {
	carrier := propagation.MapCarrier{}
	var flags trace.TraceFlags
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(span.Trace), SpanID: trace.SpanID(span.Span), TraceFlags: flags.WithSampled(sampled).WithRandom(random),
	}))
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// NewSampler returns the sampling decision, made once per trace. Unless honour,
// every remote span counts as sampled.
func NewSampler(s config.Sampler, honour bool) func(id process.TraceID, remote process.Remote) bool {
	sampler := sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.Root),
		sdktrace.WithRemoteParentSampled(sdktrace.TraceIDRatioBased(s.RemoteParentSampled)),
		sdktrace.WithRemoteParentNotSampled(sdktrace.TraceIDRatioBased(s.RemoteParentNotSampled)))
	return func(id process.TraceID, remote process.Remote) bool {
		ctx := context.Background()
		if !remote.Context.IsZero() {
			var flags trace.TraceFlags
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID(remote.Context.Trace), SpanID: trace.SpanID(remote.Context.Span),
				TraceFlags: flags.WithSampled(remote.Sampled || !honour), Remote: true,
			}))
		}
		result := sampler.ShouldSample(sdktrace.SamplingParameters{
			ParentContext: ctx, TraceID: trace.TraceID(id), Kind: trace.SpanKindInternal,
		})
		return result.Decision == sdktrace.RecordAndSample
	}
}
