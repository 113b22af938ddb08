package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/spool"
	"github.com/procspan/procspan/test/tinydisk"
)

// startStored returns an outbox of spans with a store, on a transport.
func startStored(t testing.TB, o Options, dir string, over Transport) *Outbox {
	t.Helper()
	o.Store = config.Delivery{Directory: dir, MaxSize: 1 << 30, MaxAge: time.Hour}
	return start(t, o, over)
}

// wantFiles holds how many files a directory has beside the store's lock.
func wantFiles(t testing.TB, dir string, want int) {
	t.Helper()
	if files, err := filepath.Glob(filepath.Join(dir, "*-*")); err != nil || len(files) != want {
		t.Errorf("got %v (%v) in the store's directory, want %d", files, err, want)
	}
}

// away is a server that cannot be reached until it is up.
func away(up *atomic.Bool) func(context.Context, int, int) (*partialSuccess, error) {
	return func(context.Context, int, int) (*partialSuccess, error) {
		if up.Load() {
			return nil, nil
		}
		return nil, fail(codes.Unavailable, "connection refused")
	}
}

// While all is well, the disk is left alone.
func TestStoreIsNotUsedWhileAllIsWell(t *testing.T) {
	c := newCollector().listen(t, "")
	o, out := bothOptions(t, c.addr)
	o.Store = config.Delivery{Directory: filepath.Join(t.TempDir(), "store"), MaxSize: 1 << 30, MaxAge: time.Hour}
	e := newExporter(t, o, c.addr)
	export(e, 500)
	c.wait(t, 500)
	c.waitRecords(t, 500)
	wantFiles(t, o.Store.Directory, 0)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 500, Delivered: 500})
	wantFiles(t, o.Store.Directory, 0)
	if got := out.String(); got != "" {
		t.Errorf("got log %s, want none", got)
	}
}

// A disk that takes no more than what comes meanwhile does not keep the delivery
// from trying again: here there is something to store after each write.
func TestStoringDoesNotHoldUpTheDelivery(t *testing.T) {
	o, _ := testOptions(t)
	o.Traces[0].Batch.MaxExportBatchSize = 1
	var attempts atomic.Int64
	e := startStored(t, o, t.TempDir(), &fakeTransport{answer: func(_ context.Context, attempt, _ int) (*partialSuccess, error) {
		attempts.Store(int64(attempt))
		if attempt == 1 {
			return nil, fail(codes.Unavailable, "away")
		}
		return nil, nil
	}})
	defer shutdown(t, e)
	for n, end := 1, time.Now().Add(30*time.Second); attempts.Load() < 2; n++ {
		if time.Now().After(end) {
			t.Fatal("there was no second attempt")
		}
		e.export(item(n), nil)
	}
}

// What one exporter stored, of both signals and many resources, the next one
// delivers, with the same ids.
func TestStoreOutlivesTheExporter(t *testing.T) {
	o, out := bothOptions(t, "127.0.0.1:1")
	o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	const n = 5000 // five times what fits in memory
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e.export(item(i+1), resourceOf(fmt.Sprint("c", i)))
		if i%100 == 99 { // not more than the disk can follow
			waitStats(t, e, func(Stats) bool {
				spans, records := e.Stats()
				return spans.Waiting < 500 && records.Waiting < 500
			})
		}
	}
	if _, err := Open(o); !errors.As(err, new(*spool.InUseError)) {
		t.Errorf("a second one on the same directory: got %v, want an InUseError", err)
	}
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: n, Stored: n})
	wantLogStats(t, e, Stats{Accepted: n, Stored: n})
	if out.count("dropped") != 0 {
		t.Errorf("want nothing dropped:\n%s", out)
	}

	c := newCollector().listen(t, "")
	o.Traces[0].Exporter.OTLPGRPC.Target, o.Logs[0].Exporter.OTLPGRPC.Target = c.addr, c.addr
	if e, err = Open(o); err != nil {
		t.Fatal(err)
	}
	spans, records := c.wait(t, n), c.waitRecords(t, n)
	shutdown(t, e)
	wantStats(t, e, Stats{Restored: n, Delivered: n})
	wantLogStats(t, e, Stats{Restored: n, Delivered: n})
	wantFiles(t, o.Store.Directory, 0)
	for i, span := range spans { // all, in order
		if want := item(i + 1).id(); string(span.SpanId) != string(want) || len(records) != n {
			t.Fatalf("span %d has id %x, want %x", i, span.SpanId, want)
		}
	}
	got := c.request.ResourceSpans[0]
	if got.SchemaUrl != "schema" || containerOf(got.Resource)[0] != 'c' {
		t.Errorf("resource: got %v with schema %q", got.Resource, got.SchemaUrl)
	}
}

