package deliver

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
)

// fault is one way for a collector to misbehave, and what is to come of it.
type fault struct {
	name    string
	answers []answer                            // to the first requests
	conns   func(n int, conn net.Conn) net.Conn // to the first connections
	server  []grpc.ServerOption
	timeout time.Duration // of one attempt; 0 is long

	spans   int // that are exported; 0 is 10
	dropped Drops
	refused int      // requests that the server's handler refuses
	twice   bool     // the server gets all two times
	says    []string // in the log, once each; none: it has nothing
	repeats bool     // it can stand there again
}

// trouble is what the log says of a fault that passes, and of its end.
func trouble(code codes.Code, more ...string) []string {
	return append([]string{"export failed, will retry", "code=" + codeName(code), "export recovered"}, more...)
}

func faults() (all []fault) {
	// Answers that may pass, by the OTLP specification and, the last two, because
	// people renew tokens.
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange,
		codes.Unavailable, codes.DataLoss, codes.Unauthenticated, codes.PermissionDenied} {
		all = append(all, fault{name: code.String(), answers: []answer{refuse(fail(code, "not now")), refuse(fail(code, "not now"))},
			refused: 2, says: trouble(code, `error="not now"`)})
	}
	// Answers that are final.
	for _, code := range []codes.Code{codes.Unknown, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.ResourceExhausted, codes.FailedPrecondition, codes.Unimplemented, codes.Internal} {
		all = append(all, fault{name: code.String(), answers: []answer{refuse(fail(code, "not this"))},
			refused: 1, dropped: Drops{Refused: 10}, says: []string{`reason=refused spans=10 error="` + codeName(code) + `: not this"`}})
	}
	half := func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{
			RejectedSpans: 4, ErrorMessage: "four were odd"}}, nil
	}
	remark := func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{ErrorMessage: "mind the gap"}}, nil
	}
	lengthy := func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{
			ErrorMessage: strings.Repeat("so ", 16<<20/3)}}, nil
	}
	return append(all,
		fault{name: "asks to slow down", answers: []answer{refuse(fail(codes.ResourceExhausted, "slower", 20*time.Millisecond))},
			refused: 1, says: trouble(codes.ResourceExhausted, "asks to slow down")},
		fault{name: "asks to come back", answers: []answer{refuse(fail(codes.Unavailable, "busy", 20*time.Millisecond))},
			refused: 1, says: trouble(codes.Unavailable)},
		fault{name: "takes a part", answers: []answer{half}, dropped: Drops{Rejected: 4},
			says: []string{`reason=rejected spans=4 error="four were odd"`}},
		fault{name: "has a remark", answers: []answer{remark}, says: []string{`message="mind the gap"`}},
		fault{name: "answers at length", answers: []answer{lengthy}, says: []string{"its answer is too large"}},
		fault{name: "resets the stream", conns: first(1, answerOnce(frame(rstStream, 0, 0, 0, 0, 2))), // INTERNAL_ERROR
			says: trouble(codes.Internal, "check the proxy")},
		fault{name: "enhance your calm", conns: first(1, answerOnce(frame(rstStream, 0, 0, 0, 0, 11))),
			says: trouble(codes.ResourceExhausted, "check the proxy")},
		fault{name: "proxy without a route", conns: first(1, answerOnce(frame(headersFrame, endHeaders|endStream, status404))),
			says: trouble(codes.Unimplemented, "404 (Not Found)", "check the proxy")},
		fault{name: "proxy in trouble", conns: first(1, answerOnce(frame(headersFrame, endHeaders|endStream, status500))),
			says: trouble(codes.Unknown, "500 (Internal Server Error)", "check the proxy")},
		fault{name: "takes small requests only", server: []grpc.ServerOption{grpc.MaxRecvMsgSize(10_000)}, spans: 100},
		fault{name: "takes no request at all", server: []grpc.ServerOption{grpc.MaxRecvMsgSize(100)}, dropped: Drops{TooLarge: 11},
			repeats: true, says: []string{"reason=too_large spans="}},
		fault{name: "does not answer", answers: []answer{hang}, timeout: time.Second, refused: 1,
			says: trouble(codes.DeadlineExceeded, "or raise the exporter's timeout")},
		fault{name: "changes its mind", answers: []answer{refuse(fail(codes.Unavailable, "starting")),
			refuse(fail(codes.Unauthenticated, "who are you")), refuse(fail(codes.InvalidArgument, "not this"))},
			refused: 3, dropped: Drops{Refused: 10}, says: []string{"code=UNAVAILABLE", "code=UNAUTHENTICATED",
				"check the exporter's headers", "reason=refused spans=10", "export recovered"}},

		fault{name: "closes at once", conns: first(2, func(c net.Conn) net.Conn { c.Close(); return nil }),
			says: trouble(codes.Unavailable, "check that the endpoint is an OTLP/gRPC port")},
		fault{name: "resets at once", conns: first(2, func(c net.Conn) net.Conn { reset(c); return nil }),
			says: trouble(codes.Unavailable, "check that the endpoint is an OTLP/gRPC port")},
		fault{name: "speaks HTTP/1.1", conns: first(2, func(c net.Conn) net.Conn {
			return answerWith(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		}), says: trouble(codes.Unavailable)},
		fault{name: "speaks garbage", conns: first(2, func(c net.Conn) net.Conn { return answerWith(c, strings.Repeat("\xff\x00garbage", 1000)) }),
			says: trouble(codes.Unavailable)},
		fault{name: "resets within a batch", conns: first(1, func(c net.Conn) net.Conn { return &brittleConn{Conn: c, reads: 20_000} }),
			spans: 100, says: trouble(codes.Unavailable)},
		fault{name: "resets before its answer", conns: first(1, func(c net.Conn) net.Conn { return &brittleConn{Conn: c, reads: 1 << 30, silent: true} }),
			twice: true, says: trouble(codes.Unavailable)},
	)
}

