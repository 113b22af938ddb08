package agent

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// tally is a collector that keeps the number of the spans, and the sum of their
// ids.
type tally struct {
	coltracepb.UnimplementedTraceServiceServer
	spans, sum atomic.Uint64
}

func (c *tally) Export(_ context.Context, r *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans.Add(1)
				c.sum.Add(binary.BigEndian.Uint64(s.SpanId))
			}
		}
	}
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

// crowd is a synthetic host: a shell that starts processes, and ends them in the
// order of their start.
type crowd struct {
	table *process.Table
	out   exportOutput
	now   process.Time
	next  uint32 // pid
	alive []process.ID
	ids   process.IDs
	sum   uint64 // of the span ids of those that have ended
}

func (c *crowd) tell(ev *process.Event) {
	c.now += 1000
	ev.At = c.now
	for _, l := range c.table.Apply(ev) {
		c.out.ended(l)
	}
}

func (c *crowd) start(parent process.ID) process.ID {
	c.next++
	name := "/usr/bin/program-" + strconv.Itoa(int(c.next%50))
	id := process.ID{PID: 2 + c.next%(1<<22-2), Start: c.now + 1}
	c.tell(&process.Event{Kind: process.Fork, ID: id, Parent: parent, ExecID: 1})
	c.tell(&process.Event{Kind: process.Exec, ID: id, Parent: parent, ExecID: 2, FirstExec: true, VPID: id.PID, Image: process.Image{
		Filename: name, Executable: name, WorkingDirectory: "/home/somebody/project",
		Args: name + "\x00--number\x00" + strconv.Itoa(int(c.next)) + "\x00", ArgsCount: 3,
	}})
	return id
}

func (c *crowd) end(id process.ID) {
	c.tell(&process.Event{Kind: process.Exit, ID: id, Execed: true, ExecID: 2, Comm: "program"})
	span := c.ids.SpanID(id)
	c.sum += binary.BigEndian.Uint64(span[:])
}

// A million lifetimes, a hundred thousand at a time, take no more memory at the
// end than at the beginning, and all of them arrive.
func TestMillion(t *testing.T) {
	const atOnce = million / 10
	collector := &tally{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(server, collector)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	o, _, log := options()
	traces := config.DefaultTraces()
	traces.Pipelines[0].Exporter.OTLPGRPC.Target = listener.Addr().String()
	traces.Pipelines[0].Batch.ScheduleDelay = 10 * time.Millisecond
	o.Config.Traces = &traces
	clock, err := otelexport.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	exporter, err := newExporter(o, clock)
	if err != nil {
		t.Fatal(err)
	}
	ids := process.NewIDs("test")
	c := &crowd{
		table: process.NewTable(process.Limits{Processes: o.Config.Kernel.MaxProcesses, Bytes: maxImageBytes}, policyOf(t, o.Config), ids),
		out:   exportOutput{exporter}, ids: ids, now: process.Time(time.Hour),
	}
	shell := c.start(process.ID{PID: 1, Start: 1})
	for range atOnce {
		c.alive = append(c.alive, c.start(shell))
	}
	var early uint64
	for n := range million - atOnce {
		c.end(c.alive[n%atOnce])
		c.alive[n%atOnce] = c.start(shell)
		if n%10_000 == 0 {
			settle(t, exporter, 10_000)
		}
		if n == million/5 {
			settle(t, exporter, 0)
			early = memory()
		}
	}
	settle(t, exporter, 0)
	late := memory()
	for i, id := range c.alive {
		if c.end(id); i%10_000 == 0 {
			settle(t, exporter, 10_000)
		}
	}
	c.end(shell)
	exporter.Shutdown(t.Context())

	spans, _ := exporter.Stats()
	t.Logf("heap with %d alive: %d MiB after %d lifetimes, %d MiB after %d", atOnce, early>>20, million/5, late>>20, million)
	if late > early+early/10+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
	if got := collector.spans.Load(); got != million+1 || collector.sum.Load() != c.sum {
		t.Errorf("%d spans arrived, want %d; the sum of their ids is %x, want %x", got, million+1, collector.sum.Load(), c.sum)
	}
	l := newLedger(process.Stats{}, c.table.Stats(), 0, spans)
	if l.missing() != 0 || l.seen != million+1 || spans.Delivered != million+1 {
		t.Errorf("the ledger is %+v", l)
	}
	if text := log.String(); text != "" {
		t.Errorf("it has something to say:\n%s", text)
	}
}

// settle waits until no more than so many wait for the network: synthetic
// processes end faster than real ones.
func settle(t *testing.T, exporter *otelexport.Exporter, most uint64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	for {
		if spans, _ := exporter.Stats(); spans.Waiting <= most {
			return
		}
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatal("nothing is delivered for a minute")
		}
	}
}

// memory returns how many bytes of the heap are in use.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
