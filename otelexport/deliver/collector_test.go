package deliver

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// collector is an OTLP/gRPC server on loopback that misbehaves on demand.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer
	addr     string
	noLogs   bool                                // as Jaeger
	conns    func(n int, conn net.Conn) net.Conn // what becomes of the n-th connection; nil: it is used
	arrived  chan []*tracepb.Span                // of each request that was accepted
	records  chan []record                       // of each request that was accepted
	attempts chan struct{}                       // one token for each request that failed

	mu         sync.Mutex
	answers    []answer // to the next requests, of whatever signal; then all is well
	request    *coltracepb.ExportTraceServiceRequest
	logRequest *collogspb.ExportLogsServiceRequest
	resources  map[string]string // of each span
	headers    metadata.MD
	encoding   string // of the last request
}

// record is a log record and the container of its resource.
type record struct {
	*logspb.LogRecord
	container string
}

func containerOf(r *resourcepb.Resource) string {
	return r.GetAttributes()[0].Value.GetStringValue()
}

type answer func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error)

func refuse(err error) answer {
	return func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) { return nil, err }
}

// hang answers when the client has given up.
func hang(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func newCollector(answers ...answer) *collector {
	return &collector{
		answers: answers, resources: map[string]string{},
		arrived: make(chan []*tracepb.Span, 1000), records: make(chan []record, 1000), attempts: make(chan struct{}, 1000),
	}
}

// listen starts serving, at addr when it is not "", until the test ends.
func (c *collector) listen(t testing.TB, addr string, options ...grpc.ServerOption) *collector {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return c.serve(t, "tcp", addr, options...)
}

// listenUnix serves on a socket until the test ends.
func (c *collector) listenUnix(t testing.TB, path string) *collector { return c.serve(t, "unix", path) }

func (c *collector) serve(t testing.TB, network, addr string, options ...grpc.ServerOption) *collector {
	t.Helper()
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	c.addr = listener.Addr().String()
	server := grpc.NewServer(append(options, grpc.StatsHandler(c))...)
	coltracepb.RegisterTraceServiceServer(server, c)
	if !c.noLogs {
		collogspb.RegisterLogsServiceServer(server, logService{c: c})
	}
	done := make(chan error, 1)
	if c.conns != nil {
		listener = &oddListener{Listener: listener, conns: c.conns}
	}
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.GracefulStop() // an answer under way still arrives
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return c
}

func (c *collector) Export(ctx context.Context, r *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	response, err := c.reply(ctx, func() { c.request = r })
	if err != nil {
		return nil, err
	}
	var spans []*tracepb.Span
	for _, rs := range r.ResourceSpans {
		for _, span := range rs.ScopeSpans[0].Spans {
			spans = append(spans, span)
			c.mu.Lock()
			c.resources[string(span.SpanId)] = containerOf(rs.GetResource())
			c.mu.Unlock()
		}
	}
	c.arrived <- spans
	return response, nil
}

// logService is the collector's other face.
type logService struct {
	collogspb.UnimplementedLogsServiceServer
	c *collector
}

func (s logService) Export(ctx context.Context, r *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	response, err := s.c.reply(ctx, func() { s.c.logRequest = r })
	if err != nil {
		return nil, err
	}
	var records []record
	for _, rl := range r.ResourceLogs {
		for _, r := range rl.ScopeLogs[0].LogRecords {
			records = append(records, record{r, containerOf(rl.GetResource())})
		}
	}
	s.c.records <- records
	partial := response.GetPartialSuccess()
	if partial == nil {
		return &collogspb.ExportLogsServiceResponse{}, nil
	}
	return &collogspb.ExportLogsServiceResponse{PartialSuccess: &collogspb.ExportLogsPartialSuccess{
		RejectedLogRecords: partial.RejectedSpans, ErrorMessage: partial.ErrorMessage}}, nil
}

// reply answers a request, which note keeps.
func (c *collector) reply(ctx context.Context, note func()) (*coltracepb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	note()
	c.headers, _ = metadata.FromIncomingContext(ctx)
	var reply answer
	if len(c.answers) > 0 {
		reply, c.answers = c.answers[0], c.answers[1:]
	}
	c.mu.Unlock()
	if reply == nil {
		return &coltracepb.ExportTraceServiceResponse{}, nil
	}
	response, err := reply(ctx)
	if err != nil {
		c.attempts <- struct{}{}
	}
	return response, err
}

// wait returns n spans as they arrive.
func (c *collector) wait(t testing.TB, n int) []*tracepb.Span {
	t.Helper()
	return waitFor(t, c.arrived, n)
}

// waitRecords returns n log records as they arrive.
func (c *collector) waitRecords(t testing.TB, n int) []record {
	t.Helper()
	return waitFor(t, c.records, n)
}

func waitFor[T any](t testing.TB, arrived <-chan []T, n int) []T {
	t.Helper()
	var items []T
	timeout := time.After(30 * time.Second)
	for len(items) < n {
		select {
		case more := <-arrived:
			items = slices.Concat(items, more)
		case <-timeout:
			t.Fatalf("got %d in 30 s, want %d", len(items), n)
		}
	}
	return items
}

func (c *collector) waitAttempt(t testing.TB) {
	t.Helper()
	select {
	case <-c.attempts:
	case <-time.After(30 * time.Second):
		t.Fatal("no attempt in 30 s")
	}
}

// The stats.Handler methods read how requests were compressed.

func (c *collector) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *collector) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *collector) HandleConn(context.Context, stats.ConnStats)                       {}
func (c *collector) HandleRPC(_ context.Context, s stats.RPCStats) {
	if header, ok := s.(*stats.InHeader); ok {
		c.mu.Lock()
		c.encoding = header.Compression
		c.mu.Unlock()
	}
}
