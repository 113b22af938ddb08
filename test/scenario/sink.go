package scenario

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Span is a span as it arrived.
type Span struct {
	*tracepb.Span
	PID      int
	resource []*commonpb.KeyValue
}

// Attr returns the value of an attribute, or nil.
func (s Span) Attr(key string) any { return attr(s.Attributes, key) }

// ResourceAttr is Attr for the attributes of its resource.
func (s Span) ResourceAttr(key string) any { return attr(s.resource, key) }

// ID and Trace are the ids as map keys.
func (s Span) ID() string     { return string(s.SpanId) }
func (s Span) Trace() string  { return string(s.TraceId) }
func (s Span) Parent() string { return string(s.ParentSpanId) }

// attr returns the value of an attribute as a Go value, or nil.
func attr(list []*commonpb.KeyValue, key string) any {
	for _, kv := range list {
		if kv.Key == key {
			return goValue(kv.Value)
		}
	}
	return nil
}

func goValue(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_ArrayValue:
		list := []string{}
		for _, item := range v.ArrayValue.Values {
			list = append(list, item.GetStringValue())
		}
		return list
	}
	return nil
}

// Sink receives spans over OTLP/gRPC and keeps them all.
type Sink struct {
	collectorpb.UnimplementedTraceServiceServer
	server *grpc.Server
	target string

	mu      sync.Mutex
	byPID   map[int][]Span
	byTrace map[string][]Span
	count   int
	arrived chan struct{} // closed, and replaced, when spans arrive
}

// NewSink starts a sink on the loopback interface.
func NewSink() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start sink: %w", err)
	}
	s := &Sink{
		server: grpc.NewServer(), target: listener.Addr().String(),
		byPID: make(map[int][]Span), byTrace: make(map[string][]Span), arrived: make(chan struct{}),
	}
	collectorpb.RegisterTraceServiceServer(s.server, s)
	go func() { _ = s.server.Serve(listener) }() // returns when Close is called
	return s, nil
}

// Target is host:port.
func (s *Sink) Target() string { return s.target }

// Close stops the sink.
func (s *Sink) Close() { s.server.Stop() }

// Export is what the agent calls.
func (s *Sink) Export(_ context.Context, request *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				pid, _ := attr(span.Attributes, "process.pid").(int64)
				got := Span{Span: span, PID: int(pid), resource: resource.Resource.GetAttributes()}
				s.byPID[got.PID] = append(s.byPID[got.PID], got)
				s.byTrace[got.Trace()] = append(s.byTrace[got.Trace()], got)
				s.count++
			}
		}
	}
	close(s.arrived)
	s.arrived = make(chan struct{})
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// OfPID returns the spans of all processes that had a pid.
func (s *Sink) OfPID(pid int) []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byPID[pid])
}

// OfTrace returns the spans of a trace.
func (s *Sink) OfTrace(trace string) []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byTrace[trace])
}

// Count returns how many spans have arrived.
func (s *Sink) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Await waits for a span of pid that satisfies ok.
func (s *Sink) Await(ctx context.Context, pid int, ok func(Span) bool) (Span, error) {
	begin := time.Now()
	for {
		s.mu.Lock()
		i := slices.IndexFunc(s.byPID[pid], ok)
		arrived, count := s.arrived, s.count
		if i >= 0 {
			defer s.mu.Unlock()
			return s.byPID[pid][i], nil
		}
		s.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return Span{}, fmt.Errorf("no span of pid %d in %s (%d spans arrived in all): %w",
				pid, time.Since(begin).Round(time.Millisecond), count, ctx.Err())
		}
	}
}
