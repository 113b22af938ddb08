package otelexport

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// scopeName is the instrumentation scope of every span and log record.
const scopeName = "github.com/procspan/procspan"

// envelope makes requests of ready-made bytes: encoded fields that a message is
// given as unknown ones are sent as they are, and come out as the known ones
// they are at the other end. It speaks of spans, and serves log records as well:
// down to the list of items, the messages of both have the same field numbers.
type envelope struct {
	scope   *commonpb.InstrumentationScope
	request []*tracepb.ResourceSpans // all that were ever needed
	filled  int
}

func newEnvelope(version string) envelope {
	return envelope{scope: &commonpb.InstrumentationScope{Name: scopeName, Version: validUTF8(version)}}
}

// fill returns a request of the parts, which is valid until empty is called.
func (e *envelope) fill(parts []part) []*tracepb.ResourceSpans {
	for len(e.request) < len(parts) {
		e.request = append(e.request, &tracepb.ResourceSpans{
			ScopeSpans: []*tracepb.ScopeSpans{{Scope: e.scope, SchemaUrl: semconv.SchemaURL}},
		})
	}
	e.filled = len(parts)
	for i, p := range parts {
		e.set(i, p.resource.wire, p.wire)
	}
	return e.request[:e.filled]
}

// empty lets go of the parts' memory.
func (e *envelope) empty() {
	for i := range e.filled {
		e.set(i, nil, nil)
	}
}

func (e *envelope) set(i int, resource, items []byte) {
	e.request[i].ProtoReflect().SetUnknown(resource)
	e.request[i].ScopeSpans[0].ProtoReflect().SetUnknown(items)
}
