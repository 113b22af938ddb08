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
)

// The fields of Span, Span.Link, Span.Event and Status in
// opentelemetry/proto/trace/v1.
const (
	fieldSpanTrace, fieldSpanID, fieldSpanState, fieldSpanParent = 1, 2, 3, 4
	fieldSpanName, fieldSpanKind, fieldSpanStart, fieldSpanEnd   = 5, 6, 7, 8
	fieldSpanAttributes, fieldSpanEvents, fieldSpanEventsDropped = 9, 11, 12
	fieldSpanLinks, fieldSpanStatus, fieldSpanFlags              = 13, 15, 16
	fieldLinkTrace, fieldLinkSpan, fieldLinkFlags                = 1, 2, 6
	fieldEventTime, fieldEventName, fieldEventAttributes         = 1, 2, 3
	fieldStatusMessage, fieldStatusCode                          = 2, 3
)

// span returns the span of the lifetime that was loaded, in wire form.
func (e *encoder) span(l *process.Lifetime) ([]byte, error) {
	b := e.place(e.head[:0], l)
	b = appendBytes(b, fieldSpanName, e.name)
	b = appendUint(b, fieldSpanKind, uint64(tracepb.Span_SPAN_KIND_INTERNAL))
	b = appendFixed64(b, fieldSpanStart, e.startTime)
	b = appendFixed64(b, fieldSpanEnd, e.endTime)
	if e.end.failed {
		e.inner = appendBytes(e.inner[:0], fieldStatusMessage, e.end.text)
		e.inner = appendUint(e.inner, fieldStatusCode, uint64(tracepb.Status_STATUS_CODE_ERROR))
		b = appendBytes(b, fieldSpanStatus, e.inner)
	}
	if l.ReexecsDropped > 0 {
		b = appendUint(b, fieldSpanEventsDropped, uint64(l.ReexecsDropped))
	}
	e.head = b
	e.reexecs(l)
	e.attributes.readdress(fieldSpanAttributes)
	return e.item(e.head, e.attributes.wire, e.events)
}

// place appends where the span stands: its trace, its parent, its link.
func (e *encoder) place(b []byte, l *process.Lifetime) []byte {
	b = appendBytes(b, fieldSpanTrace, l.Context.Trace[:])
	b = appendBytes(b, fieldSpanID, l.Context.Span[:])
	if l.ParentSpan != (process.SpanID{}) {
		b = appendBytes(b, fieldSpanParent, l.ParentSpan[:])
	}
	if l.TraceState != "" {
		b = appendBytes(b, fieldSpanState, validUTF8(l.TraceState))
	}
	b = appendFixed32(b, fieldSpanFlags, remoteness(l.ParentRemote))
	if !l.Link.IsZero() {
		e.inner = appendBytes(e.inner[:0], fieldLinkTrace, l.Link.Trace[:])
		e.inner = appendBytes(e.inner, fieldLinkSpan, l.Link.Span[:])
		e.inner = appendFixed32(e.inner, fieldLinkFlags, remoteness(l.LinkRemote))
		b = appendBytes(b, fieldSpanLinks, e.inner)
	}
	return b
}

func remoteness(remote bool) uint32 {
	if remote {
		return remoteFlags
	}
	return localFlags
}

// reexecs encodes the events of the execs after the first.
func (e *encoder) reexecs(l *process.Lifetime) {
	if cap(e.events) > maxScratch {
		e.events = nil
	}
	e.events = e.events[:0]
	// Their attributes follow the span's own, until they have been copied.
	a, field, own := &e.attributes, e.attributes.field, len(e.attributes.wire)
	a.field = fieldEventAttributes
	for i := range l.Reexecs {
		r := &l.Reexecs[i]
		e.image(&r.To)
		a.text(attrPreviousPath, r.From)
		e.inner = appendFixed64(e.inner[:0], fieldEventTime, after(e.startTime, l.Start, r.At))
		e.inner = appendBytes(e.inner, fieldEventName, eventExec)
		e.events = appendSize(e.events, fieldSpanEvents, len(e.inner)+len(a.wire)-own)
		e.events = append(e.events, e.inner...)
		e.events = append(e.events, a.wire[own:]...)
		a.wire = a.wire[:own]
	}
	a.field = field
}
