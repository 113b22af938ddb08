package backends

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Sink is a back end: it takes spans over OTLP, refuses those beyond its limits, and
// says so in a partial success. It serves HTTP, and is a TraceServiceServer.
type Sink struct {
	collectorpb.UnimplementedTraceServiceServer
	limits Limits

	mu     sync.Mutex
	traces map[string]*Trace
	seen   Seen
}

// Trace is how much a sink has of a trace.
type Trace struct{ Spans, Bytes int }

// Seen is what a sink has seen, refused spans included.
type Seen struct {
	Spans, Traces int
	// Refused is how many spans, or requests, exceeded which limit.
	Refused map[string]int
	// Largest has the largest of everything that has a limit, by its name.
	Largest map[string]int
}

// NewSink returns a back end that has received nothing.
func NewSink(l Limits) *Sink {
	return &Sink{limits: l, traces: map[string]*Trace{}, seen: Seen{Refused: map[string]int{}, Largest: map[string]int{}}}
}

// Seen returns what the sink has seen so far.
func (s *Sink) Seen() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	seen.Traces = len(s.traces)
	return seen
}

// Export takes a request over gRPC.
func (s *Sink) Export(_ context.Context, r *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size := proto.Size(r); s.exceeds("request bytes", size, s.limits.RequestBytes) {
		return nil, status.Errorf(codes.ResourceExhausted, "received message larger than max (%d vs. %d)", size, s.limits.RequestBytes)
	}
	return s.take(r), nil
}

// ServeHTTP takes a request over HTTP.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := decompress(sent, r.Header.Get("Content-Encoding"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exceeds("compressed bytes", len(sent), s.limits.CompressedBytes) || s.exceeds("request bytes", len(body), s.limits.RequestBytes) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	request := new(collectorpb.ExportTraceServiceRequest)
	if err := proto.Unmarshal(body, request); err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprintf("no spans at %s: %v", r.URL.Path, err), http.StatusBadRequest)
		return
	}
	answer, err := proto.Marshal(s.take(request))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

func decompress(b []byte, encoding string) ([]byte, error) {
	switch encoding {
	case "":
		return b, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("unknown encoding %q", encoding)
}

// take takes the spans of a request. A trace has the bytes of its spans, and of each
// resource and scope with which they came, as a server that groups by trace stores
// them.
func (s *Sink) take(r *collectorpb.ExportTraceServiceRequest) *collectorpb.ExportTraceServiceResponse {
	rejected, why := 0, ""
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			came := map[string]bool{}
			shared := proto.Size(&tracepb.ResourceSpans{Resource: resource.Resource, SchemaUrl: resource.SchemaUrl,
				ScopeSpans: []*tracepb.ScopeSpans{{Scope: scope.Scope, SchemaUrl: scope.SchemaUrl}}})
			for _, span := range scope.Spans {
				size := proto.Size(span) + 4 // with its tag and length
				if id := string(span.TraceId); !came[id] {
					came[id] = true
					size += shared
				}
				if reason := s.check(span, size); reason != "" {
					rejected++
					why = reason
				}
			}
		}
	}
	answer := &collectorpb.ExportTraceServiceResponse{}
	if rejected > 0 {
		answer.PartialSuccess = &collectorpb.ExportTracePartialSuccess{RejectedSpans: int64(rejected), ErrorMessage: why}
	}
	return answer
}

// check takes a span, and returns which limit it exceeds, or "".
func (s *Sink) check(span *tracepb.Span, size int) (why string) {
	l := &s.limits
	s.seen.Spans++
	trace := s.traces[string(span.TraceId)]
	if trace == nil {
		trace = &Trace{}
		s.traces[string(span.TraceId)] = trace
	}
	trace.Spans++
	trace.Bytes += size
	over := func(what string, n, most int) {
		if s.exceeds(what, n, most) {
			why = what
		}
	}
	over("trace spans", trace.Spans, l.TraceSpans)
	over("trace bytes", trace.Bytes, l.TraceBytes)
	over("name length", utf8.RuneCountInString(span.Name), l.NameLength)
	over("attributes", len(span.Attributes), l.Attributes)
	over("events", len(span.Events), l.Events)
	over("links", len(span.Links), l.Links)
	lists := [][]*commonpb.KeyValue{span.Attributes}
	for _, event := range span.Events {
		over("event attributes", len(event.Attributes), l.EventAttributes)
		lists = append(lists, event.Attributes)
	}
	for _, link := range span.Links {
		over("link attributes", len(link.Attributes), l.LinkAttributes)
		lists = append(lists, link.Attributes)
	}
	for _, list := range lists {
		for _, kv := range list {
			over("value length", utf8.RuneCountInString(kv.Value.GetStringValue()), l.ValueLength)
			items := kv.Value.GetArrayValue().GetValues()
			over("items", len(items), l.Items)
			for _, item := range items {
				over("value length", utf8.RuneCountInString(item.GetStringValue()), l.ValueLength)
			}
		}
	}
	age := time.Since(time.Unix(0, int64(span.EndTimeUnixNano)))
	over("seconds since the end", int(age.Seconds()), int(l.Past.Seconds()))
	over("seconds before the end", int(-age.Seconds()), int(l.Ahead.Seconds()))
	return why
}

// exceeds notes a size, and reports whether it exceeds a limit.
func (s *Sink) exceeds(what string, n, most int) bool {
	s.seen.Largest[what] = max(s.seen.Largest[what], n)
	if most == 0 || n <= most {
		return false
	}
	s.seen.Refused[what]++
	return true
}
