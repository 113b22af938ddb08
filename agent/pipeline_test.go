package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// BenchmarkPipeline is the whole way in user space, from the bytes of the ring
// to requests that are thrown away, or sent to a server in this process that does
// not look at them: decode, table, origin, users, redaction, encoding, batches,
// with the default configuration. Recorded lifetimes are replayed, fork, exec and
// exit, each the child of another of so many that go on living. A bare one is what
// there would be without users, redaction, use of resources and units.
func BenchmarkPipeline(b *testing.B) {
	for _, p := range []pipeline{{living: 1_000}, {living: 10_000}, {living: 100_000}} {
		b.Run(fmt.Sprintf("discard/living=%d", p.living), p.benchmark)
	}
	b.Run("bare/living=1000", pipeline{living: 1_000, bare: true}.benchmark)
	b.Run("grpc/living=1000", pipeline{living: 1_000, send: true}.benchmark)
}

// pipeline is a variety of it.
type pipeline struct {
	living     int
	bare, send bool
}

func (p pipeline) benchmark(b *testing.B) {
	o, log := unreachable()
	o.Config.Traces.Batch.MaxQueueSize = 1 << 20 // nothing is dropped, however fast it is made
	if p.bare {
		o.Config.Capture.Args = config.ArgsFull
	}
	clock, err := otelexport.NewClock()
	if err != nil {
		b.Fatal(err)
	}
	if p.send {
		o.Config.Traces.Exporter.Target = unread(b)
	}
	exporter := newTestExporter(b, o, clock, p.send)
	r := newReplay(b, p, clock, exporter, o.Config)
	b.ReportAllocs()
	n, cpu := 0, cpuSoFar(b)
	for b.Loop() {
		r.lifetime(n)
		n++
	}
	flush(o, exporter)
	if stats := r.flow.table.Stats(); stats.Living != p.living {
		b.Fatalf("got %+v, want %d living", stats, p.living)
	}
	perLifetime := float64(cpuSoFar(b)-cpu) / float64(n)
	if spans, _ := exporter.Stats(); spans.Delivered != uint64(n) {
		b.Fatalf("got %+v, want %d delivered; it logged:\n%s", spans, n, log)
	}
	// What counts on a busy machine, and with a collector of garbage: the time on
	// all CPUs. That of the server is in it.
	b.ReportMetric(perLifetime, "cpu-ns/op")
	b.ReportMetric(1e9/perLifetime, "lifetimes/s/core")
}

func newTestExporter(b *testing.B, o Options, clock *otelexport.Clock, send bool) *otelexport.Exporter {
	b.Helper()
	eo, err := exporterOptions(o, clock)
	if err != nil {
		b.Fatal(err)
	}
	if !send {
		return otelexport.Discard(eo)
	}
	exporter, err := otelexport.New(eo)
	if err != nil {
		b.Fatal(err)
	}
	return exporter
}

// replay is a flow without a kernel.
type replay struct {
	b         *testing.B
	decoder   *bpf.Decoder
	flow      flow
	templates []recorded
	pipeline
	pid uint32
	now uint64
}

// recorded is one lifetime.
type recorded struct {
	fork, exec, exit []byte
	digits           [][]byte // of exec: what makes its arguments its own
}

func newReplay(b *testing.B, p pipeline, clock *otelexport.Clock, exporter *otelexport.Exporter, c config.Config) *replay {
	b.Helper()
	policy := policy(c)
	r := &replay{b: b, decoder: bpf.NewDecoder(), templates: readStorm(b), pipeline: p, now: 1}
	r.flow = flow{
		clock: clock,
		table: process.NewTable(process.Limits{Processes: c.Kernel.MaxProcesses, Bytes: maxImageBytes}, policy, process.NewIDs("test")),
		out:   exportOutput{exporter, newOrigins(c.ServiceName, exporter)},
	}
	if !p.bare {
		for id := range uint64(cgroups) {
			r.flow.out.named(2+id, fmt.Sprintf("/system.slice/job-%d.service", id))
		}
	}
	r.pid = 2
	for i := range p.living {
		t := &r.templates[i%len(r.templates)]
		r.begin(t, process.ID{PID: r.pid, Start: r.now}, process.ID{PID: 1, Start: 1}, r.pid, i)
		r.pid++
	}
	return r
}

// cgroups is in how many control groups the living are.
const cgroups = 50

// lifetime replays one, the n-th.
func (r *replay) lifetime(n int) {
	t := &r.templates[n%len(r.templates)]
	if r.pid++; r.pid == 1<<22 {
		r.pid = uint32(r.living) + 2
	}
	which := n * 7919 % r.living // 7919 is prime
	parent := process.ID{PID: 2 + uint32(which), Start: 1 + uint64(which)}
	id := process.ID{PID: r.pid, Start: r.now}
	r.begin(t, id, parent, parent.PID, n)
	r.now++
	r.put(t.exit, id, parent)
}

// begin replays a fork and an exec; session is that of both.
func (r *replay) begin(t *recorded, id, parent process.ID, session uint32, n int) {
	for _, record := range [][]byte{t.fork, t.exec} { // struct wire_groups follows the header
		binary.NativeEndian.PutUint32(record[64:], session)
		binary.NativeEndian.PutUint64(record[64+16:], 2+uint64(session%cgroups))
		binary.NativeEndian.PutUint64(record[64+24:], 2+uint64(session%cgroups))
	}
	for _, digits := range t.digits {
		for i, rest := len(digits)-1, n; i >= 0; i, rest = i-1, rest/10 {
			digits[i] = '0' + byte(rest%10)
		}
	}
	r.now++
	r.put(t.fork, id, parent)
	r.put(t.exec, id, parent)
}

// put gives a record other ids (struct wire_header) and moves it.
func (r *replay) put(record []byte, id, parent process.ID) {
	binary.NativeEndian.PutUint64(record[8:], r.now)
	binary.NativeEndian.PutUint64(record[16:], id.Start)
	binary.NativeEndian.PutUint64(record[24:], parent.Start)
	binary.NativeEndian.PutUint32(record[40:], id.PID)
	binary.NativeEndian.PutUint32(record[44:], parent.PID)
	if err := r.decoder.Decode(record, &r.flow.event); err != nil {
		r.b.Fatal(err)
	}
	if r.bare {
		ev := &r.flow.event
		ev.VPID = 0 // without it, credentials are not known
		ev.Usage = process.Usage{}
	}
	r.flow.apply()
}

// readStorm reads the lifetimes that package bpf has recorded.
func readStorm(b *testing.B) (all []recorded) {
	b.Helper()
	raw, err := os.ReadFile("../bpf/testdata/storm.ring")
	if err != nil {
		b.Fatal(err)
	}
	for len(raw) > 0 {
		size := 4 + binary.LittleEndian.Uint32(raw)
		record := raw[4:size:size]
		raw = raw[size:]
		switch binary.NativeEndian.Uint32(record) {
		case 1:
			all = append(all, recorded{fork: record})
		case 2:
			t := &all[len(all)-1]
			t.exec = record
			for at := 0; ; {
				i := bytes.Index(record[at:], []byte("000000"))
				if i < 0 {
					break
				}
				at += i + 6
				t.digits = append(t.digits, record[at-6:at])
			}
		case 3:
			all[len(all)-1].exit = record
		}
	}
	return all
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