// waitStats waits until the spans' stats are as they should be.
func waitStats(t testing.TB, e *Outbox, is func(Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		s, _ := e.Stats()
		if is(s) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: %+v", s)
		}
	}
}

// The backlog and what is new take turns, each in order.
func TestStoreAndMemoryTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		o.Traces[0].Batch.MaxExportBatchSize = 1
		dir := t.TempDir()
		var up atomic.Bool
		first := startStored(t, o, dir, &fakeTransport{begin: time.Now(), answer: away(&up)})
		export(first, 10)
		time.Sleep(time.Second)
		first.Shutdown(t.Context())
		wantStats(t, first, Stats{Accepted: 10, Stored: 10})

		var sent []string
		begin := make(chan struct{})
		e := startStored(t, o, dir, recorder{took: func(b []Part) {
			<-begin
			sent = append(sent, spanIDs(t, b)...)
		}})
		synctest.Wait() // the first of the backlog is under way
		for i := range 10 {
			e.export(item(101+i), nil)
		}
		close(begin)
		time.Sleep(time.Minute)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 10, Restored: 10, Delivered: 20})
		var want []string
		for i := range 10 {
			for _, n := range []int{i + 1, 101 + i} {
				want = append(want, fmt.Sprintf("%x", item(n).id()))
			}
		}
		if !slices.Equal(sent, want) {
			t.Errorf("got %q, want them in turns: %q", sent, want)
		}
	})
}

// recorder is a link to a server that takes everything.
type recorder struct{ took func([]Part) }

func (r recorder) Close()                      {}
func (r recorder) Recover(ctx context.Context) { <-ctx.Done() }
func (r recorder) Upload(_ context.Context, parts []Part) Verdict {
	r.took(parts)
	time.Sleep(time.Millisecond)
	return Verdict{}
}

func decodeSpan(t *testing.T, wire []byte) *tracepb.Span {
	var scope tracepb.ScopeSpans
	if err := proto.Unmarshal(wire, &scope); err != nil || len(scope.Spans) != 1 {
		t.Fatalf("got %v, %v, want one span", &scope, err)
	}
	return scope.Spans[0]
}

func spanIDs(t *testing.T, parts []Part) (ids []string) {
	for _, p := range parts {
		begin := 0
		for _, end := range p.ends {
			ids = append(ids, fmt.Sprintf("%x", decodeSpan(t, p.Items[begin:end]).SpanId))
			begin = end
		}
	}
	return ids
}

// A server that takes its time does not have memory fill: what crowds it goes to
// disk while the attempt still runs, and before it has failed.
func TestSlowServerDoesNotFillMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		released := make(chan struct{})
		e := startStored(t, o, t.TempDir(), &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
			<-released
			return nil, nil
		}})
		for range 100 {
			export(e, 100)
			time.Sleep(100 * time.Millisecond)
		}
		s, _ := e.Stats()
		if s.Dropped.Total() != 0 || s.Waiting > 700 || s.Stored < 9300 {
			t.Errorf("got %+v, want all kept and at most half a queue and a batch in memory\n%s", s, out)
		}
		close(released)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 10000, Delivered: 10000})
	})
}

// While the disk is full, memory goes on as if there were no store, which is said
// once; when there is room again, the store is used again.
func TestStoreOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		disk := tinydisk.New(t, 4<<20)
		filler := tinydisk.Fill(t, disk)
		var up atomic.Bool
		e := startStored(t, o, disk, &fakeTransport{begin: time.Now(), answer: away(&up)})
		for range 30 {
			export(e, 100)
			time.Sleep(time.Second)
		}
		s, _ := e.Stats()
		wantStats(t, e, Stats{Accepted: 3000, Waiting: 1000, Dropped: Drops{QueueFull: 2000}})
		if out.count("store failed") != 1 || out.count("no space left on device") != 2 || out.count("free space on the file system") != 1 {
			t.Errorf("want it said once, with the hint, and once at the start:\n%s", out)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			export(e, 100)
			time.Sleep(time.Second)
		}
		lost := s.Dropped[QueueFull]
		if s, _ = e.Stats(); s.Stored < 2500 || out.count("store recovered") != 1 {
			t.Errorf("want it used again, and that said:\n%+v\n%s", s, out)
		}
		lost = s.Dropped[QueueFull] - lost
		if lost > 500 { // until it is tried again
			t.Errorf("lost %d more after there was room", lost)
		}
		up.Store(true)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 5000, Delivered: 3000 - lost, Dropped: Drops{QueueFull: 2000 + lost}})
	})
}
