package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"

	"github.com/procspan/procspan/test/noleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(killedWriter); path != "" {
		writeUntilKilled(path)
	}
	encoding.RegisterCompressor(serverZstd{}) // as a Collector has it
	noleak.Main(m)
}

// serverZstd is the zstd of the servers in tests.
type serverZstd struct{}

func (serverZstd) Name() string { return "zstd" }

func (serverZstd) Compress(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }

func (serverZstd) Decompress(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
}

// newExporter returns an exporter to addr. It is shut down when the test ends.
func newExporter(t testing.TB, o Options, addr string) *Outbox {
	t.Helper()
	o.Traces[0].Exporter.OTLPGRPC.Target = addr
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, e) })
	return e
}

func shutdown(t testing.TB, e *Outbox) {
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
		if want := item(i + 1).id(); !bytes.Equal(span.SpanId, want) {
			t.Fatalf("span %d: got id %x, want %x: order matters", i, span.SpanId, want)
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
	if got := c.request.ResourceSpans[0]; got.SchemaUrl != "schema" || containerOf(got.Resource) != "host" {
		t.Errorf("resource: got %v with schema %q", got.Resource, got.SchemaUrl)
	}
	if got := c.request.ResourceSpans[0].ScopeSpans[0].Scope; got.Name != "scope" || got.Version != "1" {
		t.Errorf("scope: got %v", got)
	}
}

func TestGzip(t *testing.T) {
	c := newCollector().listen(t, "")
	o, _ := testOptions(t)
	o.Traces[0].Exporter.OTLPGRPC.Compression = "gzip"
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
			o.Traces[0].Exporter.OTLPGRPC.Timeout = tc.timeout
			e := newExporter(t, o, c.addr)
			export(e, 10)
			c.waitAttempt(t)
			c.wait(t, 10)
			shutdown(t, e)
			wantStats(t, e, Stats{Accepted: 10, Delivered: 10})
			if out.count("export failed, will retry") != 1 || out.count("export recovered") != 1 || out.count("s3cr3t") != 0 {
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
	wantStats(t, e, Stats{Accepted: 15, Delivered: 5, Dropped: Drops{Refused: 10}})
	if out.count(`reason=refused spans=10 error="INVALID_ARGUMENT: I do not like these"`) != 1 {
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
	wantStats(t, e, Stats{Accepted: 20, Delivered: 17, Dropped: Drops{Rejected: 3}})
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
	e.export(huge(101, 30_000), nil)
	c.wait(t, 100)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 101, Delivered: 100, Dropped: Drops{TooLarge: 1}})
}

// The collector is away at the start, and away again later: nothing is lost
// and nothing waits long.
func TestCollectorComesAndGoes(t *testing.T) {
	addr := reservePort(t) // refuses connections now

	o, out := testOptions(t)
	e := newExporter(t, o, addr)
	export(e, 10)
	waitLog(t, out, "export failed, will retry")
	t.Run("once", func(t *testing.T) {
		c := newCollector().listen(t, addr)
		begin := time.Now()
		c.wait(t, 10)
		// gRPC by itself would pause up to two minutes. TestRecoveryIsQuick holds the exact bound.
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("delivery resumed after %v, want 15 s at most", took)
		}
	})
	export(e, 10)
	t.Run("again", func(t *testing.T) {
		newCollector().listen(t, addr).wait(t, 10)
	})
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 20, Delivered: 20})
	if got := out.count("level=WARN"); got != 1 || out.count("endpoint="+addr) == 0 || out.count("start the collector there") != 1 {
		t.Errorf("want one warning with endpoint and hint:\n%s", out)
	}
}

// reservePort returns an address that refuses connections until the test listens
// there, and that no other program gets until the test ends.
func reservePort(t *testing.T) (addr string) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	err = errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), // as a listener of package net has
		unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
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
	o.Traces[0].Batch = oneBatch(10)
	e := newExporter(t, o, "127.0.0.1:1")
	export(e, 10)
	waitLog(t, out, "export failed, will retry") // there is a cause
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	e.Shutdown(ctx)
	wantStats(t, e, Stats{Accepted: 10, Dropped: Drops{Shutdown: 10}})
	if !regexp.MustCompile(`reason=shutdown spans=10 error=.*connection refused`).MatchString(out.String()) {
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
	o.Traces[0].Exporter.OTLPGRPC.Target = ""
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "endpoint is empty; set it") {
		t.Errorf("got %v, want an error with its hint", err)
	}
}

// canceled returns a context that has ended: nothing is flushed.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
