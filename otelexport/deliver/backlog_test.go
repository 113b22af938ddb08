package deliver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/procspan/procspan/config"
)

// bare is a resource without bytes. Its size is partOverhead.
var bare []byte

// newTestBacklog returns a backlog in memory, the only one of its intake.
func newTestBacklog(t *testing.T, l limits) *backlog {
	to := &link{scrub: newScrubber(nil), to: &Destination{Exporter: config.Exporter{OTLPGRPC: &config.OTLPGRPC{}}}}
	drops := &dropLog{signal: Spans, log: slog.New(slog.DiscardHandler), link: to}
	t.Cleanup(drops.close)
	in := &Intake{signal: Spans}
	b := newBacklog(in, l, drops)
	in.setLines([]*backlog{b})
	return b
}

// push pushes an item.
func (in *Intake) push(item, resource []byte) { in.Push(item, nil, resource) }

// finish closes the intake and its only backlog.
func (b *backlog) finish() {
	b.in.close()
	b.close()
}

func testBacklog(t *testing.T) *backlog {
	return newTestBacklog(t, limits{delay: 5 * time.Second, batchItems: 3, batchSize: 100 + partOverhead, items: 6, size: 1700})
}

// fill pushes n items of size bytes.
func fill(b *backlog, n, size int) {
	for range n {
		b.in.push(bytes.Repeat([]byte{'x'}, size), bare)
	}
}

func wantBook(t *testing.T, b *backlog, want Stats) {
	t.Helper()
	got, _ := b.stats()
	wantSame(t, got, want)
}

func TestBatches(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sizes []int // of the items that come in
		want  []int // items per batch
		after time.Duration
	}{
		{"by count", []int{1, 1, 1}, []int{3}, 0},
		{"by size", []int{60, 60, 40}, []int{1, 2}, 0},
		{"by time", []int{1, 1}, []int{2}, 5 * time.Second},
		{"a huge item alone", []int{10, 500, 10, 10, 10}, []int{1, 1, 3}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, begin := testBacklog(t), time.Now()
				for _, size := range tc.sizes {
					fill(b, 1, size)
				}
				for _, want := range tc.want {
					next := b.next(t.Context())
					if next.items != want {
						t.Errorf("batch: got %d items, want %d", next.items, want)
					}
					b.done(next, Verdict{})
				}
				if got := time.Since(begin); got != tc.after {
					t.Errorf("took %v, want %v", got, tc.after)
				}
			})
		})
	}
}

func TestFullBacklogDropsTheOldest(t *testing.T) {
	b := testBacklog(t)
	for i := range 8 {
		b.in.push(fmt.Appendf(nil, "%d", i), bare)
	}
	b.finish()
	var got []byte
	for next := b.next(t.Context()); next != nil; next = b.next(t.Context()) {
		got = append(got, next.parts[0].Items...)
		b.done(next, Verdict{})
	}
	if want := "34567"; string(got) != want {
		t.Errorf("got items %s, want %s", got, want)
	}
	wantBook(t, b, Stats{Accepted: 8, Delivered: 5, Dropped: Drops{QueueFull: 3}})
}

func TestBacklogBoundsBytes(t *testing.T) {
	b := testBacklog(t)
	fill(b, 5, 300) // and their resources, into 1700
	wantBook(t, b, Stats{Accepted: 5, Waiting: 3, Dropped: Drops{QueueFull: 2}})
	b.in.push(make([]byte, 1701), bare)
	wantBook(t, b, Stats{Accepted: 6, Waiting: 3, Dropped: Drops{QueueFull: 2, TooLarge: 1}})
}

// A batch that comes back is the oldest, so it is the one to go.
func TestReturnedBatchIsTheOldest(t *testing.T) {
	b := testBacklog(t)
	fill(b, 3, 1)
	next := b.next(t.Context())
	fill(b, 3, 1)
	b.done(next, Verdict{Outcome: Retry})
	wantBook(t, b, Stats{Accepted: 6, Waiting: 6})
	next = b.next(t.Context())
	fill(b, 3, 1)
	b.done(next, Verdict{Outcome: Retry})
	wantBook(t, b, Stats{Accepted: 9, Waiting: 6, Dropped: Drops{QueueFull: 3}})
}

func TestNextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBacklog(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if next := b.next(ctx); next != nil {
			t.Errorf("after ctx: got %d items, want none", next.items)
		}
		go func() {
			time.Sleep(time.Second)
			b.finish()
		}()
		if next := b.next(t.Context()); next != nil {
			t.Errorf("after close: got %d items, want none", next.items)
		}
		b.in.push([]byte("x"), bare)
		wantBook(t, b, Stats{Accepted: 1, Dropped: Drops{Shutdown: 1}})
	})
}

// A limit of the collector lowers the batches for a while only.
func TestLoweredBatchesRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTestBacklog(t, limits{batchItems: 1000, batchSize: maxBatchBytes, items: 1000, size: maxQueueBytes})
		fill(b, 2, 50_000)
		b.done(b.next(t.Context()), Verdict{Outcome: Split})
		fill(b, 4, 20_000)
		if len(b.ready) < 3 { // the two halves, and more than one of the new
			t.Errorf("got %d batches ready, want several: the limit is 50 kB", len(b.ready))
		}
		for b.depth().Queued > 0 {
			b.done(b.next(t.Context()), Verdict{})
		}
		time.Sleep(lowerFor)
		fill(b, 20, 20_000)
		if next := b.next(t.Context()); next.items != 20 {
			t.Errorf("after %v: got a batch of %d, want all 20", lowerFor, next.items)
		}
	})
}
