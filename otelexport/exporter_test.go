package otelexport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/deliver"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/test/noleak"
)

func TestMain(m *testing.M) { noleak.Main(m) }

// collector keeps what arrives.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer
	addr string

	mu     sync.Mutex
	traces []*coltracepb.ExportTraceServiceRequest
	logs   []*collogspb.ExportLogsServiceRequest
}

func (c *collector) Export(_ context.Context, r *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces = append(c.traces, r)
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

type logService struct {
	collogspb.UnimplementedLogsServiceServer
	*collector
}

func (s logService) Export(_ context.Context, r *collogspb.ExportLogsServiceRequest) (*collogspb.ExportLogsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs = append(s.logs, r)
	return &collogspb.ExportLogsServiceResponse{}, nil
}

// listen starts a collector that serves until the test ends, on any port if
// listener is nil.
func listen(t testing.TB, listener net.Listener, options ...grpc.ServerOption) *collector {
	t.Helper()
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	c := &collector{addr: listener.Addr().String()}
	server := grpc.NewServer(options...)
	coltracepb.RegisterTraceServiceServer(server, c)
	collogspb.RegisterLogsServiceServer(server, logService{collector: c})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.GracefulStop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return c
}

var testIDs = process.NewIDs("0b5a4a9e-0f6c-4a8e-9d5c-5d0e1f7a2b3c")

// lifetime returns the n-th of many different ones.
func lifetime(n int) *process.Lifetime {
	id := process.ID{PID: uint32(n), Start: process.Time(100 * time.Second)}
	return &process.Lifetime{
		ID: id, Context: process.SpanContext{Trace: testIDs.TraceID(id), Span: testIDs.SpanID(id)}, Root: id,
		ParentPID: 4000, Start: id.Start + 500_000, End: id.Start + process.Time(time.Second), Comm: "cc1",
		Image: process.Image{
			Filename: "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", Executable: "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
			WorkingDirectory: "/home/ci/build/src",
			Args:             "/usr/lib/gcc/x86_64-linux-gnu/12/cc1\x00-quiet\x00-I\x00include\x00main.c\x00-O2\x00-o\x00/tmp/ccXJ7fQp.s\x00",
			ArgsCount:        8,
		},
	}
}

func testOptions(t testing.TB, addr string) Options {
	t.Helper()
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	to := deliver.Destination{
		Batch:    config.Batch{ScheduleDelay: 10 * time.Millisecond, ExportTimeout: 30 * time.Second, MaxQueueSize: 1000, MaxExportBatchSize: 100},
		Exporter: config.Exporter{OTLPGRPC: &config.OTLPGRPC{Target: addr, OTLP: config.OTLP{Insecure: true, Timeout: 10 * time.Second}}},
	}
	logs := to
	return Options{
		Traces: []*deliver.Destination{&to}, Logs: []*deliver.Destination{&logs},
		Capture:     config.Capture{Attributes: []config.AttributeName{"full"}, Args: config.ArgsFull},
		ServiceName: config.ServiceNameFixed,
		Resource:    resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName("procspan")),
		Clock:       clock,
		Version:     "0.0.0-test",
		Log:         slog.New(slog.DiscardHandler),
	}
}

func newExporter(t testing.TB, o Options) *Exporter {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func shutdown(t testing.TB, e *Exporter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	e.Shutdown(ctx)
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		m[kv.Key] = kv.Value.GetStringValue()
	}
	return m
}

