package otelexport

import (
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/procspan/procspan/process"
)

// fieldRecordAttributes are those of LogRecord in opentelemetry/proto/logs/v1.
const fieldRecordAttributes = 6

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
	r := &e.record
	r.EventName = event
	// The kernel program observes a process at that very moment.
	r.TimeUnixNano, r.ObservedTimeUnixNano = unix, unix
	r.SeverityNumber, r.SeverityText = severity, severityText(severity)
	e.bodyText.StringValue = e.name + ": " + what
	e.body.Value = &e.bodyText
	r.Body = &e.body
	r.TraceId, r.SpanId, r.Flags = nil, nil, 0
	if !at.IsZero() {
		e.context = at
		r.TraceId, r.SpanId, r.Flags = e.context.Trace[:], e.context.Span[:], sampledFlag
	}
	e.attributes.readdress(fieldRecordAttributes)
	r.ProtoReflect().SetUnknown(e.attributes.wire)
	return e.marshal(r)
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
