package otelexport

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// What waits can be handed from one agent to the next as bytes: the batches of
// the spans, then those of the log records, each list ended by an empty one. A
// batch is its parts, ended by an empty one; a part is the resource's fields and
// the items, both with their length before.

// AppendPending appends all that waits in memory to b, for RestorePending. It
// may be called by any goroutine.
func (e *Exporter) AppendPending(b []byte) []byte {
	for _, p := range []*pipeline{e.traces, e.logs} {
		if p != nil {
			b = p.queue.appendPending(b)
		}
		b = append(b, 0)
	}
	return b
}

// RestorePending takes what AppendPending of another Exporter returned: it is
// delivered, and counts as restored. What this one has no destination for is
// dropped.
func (e *Exporter) RestorePending(b []byte) error {
	var restored [2][]*batch
	for i := range restored {
		for {
			one, rest, err := parseBatch(b)
			if err != nil {
				return err
			}
			if b = rest; one.items == 0 {
				break
			}
			restored[i] = append(restored[i], one)
		}
	}
	if len(b) > 0 {
		return errPending
	}
	for i, p := range []*pipeline{e.traces, e.logs} {
		if p != nil {
			p.losses.add(queueFull, p.queue.restore(restored[i]), "")
		}
	}
	return nil
}

var errPending = errors.New("what waited for the collector is not as it was written")

func (q *queue) appendPending(b []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, waiting := range slices.Concat([]*batch{q.flying}, q.ready, []*batch{q.open}) {
		if waiting != nil && waiting.items > 0 {
			b = waiting.appendTo(b)
		}
	}
	return b
}

// restore puts batches before all others. It reports how many items had to be
// dropped.
func (q *queue) restore(batches []*batch) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range batches {
		q.restored += uint64(b.items)
		q.waiting += b.items
		q.bytes += b.size
	}
	q.ready = slices.Insert(q.ready, 0, batches...)
	q.signal()
	return q.shrink()
}

// appendTo appends the batch as parseBatch reads it.
func (b *batch) appendTo(to []byte) []byte {
	for i := range b.parts {
		p := &b.parts[i]
		to = protowire.AppendBytes(to, p.resource.wire)
		to = protowire.AppendBytes(to, p.wire)
	}
	return protowire.AppendBytes(to, nil)
}

// parseBatch returns the batch that b begins with, with memory of its own, and
// what follows it.
func parseBatch(b []byte) (parsed *batch, rest []byte, err error) {
	parsed = &batch{}
	parsed.reset()
	for {
		resource, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, nil, errPending
		}
		if b = b[n:]; len(resource) == 0 {
			return parsed, b, nil
		}
		items, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, nil, errPending
		}
		b = b[n:]
		of := &Resource{wire: slices.Clone(resource), size: len(resource) + partOverhead}
		for len(items) > 0 {
			n := protowire.ConsumeFieldValue(fieldItem, protowire.BytesType, skipTag(items))
			if n < 0 {
				return nil, nil, errPending
			}
			n += len(items) - len(skipTag(items))
			parsed.add(items[:n], of)
			items = items[n:]
		}
	}
}

// skipTag returns what follows the tag of an item; nil where there is none.
func skipTag(b []byte) []byte {
	field, kind, n := protowire.ConsumeTag(b)
	if n < 0 || field != fieldItem || kind != protowire.BytesType {
		return nil
	}
	return b[n:]
}
