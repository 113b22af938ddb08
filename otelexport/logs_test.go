package otelexport

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/procspan/procspan/process"
)

// bothOptions sends both signals to addr.
func bothOptions(t testing.TB, addr string) (Options, *logs) {
	o, out := testOptions(t)
	o.Traces.Exporter.Target = addr
	both := *o.Traces
	o.Logs = &both
	return o, out
}

// Spans and records of many containers arrive, each with its own resource.
func TestManyResources(t *testing.T) {
	c := newCollector().listen(t, "")
	o, out := bothOptions(t, c.addr)
	e := newExporter(t, o, c.addr)
	handles := []*Resource{nil}
	for i := range 20 {
		handles = append(handles, e.Resource([]attribute.KeyValue{semconv.ContainerID(fmt.Sprint("c", i+1))}, fmt.Sprint("/c", i+1)))
	}
	containerOf := func(pid int64) (id, cgroup any) {
		if i := pid % 21; i > 0 {
			return fmt.Sprint("c", i), fmt.Sprint("/c", i)
		}
		return nil, nil // the host itself
	}
	const n = 250
	for i := range n {
		l, r := lifetime(i+1), handles[(i+1)%21]
		e.ExportExec(&process.Event{Kind: process.Exec, At: l.Start, ID: l.ID}, l.Context, l.Root, r)
		e.Export(l, r)
	}
	spans, records := c.wait(t, n), c.waitRecords(t, 2*n)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: n, Delivered: n})
	wantLogStats(t, e, Stats{Accepted: 2 * n, Delivered: 2 * n})
	if got := out.String(); got != "" {
		t.Errorf("got log %s, want none", got)
	}
	for _, span := range spans {
		attrs := values(span.Attributes)
		resource := c.resources[process.SpanID(span.SpanId)]
		id, cgroup := containerOf(attrs["process.pid"].(int64))
		if resource["container.id"] != id || attrs["process.linux.cgroup"] != cgroup || resource["service.name"] != "procspan" {
			t.Fatalf("process %v: got resource %v and cgroup %v, want %v and %v", attrs["process.pid"], resource, attrs["process.linux.cgroup"], id, cgroup)
		}
	}
	events := map[string]int{}
	for _, r := range records {
		events[r.EventName]++
		attrs := values(r.Attributes)
		id, cgroup := containerOf(attrs["process.pid"].(int64))
		if r.resource["container.id"] != id || attrs["process.linux.cgroup"] != cgroup || len(r.SpanId) != 8 {
			t.Fatalf("process %v: got resource %v, cgroup %v, span %x", attrs["process.pid"], r.resource, attrs["process.linux.cgroup"], r.SpanId)
		}
	}
	if events[recordExec] != n || events[recordExit] != n {
		t.Errorf("got %v, want %d of each", events, n)
	}
	if got := c.headers.Get("authorization"); !slices.Equal(got, []string{"Bearer s3cr3t-token"}) {
		t.Errorf("authorization: got %q", got)
	}
	logs := c.logRequest.ResourceLogs[0]
	if scope := logs.ScopeLogs[0]; scope.Scope.Name != scopeName || scope.Scope.Version != "0.0.0-test" || scope.SchemaUrl != semconv.SchemaURL || logs.SchemaUrl != semconv.SchemaURL {
		t.Errorf("got scope %v with schema %q in schema %q", scope.Scope, scope.SchemaUrl, logs.SchemaUrl)
	}
	if unknown := logs.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("got unknown fields %x", unknown)
	}
}

// One signal can do without the other.
func TestLogsAlone(t *testing.T) {
	c := newCollector().listen(t, "")
	o, _ := bothOptions(t, c.addr)
	o.Traces = nil
	o.Logs.Exporter.Compression = "gzip"
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{})
	wantLogStats(t, e, Stats{Accepted: 10, Delivered: 10})
	if c.encoding != "gzip" {
		t.Errorf("compression: got %q, want gzip", c.encoding)
	}
}

