package deliver

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
)

// A server's limit holds for what is stored, too: it is split in its place.
func TestStoredBatchIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		var up atomic.Bool
		down := away(&up)
		link := &fakeTransport{begin: time.Now(), answer: func(ctx context.Context, n, size int) (*partialSuccess, error) {
			if up.Load() && size > 20_000 {
				return nil, fail(codes.ResourceExhausted, "grpc: received message larger than max")
			}
			return down(ctx, n, size)
		}}
		e := startStored(t, o, t.TempDir(), link)
		export(e, 300)
		e.export(huge(1, 30_000), nil)
		time.Sleep(time.Minute)
		wantStats(t, e, Stats{Accepted: 301, Stored: 301})
		up.Store(true)
		time.Sleep(time.Minute)
		wantStats(t, e, Stats{Accepted: 301, Delivered: 300, Dropped: Drops{TooLarge: 1}})
		e.Shutdown(t.Context())
	})
}

// An endpoint that does not take log records for a while, as during an upgrade, has
// them all the same later: what is on disk stays there, and it is asked again.
func TestUnsupportedRecordsStayOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		begin := time.Now()
		var attempts atomic.Int64
		link := &fakeTransport{begin: begin, answer: func(context.Context, int, int) (*partialSuccess, error) {
			attempts.Add(1)
			switch since := time.Since(begin); {
			case since < time.Minute:
				return nil, fail(codes.Unavailable, "connection refused")
			case since < time.Hour:
				return nil, fail(codes.Unimplemented, "unknown service")
			}
			return nil, nil
		}}
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: 24 * time.Hour}
		e := startLogs(t, o, link)
		export(e, 500)
		time.Sleep(time.Second)
		wantLogStats(t, e, Stats{Accepted: 500, Stored: 500})
		time.Sleep(2 * time.Minute)
		export(e, 100) // nobody wants them now
		time.Sleep(time.Second)
		wantLogStats(t, e, Stats{Accepted: 600, Stored: 500, Dropped: Drops{Unsupported: 100}})
		before := attempts.Load()
		time.Sleep(30 * time.Minute)
		if got := attempts.Load() - before; got < 2 || got > 4 {
			t.Errorf("got %d attempts in 30 minutes, want one each %v", got, muteFor)
		}
		time.Sleep(time.Hour)
		export(e, 50)
		e.Shutdown(t.Context())
		wantLogStats(t, e, Stats{Accepted: 650, Delivered: 550, Dropped: Drops{Unsupported: 100}})
		if out.count("endpoint does not accept log records") != 1 || out.count("export recovered") != 1 {
			t.Errorf("want both logged once:\n%s", out)
		}
	})
}

// Limits of the store are losses with a reason of their own.
func TestStoreLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out := testOptions(t)
		var up atomic.Bool
		o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 200_000, MaxAge: 2 * time.Minute}
		e := start(t, o, &fakeTransport{begin: time.Now(), answer: away(&up)})
		export(e, 1000)
		time.Sleep(time.Minute)
		s, _ := e.Stats()
		if s.Dropped[StoreFull] == 0 || s.Stored == 0 || s.Stored+s.Dropped[StoreFull] != 1000 {
			t.Errorf("got %+v, want a part dropped", s)
		}
		time.Sleep(2 * time.Minute)
		wantStats(t, e, Stats{Accepted: 1000, Dropped: Drops{StoreFull: s.Dropped[StoreFull], StoreExpired: s.Stored}})
		if out.count("reason=store_full") == 0 || out.count("reason=store_expired") == 0 || out.count("raise delivery.max_age") == 0 {
			t.Errorf("want both reasons with their hints:\n%s", out)
		}
		e.Shutdown(t.Context())
	})
}

// What waits of a signal without an exporter is kept, and that is said.
func TestStoreOfASignalThatIsNotSent(t *testing.T) {
	o, out := bothOptions(t, "127.0.0.1:1")
	o.Store = config.Delivery{Directory: t.TempDir(), MaxSize: 1 << 30, MaxAge: time.Hour}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	export(e, 10)
	e.Shutdown(canceled(t))
	c := newCollector().listen(t, "")
	logs := o.Logs
	o.Traces[0].Exporter.OTLPGRPC.Target, o.Logs = c.addr, nil
	if e, err = Open(o); err != nil {
		t.Fatal(err)
	}
	c.wait(t, 10)
	shutdown(t, e)
	if out.count("no exporter for them") != 1 || out.count("log_records=10") == 0 {
		t.Errorf("want it said:\n%s", out)
	}
	logs[0].Exporter.OTLPGRPC.Target = c.addr
	o.Logs = logs
	if e, err = Open(o); err != nil {
		t.Fatal(err)
	}
	c.waitRecords(t, 10)
	shutdown(t, e)
	wantStats(t, e, Stats{})
	wantLogStats(t, e, Stats{Restored: 10, Delivered: 10})
}
