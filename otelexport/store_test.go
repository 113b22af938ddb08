package otelexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/internal/tinydisk"
	"github.com/procspan/procspan/otelexport/spool"
)

// openTestStore returns a store that is smaller than can be configured.
func openTestStore(t testing.TB, dir string, size int64, age time.Duration, log *slog.Logger) *spool.Store {
	t.Helper()
	store, err := spool.Open(spool.Options{Directory: dir, MaxSize: size, MaxAge: age, Version: storedVersion, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// startStored returns an exporter of spans with a store, at work on a link.
func startStored(t testing.TB, o Options, dir string, over link) *Exporter {
	t.Helper()
	store := openTestStore(t, dir, 1<<30, time.Hour, o.Log)
	return assemble(o, store, newPipeline(signalSpans, o.Traces, over, store, o.Log), nil)
}

// wantFiles holds how many files a directory has.
func wantFiles(t testing.TB, dir string, want int) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != want {
		t.Errorf("got %v (%v) in the store's directory, want %d", entries, err, want)
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
	o.Delivery = config.Delivery{Directory: filepath.Join(t.TempDir(), "store"), MaxSize: 1 << 30, MaxAge: time.Hour}
	e := newExporter(t, o, c.addr)
	export(e, 500)
	c.wait(t, 500)
	c.waitRecords(t, 500)
	wantFiles(t, o.Delivery.Directory, 0)
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: 500, Delivered: 500})
	wantFiles(t, o.Delivery.Directory, 0)
	if got := out.String(); got != "" {
		t.Errorf("got log %s, want none", got)
	}
}

// A disk that takes no more than what comes meanwhile does not keep the delivery
// from trying again: here there is something to store after each write.
func TestStoringDoesNotHoldUpTheDelivery(t *testing.T) {
	o, _ := testOptions(t)
	o.Traces.Batch.MaxExportBatchSize = 1
	var attempts atomic.Int64
	e := startStored(t, o, t.TempDir(), &fakeLink{answer: func(_ context.Context, attempt, _ int) (*partialSuccess, error) {
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
		e.Export(lifetime(n), nil)
	}
}

// What one exporter stored, of both signals and many resources, the next one
// delivers, with the same ids.
func TestStoreOutlivesTheExporter(t *testing.T) {
	o, out := bothOptions(t, "127.0.0.1:1")
	o.Delivery = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	const n = 5000 // five times what fits in memory
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e.Export(lifetime(i+1), e.Resource(nil, fmt.Sprint("/c", i%10)))
		if i%100 == 99 { // not more than the disk can follow
			waitStats(t, e, func(Stats) bool {
				spans, records := e.Stats()
				return spans.Waiting < 500 && records.Waiting < 500
			})
		}
	}
	if _, err := New(o); !errors.As(err, new(*spool.InUseError)) {
		t.Errorf("a second one on the same directory: got %v, want an InUseError", err)
	}
	shutdown(t, e)
	wantStats(t, e, Stats{Accepted: n, Stored: n})
	wantLogStats(t, e, Stats{Accepted: n, Stored: n})
	if out.count("dropped") != 0 {
		t.Errorf("want nothing dropped:\n%s", out)
	}

	c := newCollector().listen(t, "")
	o.Traces.Exporter.Target, o.Logs.Exporter.Target = c.addr, c.addr
	if e, err = New(o); err != nil {
		t.Fatal(err)
	}
	spans, records := c.wait(t, n), c.waitRecords(t, n)
	shutdown(t, e)
	wantStats(t, e, Stats{Restored: n, Delivered: n})
	wantLogStats(t, e, Stats{Restored: n, Delivered: n})
	wantFiles(t, o.Delivery.Directory, 0)
	for i, span := range spans { // all, in order
		if want := lifetime(i + 1).Context.Span; string(span.SpanId) != string(want[:]) || len(records) != n {
			t.Fatalf("span %d has id %x, want %x", i, span.SpanId, want)
		}
	}
	got := c.request.ResourceSpans[0]
	if got.SchemaUrl != o.Resource.SchemaURL() || len(got.Resource.Attributes) != o.Resource.Len() {
		t.Errorf("resource: got %v with schema %q", got.Resource, got.SchemaUrl)
	}
}

// waitStats waits until the spans' stats are as they should be.
func waitStats(t testing.TB, e *Exporter, is func(Stats) bool) {
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
		o.Traces.Batch.MaxExportBatchSize = 1
		dir := t.TempDir()
		var up atomic.Bool
		first := startStored(t, o, dir, &fakeLink{begin: time.Now(), answer: away(&up)})
		export(first, 10)
		time.Sleep(time.Second)
		first.Shutdown(t.Context())
		wantStats(t, first, Stats{Accepted: 10, Stored: 10})

		var sent []string
		begin := make(chan struct{})
		e := startStored(t, o, dir, recorder{took: func(b []part) {
			<-begin
			sent = append(sent, spanIDs(t, b)...)
		}})
		synctest.Wait() // the first of the backlog is under way
		for i := range 10 {
			e.Export(lifetime(101+i), nil)
		}
		close(begin)
		time.Sleep(time.Minute)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 10, Restored: 10, Delivered: 20})
		var want []string
		for i := range 10 {
			for _, n := range []int{i + 1, 101 + i} {
				want = append(want, fmt.Sprintf("%x", lifetime(n).Context.Span))
			}
		}
		if !slices.Equal(sent, want) {
			t.Errorf("got %q, want them in turns: %q", sent, want)
		}
	})
}

