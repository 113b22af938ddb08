package otlp

import (
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/process"
)

const (
	// localFlags mean sampled (W3C trace-flags), and that the parent or linked span
	// is known not to be remote (has-is-remote without is-remote).
	localFlags  = sampledFlag | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	remoteFlags = localFlags | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	sampledFlag = 0x1
)

// eventExec is the name of an event.
const eventExec = "procspan.exec"

// The fields of Span, Span.Link, Span.Event and Status in
// opentelemetry/proto/trace/v1.
const (
	fieldSpanTrace, fieldSpanID, fieldSpanState, fieldSpanParent = 1, 2, 3, 4
	fieldSpanName, fieldSpanKind, fieldSpanStart, fieldSpanEnd   = 5, 6, 7, 8
	fieldSpanAttributes, fieldSpanEvents                         = 9, 11
	fieldSpanLinks, fieldSpanStatus, fieldSpanFlags              = 13, 15, 16
	fieldSpanAttributesDropped                                   = 10
	fieldSpanEventsDropped, fieldSpanLinksDropped                = 12, 14
	fieldLinkTrace, fieldLinkSpan, fieldLinkFlags                = 1, 2, 6
	fieldEventTime, fieldEventName, fieldEventAttributes         = 1, 2, 3
	fieldEventAttributesDropped                                  = 4
	fieldStatusMessage, fieldStatusCode                          = 2, 3
)

// Span returns the span of the loaded lifetime.
func (e *Encoder) Span(l *process.Lifetime) ([]byte, error) {
	b := e.lineage(e.head[:0], l)
	b = appendBytes(b, fieldSpanName, e.name)
	b = appendUint(b, fieldSpanKind, uint64(tracepb.Span_SPAN_KIND_INTERNAL))
	b = appendFixed64(b, fieldSpanStart, e.startTime)
	b = appendFixed64(b, fieldSpanEnd, e.endTime)
	if e.end.failed {
		e.inner = appendBytes(e.inner[:0], fieldStatusMessage, e.end.text)
		e.inner = appendUint(e.inner, fieldStatusCode, uint64(tracepb.Status_STATUS_CODE_ERROR))
		b = appendBytes(b, fieldSpanStatus, e.inner)
	}
	b = appendCount(b, fieldSpanAttributesDropped, e.dropped)
	kept := min(len(l.Reexecs), e.most.events)
	e.limited.Events += uint64(len(l.Reexecs) - kept)
	b = appendCount(b, fieldSpanEventsDropped, l.ReexecsDropped+len(l.Reexecs)-kept)
	e.head = b
	e.reexecs(l, l.Reexecs[:kept])
	e.attributes.readdress(fieldSpanAttributes)
	return e.item(e.head, e.attributes.wire, e.tail)
}

// lineage appends the span's ids, its parent and its link.
func (e *Encoder) lineage(b []byte, l *process.Lifetime) []byte {
	b = appendBytes(b, fieldSpanTrace, l.Context.Trace[:])
	b = appendBytes(b, fieldSpanID, l.Context.Span[:])
	if l.ParentSpan != (process.SpanID{}) {
		b = appendBytes(b, fieldSpanParent, l.ParentSpan[:])
	}
	if l.TraceState != "" {
		b = appendBytes(b, fieldSpanState, validUTF8(l.TraceState))
	}
	b = appendFixed32(b, fieldSpanFlags, remoteness(l.ParentRemote))
	switch {
	case l.Link.IsZero():
	case e.most.links == 0:
		e.limited.Links++
		b = appendCount(b, fieldSpanLinksDropped, 1)
	default:
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

// reexecs encodes the span events of execs after the first.
func (e *Encoder) reexecs(l *process.Lifetime, all []process.Reexec) {
	if cap(e.tail) > maxScratch {
		e.tail = nil
	}
	e.tail = e.tail[:0]
	for i := range all {
		r, a := &all[i], &e.event
		a.reset(fieldEventAttributes)
		a.maxText = e.events.text
		e.image(a, &r.To)
		a.text(catalogue.PreviousPath, r.From)
		dropped := e.fit(a, e.events)
		e.inner = appendFixed64(e.inner[:0], fieldEventTime, after(e.startTime, l.Start, r.At))
		e.inner = appendBytes(e.inner, fieldEventName, eventExec)
		e.inner = appendCount(e.inner, fieldEventAttributesDropped, dropped)
		e.tail = appendSize(e.tail, fieldSpanEvents, len(e.inner)+len(a.wire))
		e.tail = append(e.tail, e.inner...)
		e.tail = append(e.tail, a.wire...)
	}
}
