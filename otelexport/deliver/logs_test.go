package deliver

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// bothOptions sends both signals to addr.
func bothOptions(t testing.TB, addr string) (Options, *logs) {
	o, out := testOptions(t)
	o.Traces[0].Exporter.OTLPGRPC.Target = addr
	both := *o.Traces[0]
	o.Logs = []*Destination{&both}
	return o, out
}

// One signal can do without the other.
func TestLogsAlone(t *testing.T) {
	c := newCollector().listen(t, "")
	o, _ := bothOptions(t, c.addr)
	o.Traces = nil
	o.Logs[0].Exporter.OTLPGRPC.Compression = "gzip"
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{})
	wantLogStats(t, e, Stats{Accepted: 10, Delivered: 10})
	if c.encoding != "gzip" {
		t.Errorf("compression: got %q, want gzip", c.encoding)
	}
}

// Jaeger takes no logs: that is said once, and spans are none the worse.
func TestLogsNotSupported(t *testing.T) {
	c := newCollector()
	c.noLogs = true
	c.listen(t, "")
	o, out := bothOptions(t, c.addr)
	e := newExporter(t, o, c.addr)
	export(e, 10)
	c.wait(t, 10)
	waitLog(t, out, "endpoint does not accept log records")
	export(e, 10)
	c.wait(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 20, Delivered: 20})
	wantLogStats(t, e, Stats{Accepted: 20, Dropped: Drops{Unsupported: 20}})
	if out.count("\n") != 1 || out.count("level=WARN") != 1 || out.count("Collector with a pipeline") != 1 || out.count("endpoint="+c.addr) != 1 {
		t.Errorf("want one warning with its hint:\n%s", out)
	}
}

// One attempt tells; what waits goes with it, and nothing is attempted for a while.
func TestLogsAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		link := &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
			time.Sleep(time.Second)
			return nil, fail(codes.Unimplemented, "unknown service")
		}}
		e := startLogs(t, o, link)
		export(e, 500) // the first batch is in flight when the rest comes in
		time.Sleep(time.Minute)
		export(e, 250)
		e.Shutdown(t.Context())
		wantLogStats(t, e, Stats{Accepted: 750, Dropped: Drops{Unsupported: 750}})
		if got := len(link.times); got != 1 {
			t.Errorf("got %d attempts, want 1\n%s", got, out)
		}
	})
}

func TestLogsPartialSuccess(t *testing.T) {
	c := newCollector(func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &partialSuccess{RejectedSpans: 4, ErrorMessage: "not wanted"}}, nil
	}).listen(t, "")
	o, out := bothOptions(t, c.addr)
	o.Traces = nil
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantLogStats(t, e, Stats{Accepted: 10, Delivered: 6, Dropped: Drops{Rejected: 4}})
	if out.count(`msg="log records dropped" reason=rejected log_records=4 error="not wanted"`) != 1 {
		t.Errorf("want what the server said:\n%s", out)
	}
}

func TestLogsTransientErrors(t *testing.T) {
	const patient = 30 * time.Second // on a busy machine, too
	for _, tc := range []struct {
		name    string
		answer  answer
		timeout time.Duration
	}{
		{"unavailable", refuse(fail(codes.Unavailable, "away")), patient},
		{"unauthenticated", refuse(fail(codes.Unauthenticated, "token s3cr3t-token is invalid")), patient},
		{"hanging", hang, 100 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(tc.answer).listen(t, "", grpc.MaxRecvMsgSize(20_000))
			o, out := bothOptions(t, c.addr)
			o.Traces = nil
			o.Logs[0].Exporter.OTLPGRPC.Timeout = tc.timeout
			e, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			export(e, 100) // more than the server takes at once
			c.waitAttempt(t)
			c.waitRecords(t, 100)
			shutdown(t, e)
			wantLogStats(t, e, Stats{Accepted: 100, Delivered: 100})
			if out.count("export failed, will retry") != 1 || out.count("log_records_waited=") != 1 || out.count("s3cr3t") != 0 {
				t.Errorf("want one record each of trouble and its end, without secrets:\n%s", out)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	c := newCollector()
	c.noLogs = true
	c.listen(t, "")
	o, _ := bothOptions(t, c.addr)
	if err := Probe(t.Context(), Spans, o.Traces[0], "1"); err != nil {
		t.Errorf("traces: %v", err)
	}
	if err := Probe(t.Context(), LogRecords, o.Logs[0], "1"); err == nil || !strings.Contains(err.Error(), "send log records to "+c.addr+": UNIMPLEMENTED") ||
		!strings.Contains(err.Error(), reasonTable[Unsupported].hint) {
		t.Errorf("logs: got %v, want that the endpoint does not take them, with a hint", err)
	}
}
