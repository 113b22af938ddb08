package otelexport

import (
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/procspan/procspan/process"
)

// The fields of LogRecord in opentelemetry/proto/logs/v1.
const (
	fieldRecordTime, fieldRecordSeverity, fieldRecordSeverityText = 1, 2, 3
	fieldRecordBody, fieldRecordAttributes, fieldRecordFlags      = 5, 6, 8
	fieldRecordTrace, fieldRecordSpan                             = 9, 10
	fieldRecordObserved, fieldRecordEvent                         = 11, 12
)

// execRecord returns the log record of the exec that was loaded.
func (e *encoder) execRecord(at process.SpanContext) ([]byte, error) {
	return e.logRecord(recordExec, e.startTime, at, logspb.SeverityNumber_SEVERITY_NUMBER_INFO, "exec")
}

// exitRecord returns the log record of the lifetime that was loaded.
func (e *encoder) exitRecord(l *process.Lifetime) ([]byte, error) {
	return e.logRecord(recordExit, e.endTime, l.Context, e.end.severity(), e.end.text)
}

// severity of a failure: a signal is something that happened to a process, an
// exit code is an answer.
func (o *outcome) severity() logspb.SeverityNumber {
	switch {
	case o.failed && o.killed:
		return logspb.SeverityNumber_SEVERITY_NUMBER_ERROR
	case o.failed:
		return logspb.SeverityNumber_SEVERITY_NUMBER_WARN
	}
	return logspb.SeverityNumber_SEVERITY_NUMBER_INFO
}

// logRecord returns a record of a moment. It is an event by its name and
// attributes; the body is for people.
func (e *encoder) logRecord(event string, unix uint64, at process.SpanContext, severity logspb.SeverityNumber, what string) ([]byte, error) {
	// The kernel program observes a process at that very moment.
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
	e.head = b
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
