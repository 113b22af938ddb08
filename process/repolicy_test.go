package process

import (
	"math/rand/v2"
	"testing"
)

// However often the policy changes, each span is sent once, none has a missing
// parent, and what a log record referred to is sent.
func TestSetPolicy(t *testing.T) {
	changes, promises, children := 0, 0, 0
	for seed := range uint64(120) {
		h := newHistory(randomBytes(16|32, seed))
		random := rand.New(rand.NewPCG(seed, 99))
		for _, p := range h.k.byAge()[1:] {
			h.ring = append(h.ring, h.k.exit(p, 0))
		}
		table := NewTable(h.limits, h.policy, testIDs)
		table.Adopt(h.living)
		sent, referred := map[SpanID]*Lifetime{}, map[SpanID]ID{}
		take := func(ended []*Lifetime) {
			for _, l := range ended {
				if sent[l.Context.Span] != nil {
					t.Fatalf("seed %d: %v is sent twice", seed, l.ID)
				}
				sent[l.Context.Span] = l
			}
		}
		for i := range h.ring {
			ev := &h.ring[i]
			take(table.Apply(ev))
			if ev.Kind == Exec && ev.ID != h.k.init().id {
				delete(referred, testIDs.SpanID(ev.ID)) // it may join a trace that is not sampled
				if at, _, ok := table.ContextOf(ev.ID); ok {
					referred[at.Span] = ev.ID
				}
			}
			if random.IntN(8) == 0 {
				changes++
				policy := randomPolicy(func() int { return int(random.Uint32() & 0xff) })
				take(table.SetPolicy(policy))
			}
			check(t, table)
			if i%5 == 4 {
				table = replaced(t, table)
			}
		}
		take(table.Close())
		for _, l := range sent {
			if l.ParentSpan == (SpanID{}) || l.ParentRemote {
				continue
			}
			if children++; sent[l.ParentSpan] == nil {
				t.Errorf("seed %d: the parent of %v, %v, is missing", seed, l.ID, l.Parent)
			}
		}
		for span, id := range referred {
			if promises++; sent[span] == nil {
				t.Errorf("seed %d: a log record refers to %v, which is not sent", seed, id)
			}
		}
	}
	if changes < 1000 || promises < 500 || children < 500 {
		t.Errorf("%d changes, %d promises and %d children are too few", changes, promises, children)
	}
}
