package otelexport

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// fakeLink answers as it is told, and remembers when it was asked.
type fakeLink struct {
	answer func(ctx context.Context, attempt, size int) (*partialSuccess, error)
	begin  time.Time
	times  []time.Duration // of the attempts, since begin
	mended chan struct{}   // closed when a broken connection works again; nil: it was never broken
}

func (f *fakeLink) upload(ctx context.Context, parts []part) (*partialSuccess, error) {
	f.times = append(f.times, time.Since(f.begin))
	size := 0
	for _, p := range parts {
		size += p.size()
	}
	return f.answer(ctx, len(f.times), size)
}

func (f *fakeLink) mend(ctx context.Context) {
	select {
	case <-f.mended:
	case <-ctx.Done():
	}
}

// logs is a log that can be read while it is written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) count(text string) int { return strings.Count(l.String(), text) }

func testOptions(t testing.TB) (Options, *logs) {
	t.Helper()
	clock, _ := testClock(t)
	out := &logs{}
	res, _ := NewResource(t.Context(), config.Resource{}, "0.0.0-test")
	return Options{
		Traces: &Destination{
			Batch: config.Batch{ScheduleDelay: 10 * time.Millisecond, ExportTimeout: 30 * time.Second, MaxQueueSize: 1000, MaxExportBatchSize: 100},
			Exporter: config.OTLPGRPC{Target: "127.0.0.1:4317", Insecure: true, Timeout: 10 * time.Second,
				Headers: []config.Header{{Name: "authorization", Value: "Bearer s3cr3t-token"}}},
		},
		Capture:  fullCapture,
		Resource: res,
		Clock:    clock,
		Version:  "0.0.0-test",
		Log:      slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, out
}

// start returns an exporter of spans that is at work on a link.
func start(o Options, over link) *Exporter {
	return assemble(o, nil, newPipeline(signalSpans, o.Traces, over, nil, o.Log), nil)
}

// startLogs returns one of log records.
func startLogs(o Options, over link) *Exporter {
	return assemble(o, nil, nil, newPipeline(signalLogRecords, o.Traces, over, nil, o.Log))
}

// lifetime returns the n-th of many different ones.
func lifetime(n int) *process.Lifetime {
	l := commonLifetime()
	l.ID.PID = uint32(n)
	l.Context.Span = testIDs.SpanID(l.ID)
	return l
}

func export(e *Exporter, n int) {
	for i := range n {
		e.Export(lifetime(i+1), nil)
	}
}

func wantStats(t testing.TB, e *Exporter, want Stats) {
	t.Helper()
	got, _ := e.Stats()
	wantSame(t, got, want)
}

func wantLogStats(t testing.TB, e *Exporter, want Stats) {
	t.Helper()
	_, got := e.Stats()
	wantSame(t, got, want)
}

func wantSame(t testing.TB, got, want Stats) {
	t.Helper()
	if got != want {
		t.Errorf("stats:\ngot  %+v\nwant %+v", got, want)
	}
	wantSum(t, got)
}

// wantSum holds that every item is accounted for, once.
func wantSum(t testing.TB, s Stats) {
	t.Helper()
	if sum := s.Delivered + s.Waiting + s.Stored + s.Dropped.Total(); sum != s.Accepted+s.Restored {
		t.Errorf("stats do not add up: %d accepted and restored, %d accounted for: %+v", s.Accepted+s.Restored, sum, s)
	}
}

func fail(code codes.Code, msg string, delay ...time.Duration) error {
	s := status.New(code, msg)
	for _, d := range delay {
		s, _ = s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	}
	return s.Err()
}
