package otelexport

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/catalogue"
	"github.com/procspan/procspan/otelexport/otlp"
	"github.com/procspan/procspan/process"
)

// BenchmarkExport exports over real connections to a server in the same process
// that neither decompresses nor decodes.
func BenchmarkExport(b *testing.B) {
	for _, bc := range []struct {
		protocol, compression string
		resources             int
		records               bool
	}{
		{"grpc", "none", 1, false}, {"grpc", "none", 50, false}, {"grpc", "none", 1, true},
		{"grpc", "gzip", 1, false}, {"grpc", "zstd", 1, false},
		{"http", "none", 1, false}, {"http", "gzip", 1, false}, {"http", "zstd", 1, false},
	} {
		b.Run(fmt.Sprintf("%s/%s/containers=%d/records=%t", bc.protocol, bc.compression, bc.resources, bc.records), func(b *testing.B) {
			addr, received := sink(b, bc.protocol)
			o := testOptions(b, addr)
			exporter := config.Exporter{OTLPGRPC: &config.OTLPGRPC{Target: addr, OTLP: config.OTLP{Insecure: true, Timeout: 10 * time.Second, Compression: bc.compression}}}
			if bc.protocol == "http" {
				exporter = config.Exporter{OTLPHTTP: &config.OTLPHTTP{URL: "http://" + addr + "/v1/traces", OTLP: exporter.OTLPGRPC.OTLP}}
			}
			o.Traces[0].Exporter = exporter
			o.Traces[0].Batch.MaxExportBatchSize = 512
			o.Traces[0].Batch.MaxQueueSize = 1 << 20
			o.Logs[0].Exporter, o.Logs[0].Batch = o.Traces[0].Exporter, o.Traces[0].Batch
			if !bc.records {
				o.Logs = nil
			}
			e := newExporter(b, o)
			for i := range bc.resources {
				e.Named(uint64(100+i), fmt.Sprintf("/system.slice/job-%d.service", i))
			}
			lifetimes := compiles(512, bc.resources)
			b.ReportAllocs()
			n := 0
			before := cpuTime(b)
			for b.Loop() {
				l := lifetimes[n%len(lifetimes)]
				l.Context.Span = testIDs.SpanID(process.ID{PID: uint32(n)})
				e.Export(l)
				n++
				for n%4096 == 0 { // a compressor is slower than the encoder
					if s, _ := e.Stats(); s.Waiting < 32768 {
						break
					}
					time.Sleep(time.Millisecond)
				}
			}
			shutdown(b, e)
			if got, _ := e.Stats(); got.Delivered != uint64(n) {
				b.Fatalf("got %+v, want %d delivered", got, n)
			}
			// On a busy machine the time on the CPU counts. The server's is included.
			b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/op")
			b.ReportMetric(float64(received.Load())/float64(n), "wire-B/op")
		})
	}
}

// compiles returns lifetimes of a build.
func compiles(n, resources int) (all []*process.Lifetime) {
	for i := range n {
		l := lifetime(1000 + 7*i)
		l.Start += process.Time(i * 1_234_567)
		l.End = l.Start + process.Time(20_000_000+i*i*31)
		l.Image.Args = fmt.Sprintf("/usr/lib/gcc/x86_64-linux-gnu/12/cc1\x00-quiet\x00-I\x00include\x00module%d/file%d.c\x00-O2\x00-o\x00/tmp/cc%x.s\x00", i%17, i, 7919*i)
		l.Groups = process.Groups{Session: 900, Group: uint32(1000 + i), Cgroup: process.Cgroup{V2: uint64(100 + i%resources)}}
		l.Usage = process.Usage{UserTime: time.Duration(i * 100_003), SystemTime: time.Duration(i * 10_007), PeakRSS: uint64(20_000_000 + i*4096), MinorFaults: uint64(1000 + i)}
		all = append(all, l)
	}
	return all
}

// sink is a server that takes requests without looking at them, and counts the
// bytes that it receives.
func sink(b *testing.B, protocol string) (addr string, received *atomic.Int64) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	received = new(atomic.Int64)
	counted := countingListener{listener, received}
	if protocol == "grpc" {
		encoding.RegisterCompressor(passing{})
		return listen(b, counted, grpc.ForceServerCodecV2(discard{})).addr, received
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(counted) }()
	b.Cleanup(func() {
		server.Close()
		<-done
	})
	return listener.Addr().String(), received
}

type countingListener struct {
	net.Listener
	received *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l.received}, err
}

type countingConn struct {
	net.Conn
	received *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

// passing is a zstd of the server that does not decompress.
type passing struct{}

func (passing) Name() string                                 { return "zstd" }
func (passing) Compress(w io.Writer) (io.WriteCloser, error) { return nil, io.ErrClosedPipe }
func (passing) Decompress(r io.Reader) (io.Reader, error)    { return r, nil }

// cpuTime is what this process has used so far, in ns.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// discard is a codec for a server that does not decode.
type discard struct{}

func (discard) Name() string { return "proto" }

func (discard) Unmarshal(mem.BufferSlice, any) error { return nil }

func (discard) Marshal(v any) (mem.BufferSlice, error) {
	b, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

// BenchmarkProfiles encodes compiles in a container with each profile of attributes,
// and compresses the spans in requests of 512.
func BenchmarkProfiles(b *testing.B) {
	for _, profile := range catalogue.Profiles() {
		b.Run(profile.String(), func(b *testing.B) {
			o := testOptions(b, "")
			encoder := otlp.NewEncoder(otlp.Options{
				Clock: o.Clock, SpanLimits: config.DefaultTraces().Limits,
				Capture: config.Capture{Attributes: []config.AttributeName{config.AttributeName(profile.String())}, Args: config.ArgsFull, WorkingDirectory: true},
			})
			resource := otlp.NewResource(o.Resource, nil, "/system.slice/docker-3a5f0c7be1d24968a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f50617.scope")
			lifetimes := compiles(512, 1)
			var raw, small, smaller bytes.Buffer
			gz, zs := gzip.NewWriter(&small), must(zstd.NewWriter(&smaller, zstd.WithEncoderLevel(zstd.SpeedFastest)))
			raw.Write(resource.Wire)
			for i, l := range lifetimes {
				l.VPID, l.Image.WorkingDirectory = uint32(7+i), "/builds/project"
				l.Namespaces = process.Namespaces{Cgroup: 4026532001, IPC: 4026532002, Mount: 4026532003, Network: 4026532004, PID: 4026532005, UTS: 4026532008}
				l.Context.Span = testIDs.SpanID(process.ID{PID: uint32(i)})
				encoder.Load(l, resource)
				raw.Write(must(encoder.Span(l)))
			}
			for _, w := range []io.WriteCloser{gz, zs} {
				must(w.Write(raw.Bytes()))
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				l := lifetimes[n%len(lifetimes)]
				encoder.Load(l, resource)
				must(encoder.Span(l))
				n++
			}
			b.ReportMetric(float64(raw.Len())/512, "raw-B/span")
			b.ReportMetric(float64(small.Len())/512, "gzip-B/span")
			b.ReportMetric(float64(smaller.Len())/512, "zstd-B/span")
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
