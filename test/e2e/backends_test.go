package e2e

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestBackEnds sends spans made by hand through the Collector to Jaeger. It
// shows that the other tests see what is wrong, and when it fails they fail for
// no fault of procspan's.
func TestBackEnds(t *testing.T) {
	jaeger := startJaeger(t)
	collector := startCollector(t, jaeger.otlp)
	now := time.Now()
	sendSpans(t, collector.otlp, "by hand",
		&tracepb.Span{
			SpanId: spanID(1), Name: "make", Kind: tracepb.Span_SPAN_KIND_INTERNAL,
			StartTimeUnixNano: uint64(now.UnixNano()),
			EndTimeUnixNano:   uint64(now.Add(time.Second).UnixNano()) + 1,
			Attributes: []*commonpb.KeyValue{
				{Key: "process.exit.code", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 2}}},
			},
			Events: []*tracepb.Span_Event{{Name: "exec", TimeUnixNano: uint64(now.UnixNano())}},
			Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR},
		},
		&tracepb.Span{
			SpanId: spanID(2), ParentSpanId: spanID(1), Name: "gcc",
			StartTimeUnixNano: uint64(now.UnixNano()), EndTimeUnixNano: uint64(now.UnixNano()) + 1,
			Attributes: []*commonpb.KeyValue{
				{Key: "process.exit.code", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 0}}},
			},
		},
		&tracepb.Span{
			SpanId: spanID(3), ParentSpanId: spanID(9), Name: "astray",
			StartTimeUnixNano: uint64(now.UnixNano()) + 1, EndTimeUnixNano: uint64(now.UnixNano()) + 2,
			Attributes: []*commonpb.KeyValue{
				{Key: "process.exit.code", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 0}}},
			},
		},
	)
	if status := collector.stop(); status != "exit status 0" {
		t.Errorf("the collector ends with %s", status)
	}

	spans := jaeger.awaitSpans(t, "by hand", 3)
	if len(spans) != 3 {
		t.Fatalf("Jaeger has %d spans, want 3\n%s", len(spans), describe(spans))
	}
	page := jaeger.page(t, spans[0].TraceID)
	root, child, astray := spans[0], spans[1], spans[2]
	if root.Name != "make" || root.ParentID != "" || root.Kind != 1 || len(root.Events) != 1 ||
		!root.Start.Equal(now) || root.End.Sub(root.Start) != time.Second+1 {
		t.Errorf("the root is %+v", root)
	}
	if got := root.Resource["service.name"]; got != "by hand" {
		t.Errorf("service.name is %#v", got)
	}
	if got := root.Attributes["process.exit.code"]; got != int64(2) {
		t.Errorf("process.exit.code is %#v", got)
	}
	if root.StatusCode != 2 || !page.Spans[root.SpanID].Error {
		t.Errorf("the failed span has status %d and error mark %v", root.StatusCode, page.Spans[root.SpanID].Error)
	}
	if child.ParentID != root.SpanID || child.StatusCode != 0 || page.Spans[child.SpanID].Error {
		t.Errorf("the child is %+v, error mark %v", child, page.Spans[child.SpanID].Error)
	}
	if len(root.Warnings) > 0 || len(child.Warnings) > 0 {
		t.Errorf("Jaeger warns: %q %q", root.Warnings, child.Warnings)
	}
	if len(astray.Warnings) == 0 || len(page.Spans[astray.SpanID].Warnings) == 0 {
		t.Error("Jaeger does not warn of a missing parent")
	}
	if _, err := treeOf(spans); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("treeOf does not see the missing parent: %v", err)
	}
	if tree, err := treeOf(spans[:2]); err != nil || tree.String() != "make exit 2\n  gcc exit 0\n" {
		t.Errorf("the tree is %v, %v", tree, err)
	}
}

// sendSpans sends spans with the client that procspan uses. Those that are in no
// trace get into the same one.
func sendSpans(t *testing.T, otlp, service string, spans ...*tracepb.Span) {
	t.Helper()
	traceID := []byte("0123456789abcdef")
	for _, s := range spans {
		if s.TraceId == nil {
			s.TraceId = traceID
		}
	}
	client := otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(otlp), otlptracegrpc.WithInsecure())
	if err := client.Start(t.Context()); err != nil {
		t.Fatalf("start the OTLP client: %v", err)
	}
	defer client.Stop(t.Context())
	err := client.UploadTraces(t.Context(), []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{
			Key:   "service.name",
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}},
		}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}})
	if err != nil {
		t.Fatalf("send spans: %v", err)
	}
}

// spanID returns a span id that ends in n.
func spanID(n byte) []byte { return []byte{1, 2, 3, 4, 5, 6, 7, n} }
