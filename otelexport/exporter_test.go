package otelexport

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newExporter returns an exporter to addr. It is shut down when the test ends.
func newExporter(t testing.TB, o Options, addr string) *Exporter {
	t.Helper()
	o.Traces.Exporter.Target = addr
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, e) })
	return e
}

func shutdown(t testing.TB, e *Exporter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e.Shutdown(ctx)
}

func TestExport(t *testing.T) {
	c := newCollector().listen(t, "")
	o, out := testOptions(t)
	e := newExporter(t, o, c.addr)
	export(e, 250)
	spans := c.wait(t, 250)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 250, Delivered: 250})
	for i, span := range spans {
		want := testIDs.SpanID(process.ID{PID: uint32(i + 1), Start: commonLifetime().ID.Start})
		if got := process.SpanID(span.SpanId); got != want {
			t.Fatalf("span %d: got id %x, want %x: order matters", i, got, want)
		}
	}
	if got := out.String(); got != "" {
		t.Errorf("got log %s, want none", got)
	}
	if got := c.headers.Get("authorization"); !slices.Equal(got, []string{"Bearer s3cr3t-token"}) {
		t.Errorf("authorization: got %q", got)
	}
	if got := c.headers.Get("user-agent"); !strings.HasPrefix(got[0], "procspan/0.0.0-test ") {
		t.Errorf("user-agent: got %q", got)
	}
	if got := c.request.ResourceSpans[0]; got.SchemaUrl != o.Resource.SchemaURL() || len(got.Resource.Attributes) != o.Resource.Len() {
		t.Errorf("resource: got %v with schema %q", got.Resource, got.SchemaUrl)
	}
	if got := c.request.ResourceSpans[0].ScopeSpans[0].Scope; got.Name != scopeName || got.Version != "0.0.0-test" {
		t.Errorf("scope: got %v", got)
	}
}

func TestGzip(t *testing.T) {
	c := newCollector().listen(t, "")
	o, _ := testOptions(t)
	o.Traces.Exporter.Compression = "gzip"
	export(newExporter(t, o, c.addr), 100)
	c.wait(t, 100)
	if c.encoding != "gzip" {
		t.Errorf("compression: got %q, want gzip", c.encoding)
	}
}

func TestTransientErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answer  answer
		timeout time.Duration
	}{
		{"unavailable", refuse(fail(codes.Unavailable, "away")), time.Minute},
		{"throttled", refuse(fail(codes.ResourceExhausted, "quota", 10*time.Millisecond)), time.Minute},
		{"unauthenticated", refuse(fail(codes.Unauthenticated, "token s3cr3t-token is invalid")), time.Minute},
		{"hanging", hang, 100 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(tc.answer).listen(t, "")
			o, out := testOptions(t)
			o.Traces.Exporter.Timeout = tc.timeout
			e := newExporter(t, o, c.addr)
			export(e, 10)
			c.waitAttempt(t)
			c.wait(t, 10)
			shutdown(t, e)
			wantStats(t, e, Stats{Accepted: 10, Delivered: 10})
			if out.count("spans cannot be delivered") != 1 || out.count("delivery works again") != 1 || out.count("s3cr3t") != 0 {
				t.Errorf("want one record each of trouble and its end, without secrets:\n%s", out)
			}
		})
	}
}

func TestRefusedForGood(t *testing.T) {
	c := newCollector(refuse(fail(codes.InvalidArgument, "I do not like these"))).listen(t, "")
	o, out := testOptions(t)
	e := newExporter(t, o, c.addr)
	export(e, 10)
	c.waitAttempt(t)
	export(e, 5)
	c.wait(t, 5)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 15, Delivered: 5, Dropped: Dropped{Refused: 10}})
	if out.count(`reason=refused spans=10 error="InvalidArgument: I do not like these"`) != 1 {
		t.Errorf("want the loss with its reason:\n%s", out)
	}
}

