package agent

import "iter"

// recent is a map that keeps at least the last so many entries that were set or
// found, and at most twice as many.
type recent[K comparable, V any] struct {
	most       int
	young, old map[K]V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, young: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	v, ok := r.young[key]
	if !ok {
		if v, ok = r.old[key]; ok {
			r.set(key, v)
		}
	}
	return v, ok
}

func (r *recent[K, V]) set(key K, v V) {
	if len(r.young) >= r.most {
		r.young, r.old = make(map[K]V), r.young
	}
	r.young[key] = v
}

// all yields every entry, those that were set or found last at the end.
func (r *recent[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, m := range []map[K]V{r.old, r.young} {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}
