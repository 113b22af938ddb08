package otelexport

import (
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/procspan/procspan/process"
)

const (
	// localFlags: sampled (W3C trace-flags), and it is known that the parent, or
	// what is linked to, is not remote (has-is-remote without is-remote).
	localFlags  = sampledFlag | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	remoteFlags = localFlags | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	sampledFlag = 0x1
	// The attributes of Span and of Span.Event in opentelemetry/proto/trace/v1.
	fieldSpanAttributes  = 9
	fieldEventAttributes = 3
)

// span returns the span of the lifetime that was loaded, in wire form.
func (e *encoder) span(l *process.Lifetime) ([]byte, error) {
	s := &e.spanMessage
	e.place(l)
	s.Kind = tracepb.Span_SPAN_KIND_INTERNAL
	s.Name = e.name
	s.StartTimeUnixNano, s.EndTimeUnixNano = e.startTime, e.endTime
	s.Status = nil
	if e.end.failed {
		e.status.Code, e.status.Message = tracepb.Status_STATUS_CODE_ERROR, e.end.text
		s.Status = &e.status
	}
	e.attributes.readdress(fieldSpanAttributes)
	s.ProtoReflect().SetUnknown(e.attributes.wire)
	e.reexecs(l)
	return e.marshal(s)
}

// place sets where the span stands: its trace, its parent, its link.
func (e *encoder) place(l *process.Lifetime) {
	s := &e.spanMessage
	e.context, e.parent, e.linked = l.Context, l.ParentSpan, l.Link
	s.TraceId, s.SpanId, s.ParentSpanId = e.context.Trace[:], e.context.Span[:], nil
	if l.ParentSpan != (process.SpanID{}) {
		s.ParentSpanId = e.parent[:]
	}
	s.TraceState = l.TraceState
	s.Flags = localFlags
	if l.ParentRemote {
		s.Flags = remoteFlags
	}
	s.Links = s.Links[:0]
	if !l.Link.IsZero() {
		e.link.TraceId, e.link.SpanId, e.link.Flags = e.linked.Trace[:], e.linked.Span[:], localFlags
		if l.LinkRemote {
			e.link.Flags = remoteFlags
		}
		s.Links = append(s.Links, &e.link)
	}
}

// reexecs sets the events of the execs after the first.
func (e *encoder) reexecs(l *process.Lifetime) {
	s, a := &e.spanMessage, &e.attributes
	s.Events, s.DroppedEventsCount = s.Events[:0], uint32(max(0, l.ReexecsDropped))
	// Their attributes follow the span's own, until they have been sent. Where
	// the list has to grow, what was set before stays in its former memory.
	own := len(a.wire)
	a.field = fieldEventAttributes
	for i := range l.Reexecs {
		if i == len(e.events) {
			e.events = append(e.events, &tracepb.Span_Event{Name: eventExec})
		}
		event, r, from := e.events[i], &l.Reexecs[i], len(a.wire)
		e.image(&r.To)
		a.text(attrPreviousPath, r.From)
		event.TimeUnixNano = after(e.startTime, l.Start, r.At)
		event.ProtoReflect().SetUnknown(a.wire[from:])
		s.Events = append(s.Events, event)
	}
	a.field, a.wire = fieldSpanAttributes, a.wire[:own]
}
