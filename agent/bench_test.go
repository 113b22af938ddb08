package agent_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
)

// discard is a collector that takes everything and keeps nothing but a count.
type discard struct {
	coltracepb.UnimplementedTraceServiceServer
	spans atomic.Int64
}

func (d *discard) Export(_ context.Context, r *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			d.spans.Add(int64(len(ss.Spans)))
		}
	}
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

// BenchmarkWorkload says what the agent, observing the whole host and sending
// every span over gRPC, costs a workload that does nothing but start
// processes: two workers that run /bin/true. Rounds without and with the agent
// take turns, so that a machine that drifts drifts for both. It reports the
// median of the pairs' ratios, the agent's CPU time per lifetime, and the run
// time of the kernel programs per lifetime, in a round of its own, since
// measuring that costs too.
func BenchmarkWorkload(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "procspan")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/procspan").CombinedOutput(); err != nil {
		b.Fatalf("build procspan: %v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	sink := &discard{}
	server := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(server, sink)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	const perRound = 2000
	var ratios []float64
	var cpu time.Duration
	lifetimes := 0
	endpoint := listener.Addr().String()
	spawn(b, perRound) // warm up
	for b.Loop() {
		without := spawn(b, perRound)
		procspan := startAgent(b, binary, endpoint)
		cpu -= cpuTime(b, procspan.Process.Pid)
		with := spawn(b, perRound)
		cpu += cpuTime(b, procspan.Process.Pid)
		stopAgent(b, procspan)
		lifetimes += perRound
		ratios = append(ratios, float64(with)/float64(without))
	}
	if got := sink.spans.Load(); got < int64(lifetimes) {
		b.Errorf("%d spans arrived of %d lifetimes", got, lifetimes)
	}

	measuring, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Fatal(err)
	}
	defer measuring.Close()
	procspan := startAgent(b, binary, endpoint)
	before := bpfTime(b)
	spawn(b, perRound)
	inKernel := bpfTime(b) - before
	stopAgent(b, procspan)

	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "with/without")
	b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(lifetimes), "agent-µs/lifetime")
	b.ReportMetric(float64(inKernel.Nanoseconds())/1e3/perRound, "bpf-µs/lifetime")
	b.ReportMetric(0, "ns/op")
}

// spawn runs /bin/true n times from two workers and returns the time it took.
func spawn(b *testing.B, n int) time.Duration {
	begin := time.Now()
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			for range n / 2 {
				if err := exec.Command("/bin/true").Run(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// startAgent starts procspan and waits until it observes.
func startAgent(b *testing.B, binary, endpoint string) *exec.Cmd {
	cmd := exec.Command(binary, "run")
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+endpoint)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "observing") {
		b.Fatalf("procspan did not start: %v, %s", err, line)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return cmd
}

// stopAgent ends the agent, which delivers what waits.
func stopAgent(b *testing.B, cmd *exec.Cmd) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// cpuTime returns the CPU time of all threads of a process so far, to the
// nanosecond (clock_getcpuclockid).
func cpuTime(b *testing.B, pid int) time.Duration {
	const schedClock = 2 // CPUCLOCK_SCHED, of a process
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// bpfTime returns how long procspan's programs have run in all while the
// kernel measured.
func bpfTime(b *testing.B) time.Duration {
	var sum time.Duration
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return sum
		}
		if err != nil {
			b.Fatal(err)
		}
		id = next
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone meanwhile
		}
		if info, err := program.Info(); err == nil && slices.Contains([]string{"on_fork", "on_exec", "on_exit", "on_signal"}, info.Name) {
			stats, err := program.Stats()
			if err != nil {
				b.Fatal(err)
			}
			sum += stats.Runtime
		}
		program.Close()
	}
}
