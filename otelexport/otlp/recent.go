package otlp

import "iter"

// recent is a map that keeps the entries that were last set or found: at least
// most of them, or maxBytes in all, and at most twice as much.
type recent[K comparable, V any] struct {
	most, maxBytes int
	bytes          int // in young
	young, old     map[K]sized[V]
}

type sized[V any] struct {
	value V
	bytes int
}

func newRecent[K comparable, V any](most, maxBytes int) *recent[K, V] {
	return &recent[K, V]{most: most, maxBytes: maxBytes, young: make(map[K]sized[V])}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	v, ok := r.young[key]
	if !ok {
		if v, ok = r.old[key]; ok {
			r.set(key, v.value, v.bytes)
		}
	}
	return v.value, ok
}

// set adds or replaces an entry that occupies so many bytes.
func (r *recent[K, V]) set(key K, v V, bytes int) {
	if len(r.young) >= r.most || r.bytes >= r.maxBytes {
		r.young, r.old, r.bytes = make(map[K]sized[V]), r.young, 0
	}
	r.bytes += bytes - r.young[key].bytes
	r.young[key] = sized[V]{v, bytes}
}

// all yields every entry once, and those that were set or found last at the end.
func (r *recent[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, v := range r.old {
			if _, again := r.young[k]; !again && !yield(k, v.value) {
				return
			}
		}
		for k, v := range r.young {
			if !yield(k, v.value) {
				return
			}
		}
	}
}
