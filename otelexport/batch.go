package otelexport

import (
	"slices"
	"time"
)

// batch is what one request carries: items (encoded spans or log records) by
// resource, in the order in which the resources first came.
type batch struct {
	parts []part
	index map[*Resource]int // into parts; for add only
	last  int               // in parts, of the last item added
	items int
	size  int // in bytes, the resources included
	due   time.Time
	key   string // in the store, where it is from there; else ""
}

// part is what a batch has of one resource.
type part struct {
	resource *Resource
	wire     []byte // encoded items, one after the other
	ends     []int  // where each ends in wire
}

func (p *part) size() int { return len(p.wire) + p.resource.size }

// cost is by how much an item would add to the size.
func (b *batch) cost(item []byte, r *Resource) int {
	if b.find(r) >= 0 {
		return len(item)
	}
	return len(item) + r.size
}

// find returns the place of r in parts, or -1. As a rule it is asked twice in a
// row for the same one.
func (b *batch) find(r *Resource) int {
	if b.last < len(b.parts) && b.parts[b.last].resource == r {
		return b.last
	}
	i, ok := b.index[r]
	if !ok {
		return -1
	}
	b.last = i
	return i
}

// add takes a copy of an item.
func (b *batch) add(item []byte, r *Resource) {
	b.items++
	b.size += b.cost(item, r)
	i := b.find(r)
	if i < 0 {
		i = len(b.parts)
		b.index[r], b.last = i, i
		b.parts = b.room(i + 1)
		p := &b.parts[i]
		p.resource, p.wire, p.ends = r, p.wire[:0], p.ends[:0]
	}
	p := &b.parts[i]
	p.wire = append(p.wire, item...)
	p.ends = append(p.ends, len(p.wire))
}

// room returns n parts; those beyond the present ones have memory of an earlier
// use, or none.
func (b *batch) room(n int) []part {
	if n > cap(b.parts) {
		return slices.Grow(b.parts, 1)[:n]
	}
	return b.parts[:n]
}

// reset empties the batch and keeps its memory.
func (b *batch) reset() {
	for i := range b.parts {
		b.parts[i].resource = nil
	}
	b.parts = b.parts[:0]
	if b.index == nil {
		b.index = map[*Resource]int{}
	}
	clear(b.index)
	b.items, b.size, b.last, b.key = 0, 0, 0, ""
}

// held is how much memory the batch keeps for items, in bytes.
func (b *batch) held() (bytes int) {
	for _, p := range b.parts[:cap(b.parts)] {
		bytes += cap(p.wire)
	}
	return bytes
}

// split cuts b in two; it has at least two items. The halves share b's memory
// but no byte of it; both have the resource of the part that the cut goes
// through. b stays as it is: until it is put back, appendPending may read it.
func (b *batch) split() (first, second *batch) {
	first, second = &batch{}, &batch{}
	left := b.items / 2
	for _, p := range b.parts {
		n := min(left, len(p.ends))
		left -= n
		head, tail := p.cut(n)
		first.append(head)
		second.append(tail)
	}
	return first, second
}

// cut cuts a part after n of its items.
func (p part) cut(n int) (head, tail part) {
	if n == 0 {
		return part{}, p
	}
	end := p.ends[n-1]
	head = part{resource: p.resource, wire: p.wire[:end:end], ends: p.ends[:n:n]}
	tail = part{resource: p.resource, wire: p.wire[end:], ends: slices.Clone(p.ends[n:])}
	for i := range tail.ends {
		tail.ends[i] -= end
	}
	return head, tail
}

func (b *batch) append(p part) {
	if len(p.ends) == 0 {
		return
	}
	b.parts = append(b.parts, p)
	b.items += len(p.ends)
	b.size += p.size()
}