// TestFaults holds what comes of each fault: with and without a store, and all is
// well after it.
func TestFaults(t *testing.T) {
	for _, f := range faults() {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stored=%t", f.name, stored), func(t *testing.T) {
				t.Parallel()
				f.test(t, stored)
			})
		}
	}
}

func (f fault) test(t *testing.T, stored bool) {
	c := newCollector(f.answers...)
	c.conns = f.conns
	c.listen(t, "", f.server...)
	o, out := testOptions(t)
	if stored {
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	}
	if f.timeout > 0 {
		o.Traces[0].Exporter.OTLPGRPC.Timeout = f.timeout
	}
	spans := uint64(max(f.spans, 10))
	o.Traces[0].Batch = oneBatch(int(spans))
	e := newExporter(t, o, c.addr)
	export(e, int(spans))
	done := func(s Stats) bool { return s.Waiting+s.Stored == 0 }
	waitStats(t, e, done)
	e.export(item(int(spans)+1), nil)
	shutdown(t, e)

	wantStats(t, e, Stats{Accepted: spans + 1, Delivered: spans + 1 - f.dropped.Total(), Dropped: f.dropped})
	if got := len(c.attempts); got != f.refused {
		t.Errorf("the server refused %d requests, want %d", got, f.refused)
	}
	var got []string
	for len(c.arrived) > 0 {
		for _, span := range <-c.arrived {
			got = append(got, fmt.Sprintf("%x", span.SpanId))
		}
	}
	times := map[bool]uint64{false: 1, true: 2}[f.twice]
	arrived := times*spans + 1 - f.dropped.Total() + f.dropped[Rejected]
	// On a busy machine a later attempt may time out as well, after its spans have
	// arrived: they are sent again.
	if n := uint64(len(got)); n != arrived && (f.timeout == 0 || n < arrived) {
		t.Errorf("%d spans arrived, want %d", len(got), arrived)
	}
	slices.Sort(got)
	if distinct := uint64(len(slices.Compact(got))); distinct != arrived-(times-1)*spans {
		t.Errorf("%d different spans arrived, want %d", distinct, arrived-(times-1)*spans)
	}
	for _, text := range f.says {
		if n := out.count(text); n == 0 || n > 1 && !f.repeats {
			t.Errorf("want %q once in the log:\n%s", text, out)
		}
	}
	if len(f.says) == 0 && out.String() != "" {
		t.Errorf("want nothing in the log:\n%s", out)
	}
	if out.count("s3cr3t") > 0 {
		t.Errorf("a secret is in the log:\n%s", out)
	}
}