// recorder is a link to a server that takes everything.
type recorder struct{ took func([]part) }

func (r recorder) mend(ctx context.Context) { <-ctx.Done() }
func (r recorder) upload(_ context.Context, parts []part) (*partialSuccess, error) {
	r.took(parts)
	time.Sleep(time.Millisecond)
	return nil, nil
}

func spanIDs(t *testing.T, parts []part) (ids []string) {
	for _, p := range parts {
		begin := 0
		for _, end := range p.ends {
			ids = append(ids, fmt.Sprintf("%x", decodeSpan(t, p.wire[begin:end]).SpanId))
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
		e := startStored(t, o, t.TempDir(), &fakeLink{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
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
		e := startStored(t, o, disk, &fakeLink{begin: time.Now(), answer: away(&up)})
		for range 30 {
			export(e, 100)
			time.Sleep(time.Second)
		}
		s, _ := e.Stats()
		wantStats(t, e, Stats{Accepted: 3000, Waiting: 1000, Dropped: Dropped{QueueFull: 2000}})
		if out.count("the store fails") != 1 || out.count("no space left on device") != 1 || out.count("make room on the file system") != 1 {
			t.Errorf("want it said once, with the cure:\n%s", out)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			export(e, 100)
			time.Sleep(time.Second)
		}
		lost := s.Dropped.QueueFull
		if s, _ = e.Stats(); s.Stored < 2500 || out.count("the store works again") != 1 {
			t.Errorf("want it used again, and that said:\n%+v\n%s", s, out)
		}
		lost = s.Dropped.QueueFull - lost
		if lost > 500 { // until it is tried again
			t.Errorf("lost %d more after there was room", lost)
		}
		up.Store(true)
		e.Shutdown(t.Context())
		wantStats(t, e, Stats{Accepted: 5000, Delivered: 3000 - lost, Dropped: Dropped{QueueFull: 2000 + lost}})
	})
}

// A server's limit holds for what is stored, too: it is split in its place.
func TestStoredBatchIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		var up atomic.Bool
		down := away(&up)
		link := &fakeLink{begin: time.Now(), answer: func(ctx context.Context, n, size int) (*partialSuccess, error) {
			if up.Load() && size > 20_000 {
				return nil, fail(codes.ResourceExhausted, "grpc: received message larger than max")
			}
			return down(ctx, n, size)
		}}
		e := startStored(t, o, t.TempDir(), link)
		export(e, 300)
		huge := lifetime(1)
		huge.Image.Args = strings.Repeat("x", 30_000) + "\x00"
		e.Export(huge, nil)
		time.Sleep(time.Minute)
		wantStats(t, e, Stats{Accepted: 301, Stored: 301})
		up.Store(true)
		time.Sleep(time.Minute)
		wantStats(t, e, Stats{Accepted: 301, Delivered: 300, Dropped: Dropped{TooLarge: 1}})
		e.Shutdown(t.Context())
	})
}

