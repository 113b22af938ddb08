package process

// pool is a free list.
type pool[T any] struct {
	free []*T
}

// maxFree bounds a pool. Only a burst of exits frees more values at once; the rest
// is left to the garbage collector.
const maxFree = 1024

// get returns a zero value.
func (p *pool[T]) get() *T {
	n := len(p.free) - 1
	if n < 0 {
		return new(T)
	}
	v := p.free[n]
	p.free = p.free[:n]
	return v
}

// put takes a value that nothing refers to.
func (p *pool[T]) put(v *T) {
	var zero T
	*v = zero // drops its references
	if len(p.free) < maxFree {
		p.free = append(p.free, v)
	}
}
