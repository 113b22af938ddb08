package otlp

import (
	"maps"
	"testing"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/process"
)

// fullEvent is the exec that fullLifetime began with.
func fullEvent() *process.Event {
	l := fullLifetime()
	return &process.Event{
		Kind: process.Exec, At: l.Start, ID: l.ID, Parent: process.ID{PID: l.ParentPID}, Comm: l.Comm,
		Image: l.Image, Groups: l.Groups, Credentials: l.Credentials, Namespaces: l.Namespaces, VPID: l.VPID,
	}
}

// encodeExec returns the log record of ev as the exporter queues it.
func encodeExec(e *Encoder, ev *process.Event, at process.SpanContext, root process.ID) ([]byte, error) {
	return e.ExecRecord(ev, at, root, testResource, nil)
}

// encodeExit returns the log record of l as the exporter queues it.
func encodeExit(e *Encoder, l *process.Lifetime) ([]byte, error) {
	e.Load(l, testResource)
	return e.ExitRecord(l)
}

// decodeRecord reads one encoded log record as a server does.
func decodeRecord(t testing.TB, wire []byte, err error) *logspb.LogRecord {
	t.Helper()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var scope logspb.ScopeLogs
	if err := proto.Unmarshal(wire, &scope); err != nil {
		t.Fatalf("decode log record: %v", err)
	}
	if len(scope.LogRecords) != 1 || len(scope.LogRecords[0].ProtoReflect().GetUnknown()) > 0 {
		t.Fatalf("got %v, want 1 log record", &scope)
	}
	return scope.LogRecords[0]
}

func TestExecRecordGolden(t *testing.T) {
	l := fullLifetime()
	wire, err := encodeExec(testEncoder(t, fullCapture), fullEvent(), l.Context, l.Root)
	wantGolden(t, "exec.json", asJSON(t, decodeRecord(t, wire, err)))
}

// The record of the end says what the span says.
func TestExitRecord(t *testing.T) {
	e, l := testEncoder(t, fullCapture), fullLifetime()
	span := spanOf(t, e, l)
	wire, err := e.ExitRecord(l)
	r := decodeRecord(t, wire, err)
	if got, want := values(r.Attributes), values(span.Attributes); !maps.Equal(got, want) {
		t.Errorf("attributes:\ngot  %v\nwant %v", got, want)
	}
	if process.TraceID(r.TraceId) != l.Context.Trace || process.SpanID(r.SpanId) != l.Context.Span || r.Flags != 1 {
		t.Errorf("got trace %x, span %x, flags %x; want those of the span", r.TraceId, r.SpanId, r.Flags)
	}
	if r.TimeUnixNano != span.EndTimeUnixNano || r.ObservedTimeUnixNano != r.TimeUnixNano {
		t.Errorf("got time %d, observed %d; want the span's end %d", r.TimeUnixNano, r.ObservedTimeUnixNano, span.EndTimeUnixNano)
	}
	if r.EventName != "procspan.process.exit" {
		t.Errorf("event name: got %q", r.EventName)
	}
	wire, err = e.Span(l)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if again := decodeSpan(t, wire); !proto.Equal(again, span) {
		t.Errorf("the span after the record: got %v, want %v", again, span)
	}
}

func TestSeverity(t *testing.T) {
	for _, tc := range []struct {
		name     string
		status   process.Status
		expected bool
		oom      bool
		want     string
		body     string
	}{
		{"exit 0", 0, false, false, "INFO", "x: exit code 0"},
		{"exit 1", 1 << 8, false, false, "WARN", "x: exit code 1"},
		{"exit 1, expected", 1 << 8, true, false, "INFO", "x: exit code 1"},
		{"signal", 15, false, false, "ERROR", "x: killed by SIGTERM"},
		{"signal, expected", 15, true, false, "INFO", "x: killed by SIGTERM"},
		{"core", 11 | 0x80, false, false, "ERROR", "x: killed by SIGSEGV (core dumped)"},
		{"out of memory", 9, false, true, "ERROR", "x: killed by SIGKILL (out of memory)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wire, err := encodeExit(testEncoder(t, fullCapture), &process.Lifetime{
				ID: process.ID{PID: 7, Start: second}, Comm: "x", Status: tc.status, Expected: tc.expected, OOM: process.OOM{Killed: tc.oom},
			})
			r := decodeRecord(t, wire, err)
			if r.SeverityText != tc.want || r.SeverityNumber.String() != "SEVERITY_NUMBER_"+tc.want {
				t.Errorf("severity: got %s, %v, want %s", r.SeverityText, r.SeverityNumber, tc.want)
			}
			if got := r.Body.GetStringValue(); got != tc.body {
				t.Errorf("body: got %q, want %q", got, tc.body)
			}
		})
	}
}

// Without a span, a record names none, also after one that did.
func TestRecordWithoutSpan(t *testing.T) {
	e := testEncoder(t, fullCapture)
	if _, err := encodeExec(e, fullEvent(), contextOf(1, 2), process.ID{}); err != nil {
		t.Fatal(err)
	}
	wire, err := encodeExec(e, fullEvent(), process.SpanContext{}, process.ID{})
	r := decodeRecord(t, wire, err)
	if r.TraceId != nil || r.SpanId != nil || r.Flags != 0 {
		t.Errorf("got trace %x, span %x, flags %x; want none", r.TraceId, r.SpanId, r.Flags)
	}
}

// A record of an exec stands in its trace, also where the clock was stepped back
// since the trace began: at the start of its span.
func TestExecRecordIsAtTheStart(t *testing.T) {
	c, f := testClock(t)
	f.boot, f.offset = 90*int64(second), f.offset-hour
	c.Sample()
	e, l := NewEncoder(Options{Clock: c}), fullLifetime()
	span := spanOf(t, e, l)
	wire, err := encodeExec(e, fullEvent(), l.Context, l.Root)
	if got, want := decodeRecord(t, wire, err).TimeUnixNano, span.StartTimeUnixNano; got != want {
		t.Errorf("in its trace: got %d, want %d", got, want)
	}
	wire, err = encodeExec(e, fullEvent(), process.SpanContext{}, process.ID{})
	if got, want := decodeRecord(t, wire, err).TimeUnixNano, c.Unix(l.Start); got != want {
		t.Errorf("in none: got %d, want %d", got, want)
	}
}

func BenchmarkEncodeExec(b *testing.B) {
	e, l := testEncoder(b, fullCapture), busyLifetime()
	ev := &process.Event{Kind: process.Exec, At: l.Start, ID: l.ID, Parent: l.Parent, Comm: l.Comm, Image: l.Image,
		Groups: l.Groups, Credentials: l.Credentials, VPID: l.VPID}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encodeExec(e, ev, l.Context, l.Root); err != nil {
			b.Fatal(err)
		}
	}
}
