package process

import (
	"reflect"
	"slices"
	"testing"
)

// A table whose lifetimes are recycled returns the same as one whose lifetimes
// are kept, whatever happens: nothing is used again while something refers to
// it.
func TestRecycle(t *testing.T) {
	lifetimes := 0
	for flags := range byte(32) {
		for seed := range uint64(20) {
			h := newHistory(randomBytes(flags, seed))
			keeping, giving := NewTable(h.limits, h.policy, testIDs), NewTable(h.limits, h.policy, testIDs)
			keeping.Adopt(slices.Clone(h.living))
			giving.Adopt(slices.Clone(h.living))
			apply := func(want, got []*Lifetime) {
				if len(got) != len(want) {
					t.Fatalf("flags %d, seed %d: %d lifetimes, want %d", flags, seed, len(got), len(want))
				}
				for i, l := range got {
					if !reflect.DeepEqual(l, want[i]) {
						t.Fatalf("flags %d, seed %d: got %+v, want %+v", flags, seed, l, want[i])
					}
					giving.Recycle(l)
					lifetimes++
				}
			}
			for i := range h.ring {
				apply(keeping.Apply(&h.ring[i]), giving.Apply(&h.ring[i]))
				check(t, giving)
			}
			apply(keeping.Close(), giving.Close())
			if got, want := giving.Stats(), keeping.Stats(); got != want {
				t.Fatalf("flags %d, seed %d: got %+v, want %+v", flags, seed, got, want)
			}
		}
	}
	if lifetimes < 10_000 {
		t.Errorf("%d lifetimes: these test little", lifetimes)
	}
}

func TestPoolLetsGo(t *testing.T) {
	var p pool[entry]
	e := p.get()
	e.image.Executable = "/bin/sh"
	p.put(e)
	if again := p.get(); again != e || !reflect.DeepEqual(*again, entry{}) {
		t.Errorf("got %+v, want the same entry, empty", again)
	}
	for range maxFree + 10 {
		p.put(new(entry))
	}
	if len(p.free) != maxFree {
		t.Errorf("it holds %d, want %d", len(p.free), maxFree)
	}
}
