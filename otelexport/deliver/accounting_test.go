package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/test/tinydisk"
)

// Whatever the servers answer, every span and record is accounted for, once.
func TestNothingIsLostSilently(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			o, out := testOptions(t)
			if seed%3 > 0 { // with a store that is too small, and maybe its disk too
				dir := t.TempDir()
				if seed%3 > 1 {
					dir = tinydisk.New(t, 400_000)
				}
				o.Store = config.Delivery{Directory: dir, MaxSize: 500_000, MaxAge: 8 * time.Second}
			}
			random := rand.New(rand.NewPCG(seed, 0)) // what comes in
			logs := *o.Traces[0]
			o.Logs = []*Destination{&logs}
			o.Traces[0].Transport, o.Logs[0].Transport = moody(seed, 1), moody(seed, 2)
			e, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			handles := [][]byte{nil}
			for i := range 10 {
				handles = append(handles, resourceOf(fmt.Sprint(i)))
			}
			n := uint64(0)
			for range 20 {
				for range random.IntN(300) {
					n++
					e.export(item(int(n)), handles[random.IntN(len(handles))])
				}
				time.Sleep(time.Second)
				wantAll(t, e, seed, n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			e.Shutdown(ctx)
			wantAll(t, e, seed, n)
			spans, records := e.Stats()
			if spans.Waiting+records.Waiting != 0 {
				t.Fatalf("seed %d: after the shutdown: %+v, %+v\n%s", seed, spans, records, out)
			}
			if o.Store.Directory == "" && spans.Stored+records.Stored != 0 {
				t.Fatalf("seed %d: stored without a store: %+v, %+v", seed, spans, records)
			}
		})
	}
}

// moody is a server that takes its time and answers anything.
func moody(seed, stream uint64) *fakeTransport {
	random := rand.New(rand.NewPCG(seed, stream))
	return &fakeTransport{begin: time.Now(), answer: func(context.Context, int, int) (*partialSuccess, error) {
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		switch random.IntN(30) {
		case 0, 1, 2, 3, 4:
			return nil, fail(codes.Unavailable, "away")
		case 5, 6, 7, 8, 9:
			return nil, fail(codes.ResourceExhausted, "larger than max")
		case 10, 11, 12, 13, 14:
			return nil, fail(codes.InvalidArgument, "no")
		case 15, 16, 17, 18, 19:
			return &partialSuccess{RejectedSpans: random.Int64N(200) - 50, ErrorMessage: "some"}, nil
		case 20:
			return nil, fail(codes.Unimplemented, "unknown service")
		}
		return nil, nil
	}}
}

// wantAll holds that n spans and n records came in and are accounted for.
func wantAll(t *testing.T, e *Outbox, seed, n uint64) {
	t.Helper()
	pending := pendingItems(t, e)
	spans, records := e.Stats()
	for i, s := range []Stats{spans, records} {
		// What an agent that takes over would not have is delivered or dropped.
		safe := s.Delivered + pending[i] + s.Stored + onTheWayFromDisk(e, i) + s.Dropped.Total()
		if safe < n {
			t.Fatalf("seed %d: %d came in, %d would be lost with this agent: %d pending, stats %+v", seed, n, n-safe, pending[i], s)
		}
		if sum := s.Delivered + s.Waiting + s.Stored + s.Dropped.Total(); s.Accepted != n || sum != n+s.Restored || int64(s.Stored) < 0 {
			t.Fatalf("seed %d: %d came in, stats %+v", seed, n, s)
		}
	}
}

// onTheWayFromDisk returns how many items are under way that are on the disk until
// they have arrived.
func onTheWayFromDisk(e *Outbox, i int) uint64 {
	b := e.intakes()[i].lines[0]
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.book.Waiting - uint64(b.queued.Load())
	for _, t := range b.taken {
		n -= uint64(t.items)
	}
	return n
}

// pendingItems returns how many spans and records Pending yields.
func pendingItems(t *testing.T, e *Outbox) (n [2]uint64) {
	t.Helper()
	for piece := range e.Pending() {
		if piece[0] == namesPiece {
			continue
		}
		_, items, err := parseBatch(piece[2:])
		if err != nil {
			t.Fatal(err)
		}
		n[piece[0]] += items
	}
	return n
}
