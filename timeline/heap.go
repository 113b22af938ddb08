package timeline

// least is a binary heap: pop returns the element that is before all others.
type least[T any] struct {
	all    []T
	before func(a, b T) bool
}

func (h *least[T]) len() int { return len(h.all) }

func (h *least[T]) push(x T) {
	h.all = append(h.all, x)
	for i := len(h.all) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(h.all[i], h.all[up]) {
			return
		}
		h.all[i], h.all[up] = h.all[up], h.all[i]
		i = up
	}
}

func (h *least[T]) pop() T {
	top, last := h.all[0], len(h.all)-1
	h.all[0] = h.all[last]
	h.all = h.all[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return top
		}
		if down+1 < last && h.before(h.all[down+1], h.all[down]) {
			down++
		}
		if !h.before(h.all[down], h.all[i]) {
			return top
		}
		h.all[i], h.all[down] = h.all[down], h.all[i]
		i = down
	}
}