// Jaeger takes no logs: that is said once, and spans are none the worse.
func TestLogsNotSupported(t *testing.T) {
	c := newCollector()
	c.noLogs = true
	c.listen(t, "")
	o, out := bothOptions(t, c.addr)
	e := newExporter(t, o, c.addr)
	export(e, 10)
	c.wait(t, 10)
	waitLog(t, out, "log records are not sent")
	export(e, 10)
	e.ExportExec(fullEvent(), process.SpanContext{}, process.ID{}, nil)
	c.wait(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 20, Delivered: 20})
	wantLogStats(t, e, Stats{Accepted: 21, Dropped: Dropped{Unsupported: 21}})
	if out.count("\n") != 1 || out.count("level=WARN") != 1 || out.count("Collector with a pipeline") != 1 || out.count("endpoint="+c.addr) != 1 {
		t.Errorf("want one warning with its cure:\n%s", out)
	}
}

// One attempt tells; what waits goes with it, and nothing is attempted again.
func TestLogsAreLeftAlone(t *testing.T) {
	for _, tc := range []struct {
		name     string
		err      error
		attempts int
		dropped  Dropped
	}{
		{"not supported", fail(codes.Unimplemented, "unknown service"), 1, Dropped{Unsupported: 750}},
		// A load balancer's answer says nothing of the collector behind it.
		{"not found", fail(codes.Unimplemented, "unexpected HTTP status code received from server: 404 (Not Found)"), 8, Dropped{Refused: 750}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, out := testOptions(t)
				link := &fakeLink{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
					time.Sleep(time.Second)
					return nil, tc.err
				}}
				e := startLogs(o, link)
				export(e, 500) // the first batch is under way when the rest comes in
				time.Sleep(time.Minute)
				export(e, 250)
				e.Shutdown(t.Context())
				wantLogStats(t, e, Stats{Accepted: 750, Dropped: tc.dropped})
				if got := len(link.times); got != tc.attempts {
					t.Errorf("got %d attempts, want %d\n%s", got, tc.attempts, out)
				}
			})
		})
	}
}

func TestLogsPartialSuccess(t *testing.T) {
	c := newCollector(func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &partialSuccess{RejectedSpans: 4, ErrorMessage: "too old"}}, nil
	}).listen(t, "")
	o, out := bothOptions(t, c.addr)
	o.Traces = nil
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantLogStats(t, e, Stats{Accepted: 10, Delivered: 6, Dropped: Dropped{Rejected: 4}})
	if out.count(`msg="log records dropped" reason=rejected log_records=4 error="too old"`) != 1 {
		t.Errorf("want what the server said:\n%s", out)
	}
}

func TestLogsTransientErrors(t *testing.T) {
	const patient = 30 * time.Second // on a busy machine, too
	for _, tc := range []struct {
		name    string
		answer  answer
		timeout time.Duration
	}{
		{"unavailable", refuse(fail(codes.Unavailable, "away")), patient},
		{"unauthenticated", refuse(fail(codes.Unauthenticated, "token s3cr3t-token is invalid")), patient},
		{"hanging", hang, 100 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(tc.answer).listen(t, "", grpc.MaxRecvMsgSize(20_000))
			o, out := bothOptions(t, c.addr)
			o.Traces = nil
			o.Logs.Exporter.Timeout = tc.timeout
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			export(e, 100) // more than the server takes at once
			c.waitAttempt(t)
			c.waitRecords(t, 100)
			shutdown(t, e)
			wantLogStats(t, e, Stats{Accepted: 100, Delivered: 100})
			if out.count("log records cannot be delivered") != 1 || out.count("log_records_waited=") != 1 || out.count("s3cr3t") != 0 {
				t.Errorf("want one record each of trouble and its end, without secrets:\n%s", out)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	c := newCollector()
	c.noLogs = true
	c.listen(t, "")
	o, _ := bothOptions(t, c.addr)
	if err := ProbeTraces(t.Context(), o.Traces, "1"); err != nil {
		t.Errorf("traces: %v", err)
	}
	if err := ProbeLogs(t.Context(), o.Logs, "1"); err == nil || !strings.Contains(err.Error(), "send log records to "+c.addr+": Unimplemented") ||
		!strings.Contains(err.Error(), unsupported.cure()) {
		t.Errorf("logs: got %v, want that the endpoint does not take them, with a cure", err)
	}
}

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
