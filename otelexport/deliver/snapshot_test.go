package deliver

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
)

// pendingPieces returns what Pending yields.
func pendingPieces(b *Outbox) (pieces [][]byte) {
	for piece := range b.Pending() {
		pieces = append(pieces, bytes.Clone(piece))
	}
	return pieces
}

// unreachable is a collector that is away.
func unreachable() *fakeTransport {
	return &fakeTransport{answer: func(context.Context, int, int) (*partialSuccess, error) {
		return nil, fail(codes.Unavailable, "away")
	}}
}

// reachable is one that keeps what it is sent.
func reachable() *keepTransport {
	return &keepTransport{fakeTransport: &fakeTransport{answer: func(context.Context, int, int) (*partialSuccess, error) { return nil, nil }}}
}

// What waits when an agent is killed, the next one delivers: unchanged, each item
// with its resource.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		first := start(t, o, unreachable())
		export(first, 250) // two batches and a half
		container := resourceOf("c1")
		for n := range 7 {
			first.export(item(1000+n), container)
		}
		synctest.Wait() // an attempt was made, and pauses
		pieces := pendingPieces(first)
		want := requestBytes(first.Spans)
		if first.Pushed() != (Positions{257}) || first.Settled() != (Positions{}) {
			t.Errorf("got positions %v and %v, want 257 pushed, none settled", first.Pushed(), first.Settled())
		}

		there := reachable()
		second := start(t, o, there)
		for _, piece := range pieces {
			if lost := second.RestorePending(piece, Positions{}); lost != 0 {
				t.Errorf("%d items are lost", lost)
			}
		}
		second.Shutdown(t.Context())
		wantStats(t, second, Stats{Restored: 257, Delivered: 257})
		if !bytes.Equal(there.sent, want) {
			t.Errorf("what was sent, %d bytes, is not what waited, %d bytes", len(there.sent), len(want))
		}
		first.Shutdown(canceled(t))
	})
}

// A damaged piece costs its own items, and says how many.
func TestDamagedPending(t *testing.T) {
	o, _ := testOptions(t)
	first := start(t, o, unreachable())
	export(first, 10)
	pieces := pendingPieces(first)
	first.Shutdown(canceled(t))
	second := start(t, o, unreachable())
	defer second.Shutdown(canceled(t))
	if len(pieces) != 2 {
		t.Fatalf("got %d pieces, want the exporters' names and one batch", len(pieces))
	}
	for n := range pieces[1] {
		if lost := second.RestorePending(pieces[1][:n], Positions{}); lost != 1 && lost != 10 {
			t.Fatalf("%d of %d bytes: %d items are lost, want all 10 or an unknown number", n, len(pieces[1]), lost)
		}
	}
	if lost := second.RestorePending([]byte{7}, Positions{}); lost != 1 {
		t.Errorf("a piece of an unknown signal: %d are lost", lost)
	}
	wantStats(t, second, Stats{})
}

// The next agent pushes again what came after the snapshot. What had left memory is
// neither sent nor counted again.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := testOptions(t)
		o.Traces[0].Batch.MaxExportBatchSize = 10
		there := reachable()
		first := start(t, o, there)
		for n := range 20 {
			first.export(item(n), nil)
		}
		pieces, pushed := pendingPieces(first), first.Pushed()
		for n := 20; n < 35; n++ {
			first.export(item(n), nil)
		}
		synctest.Wait() // three batches are delivered
		settled := first.Settled()
		if pushed != (Positions{20}) || settled != (Positions{30}) || first.Pushed() != (Positions{35}) {
			t.Fatalf("got %v in the snapshot, %v settled, %v pushed", pushed, settled, first.Pushed())
		}
		sent := slices.Clone(there.sent)
		first.Shutdown(canceled(t)) // as if it were killed

		there = reachable()
		second := start(t, o, there)
		second.BeginReplay(pushed, settled)
		for _, piece := range pieces {
			second.RestorePending(piece, settled)
		}
		for n := 20; n < 35; n++ {
			second.export(item(n), nil)
		}
		second.EndReplay()
		second.export(item(35), nil)
		if got := second.Pushed(); got != (Positions{36}) {
			t.Errorf("got %v pushed, want 36", got)
		}
		second.Shutdown(t.Context())
		wantStats(t, second, Stats{Accepted: 1, Restored: 5, Delivered: 6})
		for n := range 36 {
			id := item(n).id()
			before, after := bytes.Count(sent, id), bytes.Count(there.sent, id)
			if before+after != 1 {
				t.Errorf("item %d was sent %d times before and %d times after", n, before, after)
			}
		}
	})
}

// Batches in memory, and none else, keep items from settling.
func TestSettled(t *testing.T) {
	b := testBacklog(t) // batches of 3, 6 in all
	fill(b, 8, 1)       // the first batch is dropped
	want := func(what string, position uint64) {
		t.Helper()
		if got := b.settled(); got != position {
			t.Errorf("%s: got %d, want %d", what, got, position)
		}
	}
	want("the oldest were dropped", 3)
	next := b.next(t.Context())
	want("being sent", 3)
	b.done(next, Verdict{Outcome: Split})
	want("split", 3)
	b.done(b.next(t.Context()), Verdict{})
	want("a half delivered", 3)
	b.done(b.next(t.Context()), Verdict{})
	want("both halves delivered", 6)
	b.finish()
	b.done(b.next(t.Context()), Verdict{Outcome: Final})
	want("all settled", 8)
	b.in.Push(nil, errors.New("not valid"), bare)
	want("refused at once", 9)
}

// requestBytes returns the parts of what waits, in order.
func requestBytes(in *Intake) (b []byte) {
	all, _ := in.hold()
	defer in.unhold(all)
	for _, waiting := range all {
		b = appendParts(b, waiting.parts)
	}
	return b
}

func appendParts(b []byte, parts []Part) []byte {
	for _, p := range parts {
		b = append(append(b, p.Resource...), p.Items...)
	}
	return b
}

// keepTransport keeps what is sent.
type keepTransport struct {
	*fakeTransport
	sent []byte
}

func (l *keepTransport) Upload(ctx context.Context, parts []Part) Verdict {
	l.sent = appendParts(l.sent, parts)
	return l.fakeTransport.Upload(ctx, parts)
}
