package deliver

import (
	"slices"
	"sync/atomic"
	"time"
)

// batch holds the items of one request by resource, in the order in which the
// resources first came. Once it is closed it does not change, and several backlogs
// may hold it.
type batch struct {
	parts []Part
	index map[*byte]int // into parts, by identity; for add only
	last  int           // index into parts of the last added item
	items int
	size  int // in bytes, resources included
	due   time.Time
	first uint64 // position of its first item, or of the first that it was split from
	key   string // in the store if the batch came from there; else ""

	replayed bool         // its items were pushed in a replay
	holders  atomic.Int32 // backlogs, and Pending; see backlog.release
}

// partOverhead is roughly what a resource adds to a request beside its own bytes:
// scope, schema URL, lengths.
const partOverhead = 256

// identity tells resources apart by the array that holds their bytes.
func identity(resource []byte) *byte {
	if len(resource) == 0 {
		return nil
	}
	return &resource[0]
}

// Part holds the items of a batch that share a resource.
type Part struct {
	// Resource holds the fields of ResourceSpans, and of ResourceLogs, that are not
	// the items.
	Resource []byte
	// Items holds encoded items, one after the other: fields of ScopeSpans or
	// ScopeLogs.
	Items []byte
	ends  []int // offsets into Items
}

func (p *Part) size() int { return len(p.Items) + len(p.Resource) + partOverhead }

// cost is the size of a batch of one item.
func cost(item, resource []byte) int { return len(item) + len(resource) + partOverhead }

// cost is how much an item would add to the size.
func (b *batch) cost(item, resource []byte) int {
	if b.find(resource) >= 0 {
		return len(item)
	}
	return cost(item, resource)
}

// find returns the index of a resource in parts, or -1. It is usually called
// twice in a row for the same one.
func (b *batch) find(resource []byte) int {
	if b.last < len(b.parts) && identity(b.parts[b.last].Resource) == identity(resource) {
		return b.last
	}
	i, ok := b.index[identity(resource)]
	if !ok {
		return -1
	}
	b.last = i
	return i
}

// add takes a copy of an item.
func (b *batch) add(item, resource []byte) {
	b.items++
	b.size += b.cost(item, resource)
	i := b.find(resource)
	if i < 0 {
		i = len(b.parts)
		b.index[identity(resource)], b.last = i, i
		b.parts = b.room(i + 1)
		p := &b.parts[i]
		p.Resource, p.Items, p.ends = resource, p.Items[:0], p.ends[:0]
	}
	p := &b.parts[i]
	p.Items = append(p.Items, item...)
	p.ends = append(p.ends, len(p.Items))
}

// room returns n parts. New ones have the memory of an earlier use, or none.
func (b *batch) room(n int) []Part {
	if n > cap(b.parts) {
		return slices.Grow(b.parts, 1)[:n]
	}
	return b.parts[:n]
}

// reset empties the batch and keeps its memory.
func (b *batch) reset() {
	for i := range b.parts {
		b.parts[i].Resource = nil
	}
	b.parts = b.parts[:0]
	if b.index == nil {
		b.index = map[*byte]int{}
	}
	clear(b.index)
	b.items, b.size, b.last, b.key = 0, 0, 0, ""
}

// held is the memory that the batch keeps for items, in bytes.
func (b *batch) held() (bytes int) {
	for _, p := range b.parts[:cap(b.parts)] {
		bytes += cap(p.Items)
	}
	return bytes
}

// split cuts b, which has at least two items, in two. The halves share b's memory
// but no byte. b stays intact, because snapshot may read it until it is put back.
func (b *batch) split() (first, second *batch) {
	first, second = &batch{first: b.first}, &batch{first: b.first}
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

// cut splits a part after n of its items.
func (p Part) cut(n int) (head, tail Part) {
	if n == 0 {
		return Part{}, p
	}
	end := p.ends[n-1]
	head = Part{Resource: p.Resource, Items: p.Items[:end:end], ends: p.ends[:n:n]}
	tail = Part{Resource: p.Resource, Items: p.Items[end:], ends: slices.Clone(p.ends[n:])}
	for i := range tail.ends {
		tail.ends[i] -= end
	}
	return head, tail
}

func (b *batch) append(p Part) {
	if len(p.ends) == 0 {
		return
	}
	b.parts = append(b.parts, p)
	b.items += len(p.ends)
	b.size += p.size()
}
