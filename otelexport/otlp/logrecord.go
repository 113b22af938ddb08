package otlp

import (
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/procspan/procspan/process"
)

// The fields of LogRecord in opentelemetry/proto/logs/v1.
const (
	fieldRecordTime, fieldRecordSeverity, fieldRecordSeverityText = 1, 2, 3
	fieldRecordBody, fieldRecordAttributes, fieldRecordFlags      = 5, 6, 8
	fieldRecordAttributesDropped                                  = 7
	fieldRecordTrace, fieldRecordSpan                             = 9, 10
	fieldRecordObserved, fieldRecordEvent                         = 11, 12
)

// Names of log records.
const (
	recordExec = "procspan.process.exec"
	recordExit = "procspan.process.exit"
)

// ExecRecord returns the log record of an exec of resource r. The record belongs
// to the span at, whose trace began here with root; both may be zero. t, if set, is how
// rules change it.
func (e *Encoder) ExecRecord(ev *process.Event, at process.SpanContext, root process.ID, r *Resource, t *process.Treatment) ([]byte, error) {
	traceStart := root.Start
	if root.IsZero() {
		traceStart = ev.At
	}
	e.begin(fieldRecordAttributes, e.records)
	e.exec(&execution{
		id: ev.ID, parent: ev.Parent.PID, vpid: ev.VPID, comm: ev.Comm, traceStart: traceStart,
		image: &ev.Image, groups: &ev.Groups, credentials: &ev.Credentials, namespaces: &ev.Namespaces,
		treatment: t,
	}, r)
	e.finish(e.records)
	return e.logRecord(recordExec, e.clock.UnixSince(ev.At, traceStart), at, logspb.SeverityNumber_SEVERITY_NUMBER_INFO, "exec")
}

// ExitRecord returns the log record of the loaded lifetime.
func (e *Encoder) ExitRecord(l *process.Lifetime) ([]byte, error) {
	if e.records != e.spans {
		e.load(l, fieldRecordAttributes, e.records)
	}
	return e.logRecord(recordExit, e.endTime, l.Context, e.end.severity(), e.end.text)
}

// severity rates a fatal signal, which happened to the process, above an exit
// code, which the process chose.
func (o *outcome) severity() logspb.SeverityNumber {
	switch {
	case o.failed && o.killed:
		return logspb.SeverityNumber_SEVERITY_NUMBER_ERROR
	case o.failed:
		return logspb.SeverityNumber_SEVERITY_NUMBER_WARN
	}
	return logspb.SeverityNumber_SEVERITY_NUMBER_INFO
}

// logRecord returns an event record. Its name and attributes are for machines,
// its body is for people.
func (e *Encoder) logRecord(event string, unix uint64, at process.SpanContext, severity logspb.SeverityNumber, what string) ([]byte, error) {
	// The BPF program observes the process at that very moment.
	b := appendFixed64(e.head[:0], fieldRecordTime, unix)
	b = appendFixed64(b, fieldRecordObserved, unix)
	b = appendUint(b, fieldRecordSeverity, uint64(severity))
	b = appendBytes(b, fieldRecordSeverityText, severityText(severity))
	b = appendBytes(b, fieldRecordEvent, event)
	e.inner = append(append(append(e.inner[:0], e.name...), ": "...), what...)
	b = appendSize(b, fieldRecordBody, 1+sizeBytes(len(e.inner)))
	b = appendBytes(b, fieldText, e.inner)
	if !at.IsZero() {
		b = appendBytes(b, fieldRecordTrace, at.Trace[:])
		b = appendBytes(b, fieldRecordSpan, at.Span[:])
		b = appendFixed32(b, fieldRecordFlags, sampledFlag)
	}
	e.head = appendCount(b, fieldRecordAttributesDropped, e.dropped)
	e.attributes.readdress(fieldRecordAttributes)
	return e.item(e.head, e.attributes.wire, nil)
}

func severityText(s logspb.SeverityNumber) string {
	switch s {
	case logspb.SeverityNumber_SEVERITY_NUMBER_ERROR:
		return "ERROR"
	case logspb.SeverityNumber_SEVERITY_NUMBER_WARN:
		return "WARN"
	}
	return "INFO"
}
