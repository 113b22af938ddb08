package otelexport

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"github.com/procspan/procspan/config"
)

const (
	// connectMax bounds the pause between two attempts to connect, before 20 %
	// of jitter, and connectTimeout one attempt. gRPC's own 120 s and 20 s
	// would leave spans waiting for minutes after the collector is back. Together
	// they have it noticed within 5 s; a test has the sum.
	connectMax     = 2 * time.Second
	connectTimeout = 5 * time.Second
	// unackedTimeout is after how long without a TCP acknowledgement a
	// connection counts as dead. Without it, a collector that vanished from
	// the network holds up everything until TCP gives up, after a quarter of an
	// hour.
	unackedTimeout = 10 * time.Second
	// writeBuffer in bytes: a usual request of half a megabyte is a few writes to
	// the socket and not one for every 32 KiB.
	writeBuffer = 256 << 10
	// pingInterval turns keepalive on, which is what makes grpc-go set
	// unackedTimeout as TCP_USER_TIMEOUT. It is longer than any request, so no
	// ping is sent; servers disconnect clients that ping within 5 minutes.
	pingInterval = 10 * time.Minute
)

// connection is the way of one signal to one endpoint. It is for one goroutine.
type connection struct {
	conn    *grpc.ClientConn
	request envelope
	// send makes one attempt to send what the envelope holds.
	send func(context.Context, []*tracepb.ResourceSpans) (*partialSuccess, error)
	stop func()
}

// partialSuccess is what the server says of a request that it took: that of the
// logs has the same fields, by their numbers.
type partialSuccess = coltracepb.ExportTracePartialSuccess

// connect prepares the connection; it is made when the first batch is sent.
func connect(s signal, to *Destination, version string) (*connection, error) {
	if to.Exporter.Target == "" {
		return nil, fmt.Errorf("prepare connection: the exporter's endpoint is empty; set it to http://HOST:PORT or https://HOST:PORT")
	}
	var traces traceClient
	options := dialOptions(to.Exporter, to.TLS, version)
	if s == signalSpans {
		options = append(options, grpc.WithUnaryInterceptor(traces.intercept))
	}
	// With passthrough each attempt to connect looks the name up again. gRPC's
	// dns resolver waits up to 120 s after a name was not found, and a container
	// that is not up yet has no name.
	conn, err := grpc.NewClient("passthrough:///"+to.Exporter.Target, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare connection to %s: %w; the exporter's endpoint is http://HOST:PORT or https://HOST:PORT", to.Exporter.Target, err)
	}
	headers := make(map[string]string, len(to.Exporter.Headers))
	for _, h := range to.Exporter.Headers {
		headers[h.Name] = h.Value.Reveal()
	}
	c := &connection{conn: conn, request: newEnvelope(version), stop: func() {}}
	if s == signalLogRecords {
		logs := logClient{conn: conn, headers: metadata.New(headers), timeout: to.attempt()}
		c.send = logs.send
		return c, nil
	}
	if err := traces.start(conn, headers, to.attempt()); err != nil {
		conn.Close()
		return nil, fmt.Errorf("start OTLP client: %w", err)
	}
	c.send, c.stop = traces.send, traces.stop
	return c, nil
}

func dialOptions(o config.OTLPGRPC, tlsConfig *tls.Config, version string) []grpc.DialOption {
	creds := credentials.NewTLS(tlsConfig)
	if o.Insecure {
		creds = insecure.NewCredentials()
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent("procspan/" + version),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: connectMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: unackedTimeout}),
	}
	if o.Compression == gzip.Name {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	return options
}

// upload makes one attempt to send a batch. The partial success is nil when the
// server took all of it and had nothing to say.
func (c *connection) upload(ctx context.Context, parts []part) (*partialSuccess, error) {
	defer c.request.empty()
	return c.send(ctx, c.request.fill(parts))
}

// mend waits until a connection that is broken works again, or until ctx ends.
// With a connection that works it waits for ctx.
func (c *connection) mend(ctx context.Context) {
	if c.conn.GetState() == connectivity.Ready {
		<-ctx.Done()
		return
	}
	for {
		state := c.conn.GetState()
		switch state {
		case connectivity.Ready:
			return
		case connectivity.Idle:
			c.conn.Connect()
		}
		if !c.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

func (c *connection) close() {
	c.stop()
	// This cannot fail in a way that anyone could act on: nothing is in flight.
	_ = c.conn.Close()
}