func TestPartialSuccess(t *testing.T) {
	partial := func(rejectedSpans int64, msg string) answer {
		return func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
			return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{
				RejectedSpans: rejectedSpans, ErrorMessage: msg}}, nil
		}
	}
	c := newCollector(partial(3, "too\nold"), partial(0, "please upgrade")).listen(t, "")
	o, out := testOptions(t)
	e := newExporter(t, o, c.addr)
	export(e, 10)
	c.wait(t, 10)
	export(e, 10)
	c.wait(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 20, Delivered: 17, Dropped: Dropped{Rejected: 3}})
	if out.count(`reason=rejected spans=3 error=too\nold`)+out.count(`reason=rejected spans=3 error="too\\nold"`) != 1 || out.count("please upgrade") != 1 {
		t.Errorf("want what the server said:\n%s", out)
	}
}

// A real server's limit: batches are split until they fit.
func TestServerLimit(t *testing.T) {
	c := newCollector().listen(t, "", grpc.MaxRecvMsgSize(20_000))
	o, _ := testOptions(t)
	e := newExporter(t, o, c.addr)
	export(e, 100)
	huge := lifetime(101)
	huge.Image.Args = strings.Repeat("x", 30_000) + "\x00"
	e.Export(huge, nil)
	c.wait(t, 100)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 101, Delivered: 100, Dropped: Dropped{TooLarge: 1}})
}

// The collector is away at the start, and away again later: nothing is lost
// and nothing waits long.
func TestCollectorComesAndGoes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close() // refuses connections now

	o, out := testOptions(t)
	e := newExporter(t, o, addr)
	export(e, 10)
	waitLog(t, out, "spans cannot be delivered")
	t.Run("once", func(t *testing.T) {
		c := newCollector().listen(t, addr)
		begin := time.Now()
		c.wait(t, 10)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("delivery resumed after %v, want 5 s at most", took)
		}
	})
	export(e, 10)
	t.Run("again", func(t *testing.T) {
		newCollector().listen(t, addr).wait(t, 10)
	})
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 20, Delivered: 20})
	if got := out.count("level=WARN"); got != 1 || out.count("endpoint="+addr) == 0 || out.count("start the collector there") != 1 {
		t.Errorf("want one warning with endpoint and cure:\n%s", out)
	}
}

func waitLog(t *testing.T, out *logs, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); out.count(text) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in the log:\n%s", text, out)
		}
	}
}

func TestShutdownUnreachable(t *testing.T) {
	o, out := testOptions(t)
	e := newExporter(t, o, "127.0.0.1:1")
	export(e, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	e.Shutdown(ctx)
	wantStats(t, e, Stats{Accepted: 10, Dropped: Dropped{Shutdown: 10}})
	if out.count("reason=shutdown spans=10") != 1 || out.count("connection refused") == 0 {
		t.Errorf("want the loss with its cause:\n%s", out)
	}
}

// A collector that vanishes from the network must not hold up delivery for the
// quarter of an hour that TCP keeps trying.
func TestDeadConnectionIsNoticed(t *testing.T) {
	c := newCollector().listen(t, "")
	o, _ := testOptions(t)
	export(newExporter(t, o, c.addr), 1)
	c.wait(t, 1)
	for fd := range 1024 {
		peer, err := unix.Getpeername(fd)
		if err != nil {
			continue
		}
		in, ok := peer.(*unix.SockaddrInet4)
		if !ok || fmt.Sprintf("127.0.0.1:%d", in.Port) != c.addr {
			continue
		}
		got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil || time.Duration(got)*time.Millisecond != unackedTimeout {
			t.Errorf("TCP_USER_TIMEOUT: got %d ms (%v), want %v", got, err, unackedTimeout)
		}
		return
	}
	t.Error("no connection to the collector")
}

func TestNewErrors(t *testing.T) {
	o, _ := testOptions(t)
	o.Traces.Exporter.Target = ""
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "endpoint is empty; set it") {
		t.Errorf("got %v, want an error with its cure", err)
	}
}

// canceled returns a context that has ended: nothing is flushed.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
