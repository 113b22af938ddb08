package otelexport

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// traceClient sends spans through the official OTLP client.
type traceClient struct {
	client otlptrace.Client
	reply  reply
}

// reply is what the server answered to the last request. UploadTraces wraps
// the error, and a partial success in a type that cannot be named outside its
// module, so an interceptor notes both where they arrive.
type reply struct {
	arrived bool
	err     error
	partial *partialSuccess
}

func (c *traceClient) start(conn *grpc.ClientConn, headers map[string]string, attempt time.Duration) error {
	// The client reads OTEL_EXPORTER_OTLP_* in any case. Everything it could
	// take from there is overridden below, but what it cannot parse it prints,
	// values of headers included.
	otel.SetLogger(logr.Discard())
	c.client = otlptracegrpc.NewClient(
		otlptracegrpc.WithGRPCConn(conn), // endpoint, TLS and compression are the connection's
		otlptracegrpc.WithHeaders(headers),
		otlptracegrpc.WithTimeout(attempt),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}),
		otlptracegrpc.WithMaxRequestSize(0), // the queue has bounded it
	)
	return c.client.Start(context.Background())
}

func (c *traceClient) intercept(ctx context.Context, method string, req, answer any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, answer, cc, opts...)
	c.reply = reply{arrived: true, err: err}
	if response, ok := answer.(*coltracepb.ExportTraceServiceResponse); ok && err == nil {
		c.reply.partial = response.GetPartialSuccess()
	}
	return err
}

func (c *traceClient) send(ctx context.Context, request []*tracepb.ResourceSpans) (*partialSuccess, error) {
	c.reply = reply{}
	err := c.client.UploadTraces(ctx, request)
	if c.reply.arrived {
		return c.reply.partial, c.reply.err
	}
	return nil, err
}

func (c *traceClient) stop() {
	// It cannot fail in a way that anyone could act on: nothing is in flight.
	_ = c.client.Stop(context.Background())
}

// logsExport is opentelemetry/proto/collector/logs/v1.
const logsExport = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// logClient sends log records by a plain call. The official exporter takes
// records of the SDK and nothing else.
type logClient struct {
	conn    *grpc.ClientConn
	headers metadata.MD
	timeout time.Duration
}

func (c *logClient) send(ctx context.Context, request []*tracepb.ResourceSpans) (*partialSuccess, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	var answer coltracepb.ExportTraceServiceResponse
	err := c.conn.Invoke(metadata.NewOutgoingContext(ctx, c.headers), logsExport,
		&coltracepb.ExportTraceServiceRequest{ResourceSpans: request}, &answer) // see envelope
	return answer.GetPartialSuccess(), err
}
