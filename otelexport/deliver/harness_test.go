package deliver

import (
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/test/syncbuffer"
)

// fakeTransport answers as it is told, and remembers when it was asked.
type fakeTransport struct {
	answer func(ctx context.Context, attempt, size int) (*partialSuccess, error)
	begin  time.Time
	times  []time.Duration // of the attempts, since begin
	mended chan struct{}   // closed when a broken connection works again; nil: it was never broken
}

func (f *fakeTransport) Upload(ctx context.Context, parts []Part) Verdict {
	f.times = append(f.times, time.Since(f.begin))
	size := 0
	for _, p := range parts {
		size += p.size()
	}
	return judge(f.answer(ctx, len(f.times), size))
}

func (f *fakeTransport) Close() {}

func (f *fakeTransport) Recover(ctx context.Context) {
	select {
	case <-f.mended:
	case <-ctx.Done():
	}
}

// logs is a log that can be read while it is written.
type logs struct{ syncbuffer.Buffer }

func (l *logs) count(text string) int { return strings.Count(l.String(), text) }

func testOptions(t testing.TB) (Options, *logs) {
	t.Helper()
	out := &logs{}
	return Options{
		Traces: []*Destination{{
			Batch: config.Batch{ScheduleDelay: 10 * time.Millisecond, ExportTimeout: 30 * time.Second, MaxQueueSize: 1000, MaxExportBatchSize: 100},
			Exporter: config.Exporter{OTLPGRPC: &config.OTLPGRPC{Target: "127.0.0.1:4317", OTLP: config.OTLP{Insecure: true, Timeout: 10 * time.Second,
				Headers: []config.Header{{Name: "authorization", Value: config.NewSecret("Bearer s3cr3t-token")}}}}},
		}},
		Scope:   mustMarshal(&tracepb.ScopeSpans{SchemaUrl: "schema", Scope: &commonpb.InstrumentationScope{Name: "scope", Version: "1"}}),
		Version: "0.0.0-test",
		Log:     slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, out
}

// oneBatch are limits under which so many items are one batch, however slowly they
// come. What comes after them waits for the next batch to be full, or for the end.
func oneBatch(items int) config.Batch {
	return config.Batch{ScheduleDelay: time.Hour, ExportTimeout: 30 * time.Second, MaxQueueSize: 1000, MaxExportBatchSize: items}
}

// start returns an outbox of spans on a transport.
func start(t testing.TB, o Options, over Transport) *Outbox {
	t.Helper()
	to := *o.Traces[0]
	to.Transport = over
	o.Traces = []*Destination{&to}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startLogs returns one of log records.
func startLogs(t testing.TB, o Options, over Transport) *Outbox {
	t.Helper()
	to := *o.Traces[0]
	to.Transport = over
	o.Traces, o.Logs = nil, []*Destination{&to}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testItem is a span or a log record: its number, and bytes of padding.
type testItem struct{ n, padding int }

func item(n int) testItem { return testItem{n, 450} }

// huge returns one with more padding.
func huge(n, padding int) testItem { return testItem{n, padding} }

func (i testItem) id() []byte { return binary.BigEndian.AppendUint64(nil, uint64(i.n)) }

func (i testItem) attributes() []*commonpb.KeyValue {
	return []*commonpb.KeyValue{{Key: "padding", Value: &commonpb.AnyValue{
		Value: &commonpb.AnyValue_StringValue{StringValue: strings.Repeat("x", i.padding)}}}}
}

func (i testItem) span() []byte {
	return mustMarshal(&tracepb.ScopeSpans{Spans: []*tracepb.Span{{SpanId: i.id(), Name: "process", Attributes: i.attributes()}}})
}

func (i testItem) record() []byte {
	return mustMarshal(&logspb.ScopeLogs{LogRecords: []*logspb.LogRecord{{SpanId: i.id(), Attributes: i.attributes()}}})
}

func mustMarshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// resourceOf returns the resource of a container.
func resourceOf(container string) []byte {
	return mustMarshal(&tracepb.ResourceSpans{SchemaUrl: "schema", Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		{Key: "container.id", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: container}}},
	}}})
}

// host is the resource of items that name none.
var host = resourceOf("host")

// export pushes an item to each signal there is; a nil resource is the host.
func (b *Outbox) export(i testItem, resource []byte) {
	if resource == nil {
		resource = host
	}
	if b.Spans.Wants() {
		b.Spans.Push(i.span(), nil, resource)
	}
	if b.LogRecords.Wants() {
		b.LogRecords.Push(i.record(), nil, resource)
	}
}

func export(e *Outbox, n int) {
	for i := range n {
		e.export(item(i+1), nil)
	}
}

func wantStats(t testing.TB, e *Outbox, want Stats) {
	t.Helper()
	got, _ := e.Stats()
	wantSame(t, got, want)
}

func wantLogStats(t testing.TB, e *Outbox, want Stats) {
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
