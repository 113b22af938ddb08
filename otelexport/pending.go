package otelexport

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/procspan/procspan/otelexport/spool"
)

// What waits in memory can be handed from one agent to the next as bytes: the
// batches of the spans, then those of the log records, each list ended by a 0. A
// batch is the number of its items and the bytes that would be stored of it, with
// their length before.

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
			if b = rest; one == nil {
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
	for _, waiting := range slices.Concat(q.flying, q.ready) {
		b = waiting.appendTo(b)
	}
	if q.open != nil {
		b = q.open.appendTo(b)
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
	record := encodeBatch(b)
	to = binary.AppendUvarint(to, uint64(record.Items))
	to = binary.AppendUvarint(to, uint64(len(record.Data)))
	return append(to, record.Data...)
}

// parseBatch returns the batch that b begins with and what follows it. The batch
// is nil where the list ends.
func parseBatch(b []byte) (parsed *batch, rest []byte, err error) {
	in := stored(b)
	items, ok := in.number()
	if !ok {
		return nil, nil, errPending
	}
	if items == 0 {
		return nil, in, nil
	}
	data, ok := in.bytes()
	if !ok || items > math.MaxInt32 {
		return nil, nil, errPending
	}
	parsed, err = decodeBatch(spool.Record{Items: int(items), Data: data})
	return parsed, in, err
}
