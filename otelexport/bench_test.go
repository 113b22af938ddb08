package otelexport

import (
	"fmt"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// BenchmarkExport is the whole way over real gRPC to a server in the same
// process; the server does not decode.
func BenchmarkExport(b *testing.B) {
	for _, bc := range []struct {
		name      string
		resources int
		records   bool
	}{{"spans", 1, false}, {"spans of 50 containers", 50, false}, {"spans and records", 1, true}} {
		b.Run(bc.name, func(b *testing.B) {
			c := newCollector()
			c.listen(b, "", grpc.ForceServerCodecV2(discard{}))
			o, _ := bothOptions(b, c.addr)
			o.Traces.Batch.MaxExportBatchSize = 512
			o.Traces.Batch.MaxQueueSize = 1 << 20
			o.Logs.Batch = o.Traces.Batch
			if !bc.records {
				o.Logs = nil
			}
			e := newExporter(b, o, c.addr)
			var resources []*Resource
			for i := range bc.resources {
				resources = append(resources, e.Resource([]attribute.KeyValue{semconv.ContainerID(fmt.Sprint(i))}, "/system.slice"))
			}
			go func() {
				for range c.arrived {
				}
			}()
			defer close(c.arrived)
			go func() {
				for range c.records {
				}
			}()
			defer close(c.records)
			l := busyLifetime()
			b.ReportAllocs()
			n := 0
			before := cpuTime(b)
			for b.Loop() {
				e.Export(l, resources[n%len(resources)])
				n++
			}
			shutdown(b, e)
			if got, _ := e.Stats(); got.Delivered != uint64(n) {
				b.Fatalf("got %+v, want %d delivered", got, n)
			}
			// What counts on a busy machine: the time on the CPU, server included.
			b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has used so far, in ns.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// discard is a codec for a server that takes requests without looking at them,
// so that a benchmark measures the client.
type discard struct{}

func (discard) Name() string { return "proto" }

func (discard) Unmarshal(mem.BufferSlice, any) error { return nil }

func (discard) Marshal(v any) (mem.BufferSlice, error) {
	b, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}
