package process

// pool keeps some values that are not used any more, for use again.
type pool[T any] struct {
	free []*T
}

// maxFree bounds a pool: more are in use for a moment only when many processes
// end at once, and are then left to the collector of garbage.
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

// put takes a value that nothing refers to any more.
func (p *pool[T]) put(v *T) {
	var zero T
	*v = zero // lets go of what it refers to
	if len(p.free) < maxFree {
		p.free = append(p.free, v)
	}
}
