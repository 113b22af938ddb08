package otelexport

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// bare is a resource without size.
var bare = &Resource{}

func testQueue() *queue {
	return newQueue(limits{delay: 5 * time.Second, batchItems: 3, batchSize: 100, items: 6, size: 1000})
}

// fill pushes n spans of size bytes.
func fill(q *queue, n, size int) (dropped int) {
	for range n {
		lost, _ := q.push(bytes.Repeat([]byte{'x'}, size), bare)
		dropped += lost
	}
	return dropped
}

func TestQueueBatches(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sizes []int // of the spans that come in
		want  []int // spans per batch
		after time.Duration
	}{
		{"by count", []int{1, 1, 1}, []int{3}, 0},
		{"by size", []int{60, 60, 40}, []int{1, 2}, 0},
		{"by time", []int{1, 1}, []int{2}, 5 * time.Second},
		{"a huge span alone", []int{10, 500, 10, 10, 10}, []int{1, 1, 3}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, begin := testQueue(), time.Now()
				for _, size := range tc.sizes {
					fill(q, 1, size)
				}
				for _, want := range tc.want {
					b := q.take(t.Context())
					if got := b.items; got != want {
						t.Errorf("batch: got %d spans, want %d", got, want)
					}
					q.settle(b, 0)
				}
				if got := time.Since(begin); got != tc.after {
					t.Errorf("took %v, want %v", got, tc.after)
				}
			})
		})
	}
}

func TestQueueDropsTheOldest(t *testing.T) {
	q := testQueue()
	for i := range 8 {
		q.push(fmt.Appendf(nil, "%d", i), bare)
	}
	q.close()
	var got []byte
	for b := q.take(t.Context()); b != nil; b = q.take(t.Context()) {
		got = append(got, b.parts[0].wire...)
		q.settle(b, 0)
	}
	if want := "34567"; string(got) != want {
		t.Errorf("got spans %s, want %s", got, want)
	}
	if got, want := q.stats(), (Stats{Accepted: 8, Delivered: 5, Dropped: Dropped{QueueFull: 3}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestQueueBoundsBytes(t *testing.T) {
	q := testQueue()
	if got, want := fill(q, 5, 300), 2; got != want {
		t.Errorf("5 × 300 bytes into 1000: dropped %d, want %d", got, want)
	}
	if lost, why := q.push(make([]byte, 1001), bare); lost != 1 || why != tooLarge {
		t.Errorf("a span larger than the queue: dropped %d for %v, want 1 for %v", lost, why, tooLarge)
	}
}

// A batch that comes back is the oldest, so it is the one to go.
func TestQueuePutBack(t *testing.T) {
	q := testQueue()
	fill(q, 3, 1)
	b := q.take(t.Context())
	fill(q, 3, 1)
	if got := q.putBack([]*batch{b}, b); got != 0 {
		t.Errorf("with room: dropped %d", got)
	}
	b = q.take(t.Context())
	fill(q, 3, 1)
	if got := q.putBack([]*batch{b}, b); got != 3 {
		t.Errorf("without room: dropped %d, want 3", got)
	}
	if got, want := q.stats(), (Stats{Accepted: 9, Waiting: 6, Dropped: Dropped{QueueFull: 3}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestQueueTakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := testQueue()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if b := q.take(ctx); b != nil {
			t.Errorf("after ctx: got %d spans, want none", b.items)
		}
		go func() {
			time.Sleep(time.Second)
			q.close()
		}()
		if b := q.take(t.Context()); b != nil {
			t.Errorf("after close: got %d spans, want none", b.items)
		}
		if lost, why := q.push([]byte("x"), bare); lost != 1 || why != atShutdown {
			t.Errorf("push after close: dropped %d for %v, want 1 for %v", lost, why, atShutdown)
		}
	})
}
