package otlp

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var testIDs = process.NewIDs("0b5a4a9e-0f6c-4a8e-9d5c-5d0e1f7a2b3c")

var fullCapture = config.Capture{Attributes: []config.AttributeName{"full"}, Args: config.ArgsFull, ArgsMaxBytes: 4096, WorkingDirectory: true, Baggage: true}

func testEncoder(t testing.TB, capture config.Capture) *Encoder {
	t.Helper()
	clock, _ := testClock(t)
	capture.Environment = []string{"CI", "EMPTY", "MISSING", "CI"}
	return NewEncoder(Options{
		Clock: clock, Capture: capture, Names: users{0: "root", 1000: "ann", 1001: "bob"}, SpanLimits: config.DefaultTraces().Limits,
	})
}

// users are names by id.
type users map[uint32]string

func (u users) User(uid uint32) string { return u[uid] }

var testResource = NewResource(resource.Empty(), nil, "/user.slice/session-1.scope")

// encodeSpan returns the span of l as the exporter queues it.
func encodeSpan(e *Encoder, l *process.Lifetime) ([]byte, error) {
	e.Load(l, testResource)
	return e.Span(l)
}

// spanOf returns the span of l as a server sees it.
func spanOf(t testing.TB, e *Encoder, l *process.Lifetime) *tracepb.Span {
	t.Helper()
	wire, err := encodeSpan(e, l)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return decodeSpan(t, wire)
}

// decodeSpan reads one encoded span as a server does.
func decodeSpan(t testing.TB, wire []byte) *tracepb.Span {
	t.Helper()
	var scope tracepb.ScopeSpans
	if err := proto.Unmarshal(wire, &scope); err != nil {
		t.Fatalf("decode span: %v", err)
	}
	if len(scope.Spans) != 1 {
		t.Fatalf("got %d spans, want 1", len(scope.Spans))
	}
	return scope.Spans[0]
}

func asJSON(t *testing.T, m proto.Message) string {
	t.Helper()
	raw, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer // protojson's spaces are random on purpose
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	return text.String() + "\n"
}

func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update rewrites it):\n%s", golden, got)
	}
}

func values(list []*commonpb.KeyValue) map[string]any {
	m := map[string]any{}
	for _, kv := range list {
		switch v := kv.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			m[kv.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[kv.Key] = v.IntValue
		case *commonpb.AnyValue_DoubleValue:
			m[kv.Key] = v.DoubleValue
		case *commonpb.AnyValue_BoolValue:
			m[kv.Key] = v.BoolValue
		case *commonpb.AnyValue_ArrayValue:
			var texts []string
			for _, item := range v.ArrayValue.Values {
				texts = append(texts, item.GetStringValue())
			}
			m[kv.Key] = strings.Join(texts, "|")
		}
	}
	return m
}

