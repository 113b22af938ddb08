package deliver

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
)

const (
	// connectMax bounds the pause between two attempts to connect, before 20 % of
	// jitter, and connectTimeout one attempt. With gRPC's own 120 s and 20 s, spans
	// would wait for minutes after the collector is back; these add up to less than
	// 5 s.
	connectMax     = 2 * time.Second
	connectTimeout = 5 * time.Second
	// unackedTimeout is how long TCP waits for an acknowledgement. Otherwise a
	// collector that vanished from the network would block delivery for a quarter
	// of an hour.
	unackedTimeout = 10 * time.Second
	// writeBuffer, in bytes, holds a usual request of half a megabyte in a few
	// writes to the socket instead of one per 32 KiB.
	writeBuffer = 256 << 10
	// pingInterval enables keepalive, which makes grpc-go set unackedTimeout as
	// TCP_USER_TIMEOUT. It is longer than any request, so no ping is sent: servers
	// disconnect clients that ping within 5 minutes.
	pingInterval = 10 * time.Minute
	// maxAnswer bounds an answer, in bytes. The odd number tells this limit from a
	// server's in the text of an error.
	maxAnswer = 1<<20 + 1
)

// grpcTransport sends one signal over gRPC. Spans go through otlptracegrpc. Log
// records go by a plain call, because the official exporter takes records of the
// SDK only.
type grpcTransport struct {
	conn     *grpc.ClientConn
	envelope envelope
	send     func(context.Context, []*tracepb.ResourceSpans) (*partialSuccess, error)
	stop     func()
}

// partialSuccess is also that of log records: the fields have the same numbers.
type partialSuccess = coltracepb.ExportTracePartialSuccess

// newGRPC prepares a connection, which is made when the first batch is sent.
func newGRPC(s Signal, to *Destination, scope []byte, version string) (*grpcTransport, error) {
	var spans spanClient
	var options []grpc.DialOption
	if s == Spans {
		options = append(options, grpc.WithUnaryInterceptor(spans.intercept))
	}
	o := *to.Exporter.OTLPGRPC
	conn, err := Dial(o, to.TLS, version, options...)
	if err != nil {
		return nil, err
	}
	t := &grpcTransport{conn: conn, stop: func() {}}
	if err := proto.Unmarshal(scope, &t.envelope.scope); err != nil {
		conn.Close()
		return nil, fmt.Errorf("parse instrumentation scope: %w", err)
	}
	timeout := shorter(to.Batch.ExportTimeout, o.Timeout)
	if s != Spans {
		t.send = plainClient{conn, exportMethods[s], metadata.New(headers(o)), timeout}.send
		return t, nil
	}
	if err := spans.start(conn, headers(o), timeout); err != nil {
		conn.Close()
		return nil, fmt.Errorf("start OTLP client: %w", err)
	}
	t.send, t.stop = spans.send, spans.stop
	return t, nil
}

// shorter returns the shorter timeout; 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a <= 0 || b <= 0 {
		return max(a, b, 0)
	}
	return min(a, b)
}

func headers(o config.OTLPGRPC) map[string]string {
	all := make(map[string]string, len(o.Headers))
	for _, h := range o.Headers {
		all[h.Name] = h.Value.Reveal()
	}
	return all
}

// Dial prepares a gRPC connection to an exporter's endpoint; it is made with the
// first call. tls applies unless o.Insecure; nil means the system's roots.
func Dial(o config.OTLPGRPC, tls *tls.Config, version string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	if o.Target == "" {
		return nil, fmt.Errorf("prepare connection: exporter endpoint is empty; set it to http://HOST:PORT or https://HOST:PORT")
	}
	creds := credentials.NewTLS(tls)
	if o.Insecure {
		creds = insecure.NewCredentials()
	}
	compress, err := newCompressor(o.Compression)
	if err != nil {
		return nil, err
	}
	if compress != nil {
		//lint:ignore SA1019 encoding.RegisterCompressor is for the whole program, and must precede all gRPC
		more = append(more, grpc.WithCompressor(packer{compress}), grpc.WithDecompressor(unpacker{compress}))
	}
	options := append(more,
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent("procspan/"+version),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: connectMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: unackedTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	)
	// With passthrough, each attempt to connect resolves the name again. gRPC's dns
	// resolver waits up to 120 s after a name was not found, and a container that is
	// not up yet has no name.
	target := "passthrough:///" + o.Target
	if strings.HasPrefix(o.Target, "unix:") {
		target = o.Target
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare connection to %s: %w; set the exporter's endpoint to http://HOST:PORT or https://HOST:PORT", o.Target, err)
	}
	return conn, nil
}

