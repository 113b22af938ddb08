package backends

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// One span beyond each limit is refused for that limit, and one at the limit is not.
func TestSinkEnforces(t *testing.T) {
	l := Limits{TraceBytes: 20_000, TraceSpans: 3, NameLength: 4, ValueLength: 5, Items: 2, Attributes: 2, Events: 1, EventAttributes: 1,
		Links: 1, LinkAttributes: 1, Past: time.Hour, Ahead: time.Minute}
	text := func(s string) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
	list := func(items ...string) *commonpb.AnyValue {
		array := &commonpb.ArrayValue{}
		for _, item := range items {
			array.Values = append(array.Values, text(item))
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: array}}
	}
	attributes := func(values ...*commonpb.AnyValue) (all []*commonpb.KeyValue) {
		for _, v := range values {
			all = append(all, &commonpb.KeyValue{Key: "k", Value: v})
		}
		return all
	}
	for _, tc := range []struct {
		limit  string
		change func(span *tracepb.Span)
	}{
		{"", func(*tracepb.Span) {}},
		{"name length", func(s *tracepb.Span) { s.Name = "12345" }},
		{"value length", func(s *tracepb.Span) { s.Attributes[0].Value = text("123456") }},
		{"value length", func(s *tracepb.Span) { s.Attributes[0].Value = list("1", "123456") }},
		{"value length", func(s *tracepb.Span) { s.Events[0].Attributes[0].Value = text("123456") }},
		{"items", func(s *tracepb.Span) { s.Attributes[0].Value = list("1", "2", "3") }},
		{"attributes", func(s *tracepb.Span) { s.Attributes = attributes(text(""), text(""), text("")) }},
		{"events", func(s *tracepb.Span) { s.Events = append(s.Events, &tracepb.Span_Event{}) }},
		{"event attributes", func(s *tracepb.Span) { s.Events[0].Attributes = attributes(text(""), text("")) }},
		{"links", func(s *tracepb.Span) { s.Links = append(s.Links, &tracepb.Span_Link{}) }},
		{"link attributes", func(s *tracepb.Span) { s.Links[0].Attributes = attributes(text(""), text("")) }},
		{"seconds since the end", func(s *tracepb.Span) { s.EndTimeUnixNano -= uint64(2 * time.Hour) }},
		{"seconds before the end", func(s *tracepb.Span) { s.EndTimeUnixNano += uint64(2 * time.Minute) }},
		{"trace bytes", func(s *tracepb.Span) { s.TraceState = strings.Repeat("x", 20_000) }},
	} {
		t.Run(tc.limit, func(t *testing.T) {
			span := &tracepb.Span{
				TraceId: []byte("0123456789abcdef"), Name: "näme", Attributes: attributes(text("größe"), list("ab", "größe")),
				Events: []*tracepb.Span_Event{{Attributes: attributes(text("12345"))}}, Links: []*tracepb.Span_Link{{Attributes: attributes(text(""))}},
				EndTimeUnixNano: uint64(time.Now().UnixNano()),
			}
			tc.change(span)
			sink := NewSink(l)
			answer := sink.take(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}}}})
			refused := sink.Seen().Refused
			if want := min(1, len(tc.limit)); len(refused) != want || tc.limit != "" && refused[tc.limit] != 1 || int(answer.PartialSuccess.GetRejectedSpans()) != want {
				t.Errorf("refused %v, want %q; answer %v", refused, tc.limit, answer)
			}
		})
	}
	sink := NewSink(l)
	for range 4 {
		sink.check(&tracepb.Span{TraceId: []byte("0123456789abcdef"), EndTimeUnixNano: uint64(time.Now().UnixNano())}, 5_001)
	}
	if got := sink.Seen(); got.Refused["trace spans"] != 1 || got.Refused["trace bytes"] != 1 || got.Traces != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestSinkRefusesLargeRequests(t *testing.T) {
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{SchemaUrl: strings.Repeat("x", 5000)}}})
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		limits Limits
		want   int
	}{
		{"fits", Limits{RequestBytes: len(body), CompressedBytes: small.Len()}, http.StatusOK},
		{"too large", Limits{RequestBytes: len(body) - 1}, http.StatusRequestEntityTooLarge},
		{"too large as sent", Limits{CompressedBytes: small.Len() - 1}, http.StatusRequestEntityTooLarge},
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(small.Bytes()))
		r.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		NewSink(tc.limits).ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, w.Code, tc.want)
		}
	}
}

// Each row of the table has a file, a source and some limit.
func TestLimitsAreComplete(t *testing.T) {
	for _, l := range All() {
		if _, err := os.Stat("../../deploy/backends/" + l.Name + ".yaml"); err != nil {
			t.Error(err)
		}
		if empty := (Limits{Name: l.Name, Source: l.Source}); l == empty || l.Source == "" {
			t.Errorf("%+v says nothing", l)
		}
	}
}