// fullLifetime has everything that a lifetime can have.
func fullLifetime() *process.Lifetime {
	return &process.Lifetime{
		ID:             process.ID{PID: 4711, Start: 100*second + 1},
		Context:        contextOf(3000, 4711),
		TraceState:     "vendor=1",
		ParentSpan:     contextOf(3000, 4000).Span,
		ParentRemote:   true,
		Link:           contextOf(1000, 2000),
		Boundary:       process.BoundaryTraceparent,
		Root:           process.ID{PID: 3000, Start: 80 * second},
		Filtered:       2,
		ParentPID:      1,
		Start:          100*second + 500_000,
		End:            101*second + 250_000_123,
		StartEstimated: true,
		Comm:           "cc1",
		Image: process.Image{
			Filename:         "/usr/lib/gcc/cc1",
			Executable:       "/usr/lib/gcc/12/cc1 (deleted)",
			Deleted:          true,
			WorkingDirectory: "/home/ci/b\xffild",
			Args:             "cc1\x00-quiet\x00\x00ma\xc3\xafn.c\x00-D\xff\xfe\x00",
			ArgsCount:        9,
			ArgsCut:          true,
			Environment:      "BAGGAGE=user=%C3%A4nne;p=1,build=7\x00EMPTY=\x00CI=tr\xffue\x00",
			EnvironmentCut:   true,
			PathCut:          true,
		},
		Groups:      process.Groups{Session: 3900, Group: 4700, Terminal: 0x8801},
		Credentials: process.Credentials{RealUser: 1000, EffectiveUser: 0, SavedUser: 1001, RealGroup: 100, EffectiveGroup: 0, SavedGroup: 101},
		Namespaces: process.Namespaces{
			Cgroup: 4026532001, IPC: 4026532002, Mount: 4026532003, Network: 4026532004,
			PID: 4026532005, Time: 4026532006, User: 4026532007, UTS: 4026532008,
		},
		VPID: 42,
		Reexecs: []process.Reexec{{
			At:   100*second + 700_000,
			From: "/usr/bin/gcc",
			To: process.Image{Filename: "./cc1", Executable: "/usr/lib/gcc/12/cc1",
				Args: "cc1\x00-quiet\x00", ArgsCount: 2, WorkingDirectory: "/home/ci"},
		}},
		ReexecsDropped: 3,
		Status:         11 | 0x80,
		Usage: process.Usage{
			UserTime: 1_234_567_890, SystemTime: 250_000_000, PeakRSS: 100 << 20, MinorFaults: 5000, MajorFaults: 3,
			Voluntary: 17, Involuntary: 4, ReadBytes: 4096, WriteBytes: 8192, ReadChars: 100_000, WriteChars: 20_000,
			RunDelay: 30_000_000, RunDelayKnown: true,
		},
		ParentWaiting: process.Yes,
		Killer:        process.Killer{ID: process.ID{PID: 1, Start: 1}, Comm: "systemd", Executable: "/usr/lib/systemd/systemd"},
		OOM:           process.OOM{Killed: true, Limit: 512 << 20},
	}
}

// contextOf is the span of one process in the trace that another began.
func contextOf(root, pid uint32) process.SpanContext {
	return process.SpanContext{
		Trace: testIDs.TraceID(process.ID{PID: root, Start: second}),
		Span:  testIDs.SpanID(process.ID{PID: pid, Start: second}),
	}
}

// commonLifetime is one compile of a build.
func commonLifetime() *process.Lifetime {
	return &process.Lifetime{
		ID:         process.ID{PID: 4711, Start: 100 * second},
		Context:    contextOf(3000, 4711),
		ParentSpan: contextOf(3000, 4000).Span,
		Root:       process.ID{PID: 3000, Start: 80 * second},
		ParentPID:  4000,
		Start:      100*second + 500_000,
		End:        101 * second,
		Comm:       "cc1",
		Image: process.Image{
			Filename: "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", Executable: "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
			WorkingDirectory: "/home/ci/build/src",
			Args:             "/usr/lib/gcc/x86_64-linux-gnu/12/cc1\x00-quiet\x00-I\x00include\x00main.c\x00-O2\x00-o\x00/tmp/ccXJ7fQp.s\x00",
			ArgsCount:        8,
		},
	}
}

// busyLifetime is the same with all that the kernel tells of it.
func busyLifetime() *process.Lifetime {
	l := commonLifetime()
	l.VPID = l.ID.PID
	l.Groups = process.Groups{Session: 3900, Group: 4700}
	l.Credentials = process.Credentials{RealUser: 1000, EffectiveUser: 1000, SavedUser: 1000, RealGroup: 1000, EffectiveGroup: 1000, SavedGroup: 1000}
	l.Usage = process.Usage{UserTime: 812_345_678, SystemTime: 61_234_567, PeakRSS: 93 << 20, MinorFaults: 21_345,
		Voluntary: 4, Involuntary: 61, WriteBytes: 180_224, ReadChars: 1_204_321, WriteChars: 176_543}
	return l
}
