package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

// BenchmarkPipeline is the whole way in user space, from the bytes of the ring
// to requests that are thrown away, or sent to a server in this process that does
// not look at them: decode, table, origin, users, redaction, encoding, batches,
// with the default configuration. Recorded lifetimes are replayed, fork, exec and
// exit, each the child of another of so many that go on living. A bare one is what
// there would be without users, redaction, use of resources and units.
func BenchmarkPipeline(b *testing.B) {
	for _, living := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("discard/living=%d", living), pipeline{living: living}.benchmark)
	}
	for _, living := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("handover/living=%d", living), func(b *testing.B) { benchmarkHandover(b, living) })
	}
	b.Run("bare/living=1000", pipeline{living: 1_000, bare: true}.benchmark)
	b.Run("grpc/living=1000", pipeline{living: 1_000, send: true}.benchmark)
}

// pipeline is a variety of it.
type pipeline struct {
	living           int
	bare, send, keep bool
}

// piped is a replay with its exporter.
type piped struct {
	*replay
	o        Options
	exporter *otelexport.Exporter
	log      fmt.Stringer
}

func (p pipeline) start(b *testing.B) piped {
	b.Helper()
	o, log := unreachable()
	o.Config.Traces.Pipelines[0].Batch.MaxQueueSize = 1 << 20 // nothing is dropped, however fast it is made
	if p.bare {
		o.Config.Capture.Args = config.ArgsFull
	}
	clock, err := otelexport.NewClock()
	if err != nil {
		b.Fatal(err)
	}
	if p.send {
		o.Config.Traces.Pipelines[0].Exporter.OTLPGRPC.Target = unread(b)
	}
	exporter := newTestExporter(b, o, clock, p.send)
	r := newReplay(b, p, clock, exporter, o)
	if p.keep {
		keep := r.keepIn(tmpfs(b), o, exporter)
		b.Cleanup(func() {
			if err := keep.close(); err != nil {
				b.Error(err)
			}
		})
		keep.snapshot(false)
		r.ring.longest = 0
	}
	return piped{r, o, exporter, log}
}

func (p pipeline) benchmark(b *testing.B) {
	r := p.start(b)
	b.ReportAllocs()
	n, cpu := 0, cpuSoFar(b)
	for b.Loop() {
		r.lifetime(n)
		n++
	}
	r.finish(b, n)
	// What counts on a busy machine, and with a collector of garbage: the time on
	// all CPUs. That of the server is in it.
	perLifetime := float64(cpuSoFar(b)-cpu) / float64(n)
	b.ReportMetric(perLifetime, "cpu-ns/op")
	b.ReportMetric(1e9/perLifetime, "lifetimes/s/core")
}

// finish checks that the n lifetimes were delivered.
func (r piped) finish(b *testing.B, n int) {
	b.Helper()
	flush(r.o, r.exporter)
	if stats := r.flow.table.Stats(); stats.Living != r.living {
		b.Fatalf("got %+v, want %d living", stats, r.living)
	}
	if spans, _ := r.exporter.Stats(); spans.Delivered != uint64(n) {
		b.Fatalf("got %+v, want %d delivered; it logged:\n%s", spans, n, r.log)
	}
}

// benchmarkHandover is what the handover costs, and how long it keeps the ring unread at
// most. Slices with it and without take turns, so that both have the same share of a
// busy machine; the ratio is the median over blocks, of several snapshots each.
func benchmarkHandover(b *testing.B, living int) {
	runtime.LockOSThread() // for the ring's clock
	defer runtime.UnlockOSThread()
	const slice = 2_500
	without, with := pipeline{living: living}.start(b), pipeline{living: living, keep: true}.start(b)
	block := max(6*living, 60_000)
	n, ratios, cpu := 0, []float64(nil), int64(0)
	for b.Loop() {
		var took [2]int64
		for end := n + block; n < end; n += slice {
			for i, r := range []piped{without, with} {
				begin := cpuSoFar(b)
				for k := range slice {
					r.lifetime(n + k)
				}
				took[i] += cpuSoFar(b) - begin
			}
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
		cpu += took[1]
	}
	without.finish(b, n)
	with.finish(b, n)
	slices.Sort(ratios)
	b.ReportMetric(float64(cpu)/float64(n), "cpu-ns/lifetime")
	b.ReportMetric(ratios[len(ratios)/2], "times-without")
	b.ReportMetric(with.ring.longest.Seconds()*1000, "max-unread-ms")
	if !with.flow.keep.kept {
		b.Fatalf("nothing is kept; it logged:\n%s", with.log)
	}
}

// tmpfs returns a directory on a tmpfs, as /run/procspan is.
func tmpfs(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "procspan")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newTestExporter(b *testing.B, o Options, clock *otelexport.Clock, send bool) *otelexport.Exporter {
	b.Helper()
	if !send {
		return newDiscardExporter(b, o, clock)
	}
	exporter, err := newExporter(o, clock)
	if err != nil {
		b.Fatal(err)
	}
	return exporter
}

// unread is the address of a server that takes requests without looking at them.
func unread(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(unreadCodec{}))
	coltracepb.RegisterTraceServiceServer(server, unreadServer{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	b.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

type unreadServer struct {
	coltracepb.UnimplementedTraceServiceServer
}

func (unreadServer) Export(context.Context, *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

type unreadCodec struct{}

func (unreadCodec) Name() string { return "proto" }

func (unreadCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

func (unreadCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

// cpuSoFar is what this process has used, in ns.
func cpuSoFar(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}