// Log records that turn out not to be wanted are not kept for ever.
func TestUnwantedRecordsLeaveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		dir := t.TempDir()
		link := &fakeLink{begin: time.Now(), answer: func(_ context.Context, n, _ int) (*partialSuccess, error) {
			if n < 10 {
				return nil, fail(codes.Unavailable, "connection refused")
			}
			return nil, fail(codes.Unimplemented, "unknown service")
		}}
		store := openTestStore(t, dir, 1<<30, time.Hour, o.Log)
		e := assemble(o, store, nil, newPipeline(signalLogRecords, o.Traces, link, store, o.Log))
		export(e, 500)
		time.Sleep(time.Second)
		wantLogStats(t, e, Stats{Accepted: 500, Stored: 500})
		time.Sleep(time.Hour / 2)
		wantLogStats(t, e, Stats{Accepted: 500, Dropped: Dropped{Unsupported: 500}})
		e.Shutdown(t.Context())
		wantFiles(t, dir, 0)
	})
}

// Limits of the store are losses with a reason of their own.
func TestStoreLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		var up atomic.Bool
		store := openTestStore(t, t.TempDir(), 200_000, 2*time.Minute, o.Log)
		e := assemble(o, store, newPipeline(signalSpans, o.Traces, &fakeLink{begin: time.Now(), answer: away(&up)}, store, o.Log), nil)
		export(e, 1000)
		time.Sleep(time.Minute)
		s, _ := e.Stats()
		if s.Dropped.StoreFull == 0 || s.Stored == 0 || s.Stored+s.Dropped.StoreFull != 1000 {
			t.Errorf("got %+v, want a part dropped", s)
		}
		time.Sleep(2 * time.Minute)
		wantStats(t, e, Stats{Accepted: 1000, Dropped: Dropped{StoreFull: s.Dropped.StoreFull, StoreExpired: s.Stored}})
		if out.count("reason=store_full") == 0 || out.count("reason=store_expired") == 0 || out.count("raise delivery.max_age") == 0 {
			t.Errorf("want both reasons with their cures:\n%s", out)
		}
		e.Shutdown(t.Context())
	})
}

// What waits of a signal without an exporter is kept, and that is said.
func TestStoreOfASignalThatIsNotSent(t *testing.T) {
	o, out := bothOptions(t, "127.0.0.1:1")
	o.Delivery = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	e.Shutdown(canceled(t))
	c := newCollector().listen(t, "")
	logs := o.Logs
	o.Traces.Exporter.Target, o.Logs = c.addr, nil
	if e, err = New(o); err != nil {
		t.Fatal(err)
	}
	c.wait(t, 10)
	shutdown(t, e)
	if out.count("there is no exporter for them") != 1 || out.count("log_records=10") == 0 {
		t.Errorf("want it said:\n%s", out)
	}
	logs.Exporter.Target = c.addr
	o.Logs = logs
	if e, err = New(o); err != nil {
		t.Fatal(err)
	}
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{})
	wantLogStats(t, e, Stats{Restored: 10, Delivered: 10})
}

// FuzzDecodeBatch: nothing that can be stored panics, and what was stored comes
// back the same.
func FuzzDecodeBatch(f *testing.F) {
	b := &batch{}
	b.reset()
	for i := range 10 {
		b.add([]byte(strings.Repeat("x", i)), []*Resource{{wire: []byte("r0")}, {wire: nil}}[i%2])
	}
	f.Add(b.items, encodeBatch(b).Data)
	f.Add(0, []byte{})
	f.Add(1, []byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, items int, data []byte) {
		first, err := decodeBatch(spool.Record{Items: items, Data: data})
		if err != nil {
			return
		}
		again, err := decodeBatch(encodeBatch(first))
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("got %+v (%v), want %+v", again, err, first)
		}
	})
}
