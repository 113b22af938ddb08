package otlp

import (
	"testing"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What envelope, Resource and the encoder rest on: down to the items, requests of
// both signals have the same fields, and so have the answers.
func TestFieldsOfBothSignals(t *testing.T) {
	number := func(m protoreflect.MessageDescriptor, field protoreflect.Name) protoreflect.FieldNumber {
		return m.Fields().ByName(field).Number()
	}
	traces := (&coltracepb.ExportTraceServiceRequest{}).ProtoReflect().Descriptor()
	logs := (&collogspb.ExportLogsServiceRequest{}).ProtoReflect().Descriptor()
	message := func(m protoreflect.MessageDescriptor, field protoreflect.Name) protoreflect.MessageDescriptor {
		return m.Fields().ByName(field).Message()
	}
	resourceSpans, resourceLogs := message(traces, "resource_spans"), message(logs, "resource_logs")
	scopeSpans, scopeLogs := message(resourceSpans, "scope_spans"), message(resourceLogs, "scope_logs")
	span, record := message(scopeSpans, "spans"), message(scopeLogs, "log_records")
	tracesPartial := (&coltracepb.ExportTracePartialSuccess{}).ProtoReflect().Descriptor()
	logsPartial := (&collogspb.ExportLogsPartialSuccess{}).ProtoReflect().Descriptor()
	tracesAnswer := (&coltracepb.ExportTraceServiceResponse{}).ProtoReflect().Descriptor()
	logsAnswer := (&collogspb.ExportLogsServiceResponse{}).ProtoReflect().Descriptor()
	for _, tc := range []struct {
		name string
		nums []protoreflect.FieldNumber // the same
	}{
		{"by resource", []protoreflect.FieldNumber{number(traces, "resource_spans"), number(logs, "resource_logs")}},
		{"resource", []protoreflect.FieldNumber{number(resourceSpans, "resource"), number(resourceLogs, "resource"), fieldResource}},
		{"by scope", []protoreflect.FieldNumber{number(resourceSpans, "scope_spans"), number(resourceLogs, "scope_logs")}},
		{"schema", []protoreflect.FieldNumber{number(resourceSpans, "schema_url"), number(resourceLogs, "schema_url"),
			number(scopeSpans, "schema_url"), number(scopeLogs, "schema_url"), fieldSchemaURL}},
		{"scope", []protoreflect.FieldNumber{number(scopeSpans, "scope"), number(scopeLogs, "scope")}},
		{"item", []protoreflect.FieldNumber{number(scopeSpans, "spans"), number(scopeLogs, "log_records"), fieldItem}},
		{"answer", []protoreflect.FieldNumber{number(tracesAnswer, "partial_success"), number(logsAnswer, "partial_success")}},
		{"rejected", []protoreflect.FieldNumber{number(tracesPartial, "rejected_spans"), number(logsPartial, "rejected_log_records")}},
		{"message", []protoreflect.FieldNumber{number(tracesPartial, "error_message"), number(logsPartial, "error_message")}},
		{"span attributes", []protoreflect.FieldNumber{number(span, "attributes"), fieldSpanAttributes}},
		{"event attributes", []protoreflect.FieldNumber{number(message(span, "events"), "attributes"), fieldEventAttributes}},
		{"record attributes", []protoreflect.FieldNumber{number(record, "attributes"), fieldRecordAttributes}},
		{"resource attributes", []protoreflect.FieldNumber{number(message(resourceSpans, "resource"), "attributes"), fieldResourceAttributes}},
	} {
		for _, n := range tc.nums {
			if n != tc.nums[0] {
				t.Errorf("%s: got field numbers %v, want one", tc.name, tc.nums)
			}
		}
	}
}
