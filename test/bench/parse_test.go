package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
)

// What the peers of Debian 12 print.
const (
	execsnoopOutput = `PCOMM            PID    PPID   RET ARGS
storm-child      25538  30410    0 /tmp/b/storm-child -O2 --output=/tmp/storm/object.o
sh               25539  30410    0 /bin/sh -c storm-child
storm-canary     25540  30410    0 /tmp/b/storm-canary
storm-child      25541  30410    0 /tmp/b/storm-child
`
	exitsnoopOutput = `PCOMM            PID     PPID    TID     AGE(s)  EXIT_CODE
storm-child      25601   30410   25601   0.00    0
true             25602   30410   25602   0.00    0
`
	bpftraceOutput = `exec storm-child 26092 30410 /tmp/b/storm-child
exit storm-child 26092 30410 0
exit make 26086 30410 256
Lost 17 events
exec storm-child 26093 30410 /tmp/b/storm-child
exec sh 7 1 /bin/sh
`
)

func TestLineCounter(t *testing.T) {
	for _, c := range []struct {
		name, kind, text string
		want             counts
	}{
		{"execsnoop", printsExecs, execsnoopOutput, counts{Execs: 2, OtherExecs: 2}},
		{"exitsnoop", printsExits, exitsnoopOutput, counts{Exits: 1, OtherExits: 1}},
		{"bpftrace", printsBoth, bpftraceOutput, counts{Execs: 2, Exits: 1, OtherExecs: 1, OtherExits: 1}},
		{"a last line without its end", printsExecs, "storm-child 1 2", counts{Execs: 1}},
		{"a line beyond the buffer", printsExecs, "storm-child " + strings.Repeat("x", 64<<10) + "\nstorm-child 1\n", counts{Execs: 2, OtherExecs: 1}},
		{"empty", printsBoth, "", counts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counter lineCounter
			if err := counter.read(strings.NewReader(c.text), c.kind); err != nil {
				t.Fatal(err)
			}
			c.want.Bytes = len(c.text)
			if got := counter.counts(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func stringAttribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// traceRequest has 3 spans of the storm and 2 of others, in two resources.
func traceRequest() *coltracepb.ExportTraceServiceRequest {
	span := func(name string) *tracepb.Span {
		return &tracepb.Span{
			TraceId: make([]byte, 16), SpanId: make([]byte, 8), TraceState: stormName, Name: name, StartTimeUnixNano: 1,
			Attributes: []*commonpb.KeyValue{stringAttribute("process.executable.name", stormName)},
		}
	}
	of := func(names ...string) *tracepb.ResourceSpans {
		scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "procspan"}}
		for _, name := range names {
			scope.Spans = append(scope.Spans, span(name))
		}
		return &tracepb.ResourceSpans{Resource: &resourcepb.Resource{}, ScopeSpans: []*tracepb.ScopeSpans{scope}}
	}
	return &coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{
		of(stormName, "sh", stormName), of(canaryName, stormName),
	}}
}

func logsRequest() *collogspb.ExportLogsServiceRequest {
	record := func(event, name string) *logspb.LogRecord {
		return &logspb.LogRecord{EventName: event, Attributes: []*commonpb.KeyValue{
			stringAttribute("process.executable.path", "/tmp/"+stormName), // alone it does not count
			stringAttribute("process.executable.name", name),
		}}
	}
	return &collogspb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{
		LogRecords: []*logspb.LogRecord{
			record("procspan.process.exec", stormName), record("procspan.process.exit", stormName),
			record("procspan.process.exec", stormName), record("procspan.process.exec", canaryName),
			record("procspan.process.exit", "sh"), record("procspan.process.exit", "sh"),
		},
	}}}}}
}

func TestSinkCounts(t *testing.T) {
	s := &sink{}
	for _, c := range []struct {
		message proto.Message
		count   func([]byte)
	}{{traceRequest(), s.countSpan}, {logsRequest(), s.countRecord}} {
		request, err := proto.Marshal(c.message)
		if err != nil {
			t.Fatal(err)
		}
		if err := eachItem(request, c.count); err != nil {
			t.Fatal(err)
		}
		if err := eachItem(request[:len(request)-1], c.count); err == nil {
			t.Error("a request that is cut short is taken")
		}
		if c.message.ProtoReflect().Descriptor().Name() == "ExportTraceServiceRequest" {
			// The cut request's first resource was whole.
			if got := s.spans.Load(); got != 5 {
				t.Errorf("%d spans, want 3, and 2 of the request that was cut", got)
			}
		}
	}
	got := s.counts()
	want := counts{Spans: 5, OtherSpans: 3, Execs: 2, OtherExecs: 1, Exits: 1, OtherExits: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProgramID(t *testing.T) {
	const link = "pos:\t0\nflags:\t02000000\nmnt_id:\t16\nlink_type:\ttracing\nlink_id:\t12\nprog_tag:\t46be0cd4ab1f2dc4\nprog_id:\t77\nattach_type:\t23\n"
	if id, ok := programID(link); !ok || id != 77 {
		t.Errorf("of a link: %d, %v", id, ok)
	}
	if id, ok := programID("pos:\t0\nmap_type:\t27\nmap_id:\t9\n"); ok {
		t.Errorf("of a map: %d", id)
	}
}

func TestSince(t *testing.T) {
	before := map[ebpf.ProgramID]programRun{1: {"a", 10, 100}, 2: {"b", 5, 50}, 3: {"c", 1, 1}}
	after := map[ebpf.ProgramID]programRun{1: {"a", 12, 130}, 2: {"b", 15, 550}, 3: {"c", 1, 1}, 4: {"d", 1, 30}}
	want := []programRun{{"b", 10, 500}, {"a", 2, 30}, {"d", 1, 30}}
	if got := since(before, after); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBusy(t *testing.T) {
	got, err := busy("cpu  100 20 3 90000 800 4 5 6 7 8\ncpu0 1 2 3\n")
	if want := int64(138 * 10_000_000); err != nil || got != want {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
	if _, err := busy("intr 1\n"); err == nil {
		t.Error("a file without CPUs is taken")
	}
}

func TestKilobytes(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	now, peak := kilobytes(string(status), "VmRSS:"), kilobytes(string(status), "VmHWM:")
	if now <= 0 || peak < now {
		t.Errorf("resident %d, at most %d", now, peak)
	}
	if got := kilobytes("VmHWM:\t    1600 kB\nVmRSS:\t    1500 kB\n", "VmRSS:"); got != 1500<<10 {
		t.Errorf("got %d", got)
	}
	if got := kilobytes("Name:\tx\n", "VmRSS:"); got != 0 {
		t.Errorf("of a kernel thread: %d", got)
	}
}

func TestConfiguration(t *testing.T) {
	text := setup{logs: true, persist: true}.configuration("localhost:1", "localhost:2", "/d")
	for _, want := range []string{"tracer_provider:", "logger_provider:", "http://localhost:1", "persist: true", "directory: /d/delivery"} {
		if !strings.Contains(text, want) {
			t.Errorf("the configuration lacks %q:\n%s", want, text)
		}
	}
	for _, s := range []setup{{}, {logs: true}, {logs: true, persist: true}, {http: true, compression: "zstd"}} {
		if _, err := config.Parse("procspan.yml", []byte(s.configuration("localhost:1", "localhost:2", "/d")), func(string) (string, bool) { return "", false }); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	plain := setup{}.configuration("localhost:1", "localhost:2", "/d")
	if strings.Contains(plain, "distribution") || strings.Contains(plain, "logger_provider") {
		t.Errorf("the default configuration says more than where to send:\n%s", plain)
	}
}
