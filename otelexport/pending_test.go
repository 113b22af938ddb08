package otelexport

import (
	"context"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc/codes"
)

// What waits when an agent is killed, the next one delivers: as it was, each to
// its resource.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		away := &fakeLink{answer: func(context.Context, int, int) (*partialSuccess, error) {
			return nil, fail(codes.Unavailable, "away")
		}}
		first := start(o, away)
		export(first, 250) // two batches and a half
		container := first.Resource([]attribute.KeyValue{attribute.String("container.id", "c1")}, "/c1")
		for n := range 7 {
			first.Export(lifetime(1000+n), container)
		}
		synctest.Wait() // an attempt has been made, and pauses
		pending := first.AppendPending(nil)
		want := requestBytes(first.traces.queue)

		there := &fakeLink{answer: func(context.Context, int, int) (*partialSuccess, error) { return nil, nil }}
		second := start(o, &keepLink{fakeLink: there})
		if err := second.RestorePending(pending); err != nil {
			t.Fatal(err)
		}
		second.Shutdown(t.Context())
		wantStats(t, second, Stats{Restored: 257, Delivered: 257})
		if got := second.traces.delivery.link.(*keepLink).sent; string(got) != string(want) {
			t.Errorf("what was sent, %d bytes, is not what waited, %d bytes", len(got), len(want))
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		first.Shutdown(ctx)
		for n := range pending {
			if err := second.RestorePending(pending[:n]); err == nil {
				t.Fatalf("%d of %d bytes are taken for all", n, len(pending))
			}
		}
		if err := second.RestorePending(append(pending, 0)); err == nil {
			t.Error("a byte too many is taken")
		}
	})
}

// requestBytes returns the parts of what waits, in order.
func requestBytes(q *queue) (b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, waiting := range append(append([]*batch(nil), q.ready...), q.open) {
		if waiting != nil {
			b = appendParts(b, waiting.parts)
		}
	}
	return b
}

func appendParts(b []byte, parts []part) []byte {
	for _, p := range parts {
		b = append(append(b, p.resource.wire...), p.wire...)
	}
	return b
}

// keepLink keeps what is sent.
type keepLink struct {
	*fakeLink
	sent []byte
}

func (l *keepLink) upload(ctx context.Context, parts []part) (*partialSuccess, error) {
	l.sent = appendParts(l.sent, parts)
	return l.fakeLink.upload(ctx, parts)
}