// Spans and records of many containers arrive, each with its own resource.
func TestManyContainers(t *testing.T) {
	c := listen(t, nil)
	o := testOptions(t, c.addr)
	e := newExporter(t, o)
	const containers, n = 20, 250
	id := func(i uint32) string { return strings.Repeat(fmt.Sprintf("%02x", i), 32) }
	for i := range uint32(containers) {
		e.Named(uint64(100+i), "/system.slice/docker-"+id(i)+".scope")
	}
	for i := range n {
		l := lifetime(i + 1)
		if in := l.ID.PID % (containers + 1); in < containers { // the others are the host's
			l.Groups.Cgroup = process.Cgroup{V2: uint64(100 + in), V1: uint64(100 + in)}
		}
		e.ExportExec(&process.Event{Kind: process.Exec, At: l.Start, ID: l.ID, Groups: l.Groups}, l.Context, l.Root, nil)
		e.Export(l)
	}
	shutdown(t, e)
	spans, records := e.Stats()
	if want := (Stats{Accepted: n, Delivered: n}); spans != want {
		t.Errorf("spans: got %+v, want %+v", spans, want)
	}
	if want := (Stats{Accepted: 2 * n, Delivered: 2 * n}); records != want {
		t.Errorf("records: got %+v, want %+v", records, want)
	}
	want := map[string]string{} // container by span id
	for i := range uint32(n) {
		span := lifetime(int(i) + 1).Context.Span
		if in := (i + 1) % (containers + 1); in < containers {
			want[string(span[:])] = id(in)
		} else {
			want[string(span[:])] = ""
		}
	}
	checked := 0
	check := func(resource []*commonpb.KeyValue, span []byte, own []*commonpb.KeyValue) {
		checked++
		got := attributes(resource)
		container, known := want[string(span)]
		if !known || got["container.id"] != container || got["service.name"] != "procspan" {
			t.Errorf("span %x: got resource %v, want container %q", span, got, container)
		}
		if cgroup := attributes(own)["process.linux.cgroup"]; (cgroup != "") != (container != "") || !strings.Contains(cgroup, container) {
			t.Errorf("span %x: got cgroup %q, want that of %q", span, cgroup, container)
		}
	}
	for _, r := range c.traces {
		seen := map[string]bool{}
		for _, rs := range r.ResourceSpans {
			if container := attributes(rs.Resource.Attributes)["container.id"]; seen[container] {
				t.Errorf("container %q has two ResourceSpans in a request", container)
			} else {
				seen[container] = true
			}
			if scope := rs.ScopeSpans[0]; scope.Scope.Name != "github.com/procspan/procspan" || scope.Scope.Version != "0.0.0-test" || scope.SchemaUrl != semconv.SchemaURL || rs.SchemaUrl != semconv.SchemaURL {
				t.Fatalf("got scope %v with schema %q in schema %q", scope.Scope, scope.SchemaUrl, rs.SchemaUrl)
			}
			for _, span := range rs.ScopeSpans[0].Spans {
				check(rs.Resource.Attributes, span.SpanId, span.Attributes)
			}
		}
	}
	for _, r := range c.logs {
		for _, rl := range r.ResourceLogs {
			if unknown := rl.ProtoReflect().GetUnknown(); len(unknown) > 0 {
				t.Errorf("got unknown fields %x", unknown)
			}
			for _, record := range rl.ScopeLogs[0].LogRecords {
				check(rl.Resource.Attributes, record.SpanId, record.Attributes)
			}
		}
	}
	if checked != 3*n {
		t.Errorf("%d items arrived, want %d", checked, 3*n)
	}
}

// What one exporter knows and holds, the next one takes over.
func TestSnapshotOfTheExporter(t *testing.T) {
	o := testOptions(t, "127.0.0.1:1")
	first := newExporter(t, o)
	first.Named(7, "/system.slice/nginx.service")
	for i := range 10 {
		l := lifetime(i + 1)
		l.Groups.Cgroup = process.Cgroup{V2: 7, V1: 7}
		first.Export(l)
	}
	var pending [][]byte
	for piece := range first.Pending() {
		pending = append(pending, bytes.Clone(piece))
	}
	paths := first.AppendPaths(nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	first.Shutdown(ended)

	c := listen(t, nil)
	o = testOptions(t, c.addr)
	second := newExporter(t, o)
	for _, piece := range pending {
		if lost := second.RestorePending(piece, Positions{}); lost > 0 {
			t.Errorf("%d items are lost", lost)
		}
	}
	if err := second.RestorePaths(paths); err != nil {
		t.Fatal(err)
	}
	l := lifetime(11)
	l.Groups.Cgroup = process.Cgroup{V2: 7, V1: 7}
	second.Export(l)
	shutdown(t, second)
	spans := 0
	for _, r := range c.traces {
		for _, rs := range r.ResourceSpans {
			spans += len(rs.ScopeSpans[0].Spans)
			if unit := attributes(rs.Resource.Attributes)["procspan.systemd.unit"]; unit != "nginx.service" {
				t.Errorf("got unit %q", unit)
			}
		}
	}
	if spans != 11 {
		t.Errorf("%d spans arrived, want 11", spans)
	}
}

// A missing redactor is an error and not a leak.
func TestNoRedactor(t *testing.T) {
	o := testOptions(t, "127.0.0.1:1")
	o.Capture.Args = "redacted"
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), `capture.args "redacted" needs a redactor`) {
		t.Errorf("got %v, want an error", err)
	}
}