// Upload implements Transport.
func (t *grpcTransport) Upload(ctx context.Context, parts []Part) Verdict {
	defer t.envelope.empty()
	return judge(t.send(ctx, t.envelope.fill(parts)))
}

// Recover implements Transport.
func (t *grpcTransport) Recover(ctx context.Context) {
	if t.conn.GetState() == connectivity.Ready {
		<-ctx.Done()
		return
	}
	for {
		state := t.conn.GetState()
		switch state {
		case connectivity.Ready:
			return
		case connectivity.Idle:
			t.conn.Connect()
		}
		if !t.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

// Close implements Transport. Errors mean nothing: no request is in flight.
func (t *grpcTransport) Close() {
	t.stop()
	_ = t.conn.Close()
}

// envelope makes requests of encoded parts: the bytes become the unknown fields of
// a message, which are sent as they are and arrive as the known fields that they
// are. It serves log records as well, because down to the list of items the
// messages of both signals have the same field numbers.
type envelope struct {
	scope   tracepb.ScopeSpans       // without items
	request []*tracepb.ResourceSpans // as many as were ever needed
	filled  int
}

// fill returns a request, valid until empty.
func (e *envelope) fill(parts []Part) []*tracepb.ResourceSpans {
	for len(e.request) < len(parts) {
		e.request = append(e.request, &tracepb.ResourceSpans{
			ScopeSpans: []*tracepb.ScopeSpans{{Scope: e.scope.Scope, SchemaUrl: e.scope.SchemaUrl}},
		})
	}
	e.filled = len(parts)
	for i, p := range parts {
		e.set(i, p)
	}
	return e.request[:e.filled]
}

// empty releases the parts' memory.
func (e *envelope) empty() {
	for i := range e.filled {
		e.set(i, Part{})
	}
}

func (e *envelope) set(i int, p Part) {
	e.request[i].ProtoReflect().SetUnknown(p.Resource)
	e.request[i].ScopeSpans[0].ProtoReflect().SetUnknown(p.Items)
}

// spanClient is the official OTLP client. It wraps errors, and a partial success in
// a type that cannot be named outside its module, so an interceptor notes both.
type spanClient struct {
	otlptrace.Client
	arrived bool
	err     error
	partial *partialSuccess
}

func (c *spanClient) start(conn *grpc.ClientConn, headers map[string]string, timeout time.Duration) error {
	// The client reads OTEL_EXPORTER_OTLP_* in any case. The options override all
	// of it, but values that it cannot parse it prints, headers included.
	otel.SetLogger(logr.Discard())
	c.Client = otlptracegrpc.NewClient(
		otlptracegrpc.WithGRPCConn(conn), // which has endpoint, TLS and compression
		otlptracegrpc.WithHeaders(headers),
		otlptracegrpc.WithTimeout(timeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}),
		otlptracegrpc.WithMaxRequestSize(0), // the backlog bounds it
	)
	return c.Start(context.Background())
}

func (c *spanClient) intercept(ctx context.Context, method string, req, answer any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, answer, cc, opts...)
	c.arrived, c.err = true, err
	if response, ok := answer.(*coltracepb.ExportTraceServiceResponse); ok && err == nil {
		c.partial = response.GetPartialSuccess()
	}
	return err
}

func (c *spanClient) send(ctx context.Context, request []*tracepb.ResourceSpans) (*partialSuccess, error) {
	c.arrived, c.err, c.partial = false, nil, nil
	err := c.UploadTraces(ctx, request)
	if c.arrived {
		err = c.err
	}
	return c.partial, err
}

func (c *spanClient) stop() { _ = c.Stop(context.Background()) }

// exportMethods are those of opentelemetry/proto/collector.
var exportMethods = map[Signal]string{
	LogRecords: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	Metrics:    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

// plainClient sends what has no official client for encoded items.
type plainClient struct {
	conn    *grpc.ClientConn
	method  string
	headers metadata.MD
	timeout time.Duration
}

func (c plainClient) send(ctx context.Context, request []*tracepb.ResourceSpans) (*partialSuccess, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	var answer coltracepb.ExportTraceServiceResponse
	err := c.conn.Invoke(metadata.NewOutgoingContext(ctx, c.headers), c.method,
		&coltracepb.ExportTraceServiceRequest{ResourceSpans: request}, &answer) // see envelope
	return answer.GetPartialSuccess(), err
}
