package process

import (
	"errors"
	"iter"
)

// A snapshot has all that a Table knows, for the next agent. It is a sequence of
// frames: a head, and then a frame for each object. A frame is a section, a length and
// fields. Readers skip sections and fields of later versions. A frame that cannot be
// read costs only what depends on it.

// snapshotFormat is raised when the frames of earlier versions become unreadable.
const snapshotFormat = 3

// section is the kind of a frame.
type section uint8

// The sections. Objects refer to others by number: the n-th frame of a section has
// number n.
const (
	sectionHead section = iota + 1
	sectionStats
	sectionEnded
	sectionTrace
	sectionContinuation
	sectionSpan
	sectionEntry
	sectionDeferred
)

// ErrSnapshot is returned for bytes that are no snapshot of this format.
var ErrSnapshot = errors.New("no table snapshot of this format")

// snapshot is a snapshot that is being written or read.
type snapshot struct {
	*codec
	table *Table
	// entries and deferred are how many there are.
	entries, deferred int

	// The writer's.
	yield   func([]byte) bool
	objects int // since the last chunk
	stopped bool

	// The reader's.
	size     int // of the input
	living   []*entry
	pending  []pending
	programs []string // that the bits of kin stand for
	owned    []bool   // by number of span: it belongs to a running process
	lost     int
}

// pending is a deferred lifetime and the span that it depends on.
type pending struct {
	deferred
	on *span
}

// AppendSnapshot appends a snapshot of the table to b.
func (t *Table) AppendSnapshot(b []byte) []byte {
	for chunk := range t.Snapshot() {
		b = append(b, chunk...)
	}
	return b
}

// A chunk is large enough for one write, and small enough to take less than a
// millisecond.
const (
	maxChunkBytes   = 64 << 10
	maxChunkObjects = 1000
)

// Snapshot yields a snapshot of the table in chunks, some of them empty, so that the
// caller can do other work in between. The table must not change meanwhile. A chunk is
// valid until the next one.
func (t *Table) Snapshot() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		buffer := make([]byte, 0, maxChunkBytes+maxChunkBytes/4)
		s := &snapshot{codec: newCodec(buffer, false), table: t, yield: yield}
		s.gather()
		s.write()
		if !s.stopped && len(s.b) > 0 {
			yield(s.b)
		}
	}
}

// step ends the work on an object. It returns false once the caller has stopped.
func (s *snapshot) step() bool {
	if s.objects++; s.stopped || s.objects < maxChunkObjects && len(s.b) < maxChunkBytes {
		return !s.stopped
	}
	s.stopped = !s.yield(s.b)
	s.b, s.objects = s.b[:0], 0
	return !s.stopped
}

// gather numbers all objects that can be reached.
func (s *snapshot) gather() {
	t := s.table
	for at := t.idle.Front(); at != nil; at = at.Next() {
		s.traces.add(at.Value.(*trace)) // in their order
	}
	for e := t.order.newer; e != &t.order; e = e.newer {
		s.spans.add(e.span)
		s.spans.add(e.lineage.up)
		if s.entries++; !s.step() {
			return
		}
	}
	for i := 0; i < len(s.spans.all); i++ { // the loop adds to it
		sp := s.spans.all[i]
		s.spans.add(sp.up)
		s.traces.add(sp.trace)
		for _, g := range sp.sortedGroups() {
			s.traces.add(sp.groups[g].trace)
		}
		for _, d := range sp.deferred {
			s.spans.add(d.span)
			s.deferred++
		}
		if !s.step() {
			return
		}
	}
	for i := 0; i < len(s.traces.all); i++ {
		if more := s.traces.all[i].more; more != nil {
			s.continuations.add(more)
			s.traces.add(more.newest)
		}
		if !s.step() {
			return
		}
	}
}

// write writes all frames.
func (s *snapshot) write() {
	t := s.table
	s.put(sectionHead, s.head)
	s.put(sectionStats, func() { s.stats(&t.stats) })
	for i := range t.ended {
		if v := &t.ended[i]; !v.id.IsZero() {
			s.put(sectionEnded, func() { s.last(v) })
		}
	}
	for _, tr := range s.traces.all {
		s.put(sectionTrace, func() { s.trace(tr) })
	}
	for _, more := range s.continuations.all {
		s.put(sectionContinuation, func() { s.continuation(more) })
	}
	for _, sp := range s.spans.all {
		s.put(sectionSpan, func() { s.span(sp) })
	}
	for _, sp := range s.spans.all {
		for _, d := range sp.deferred {
			s.put(sectionDeferred, func() { s.pendingLifetime(&pending{d, sp}) })
		}
	}
	for e := t.order.newer; e != &t.order && !s.stopped; e = e.newer {
		s.put(sectionEntry, func() { s.entry(e) })
	}
}

// put writes a frame.
func (s *snapshot) put(what section, fields func()) {
	if s.stopped {
		return
	}
	number(s.codec, &what)
	s.frame(fields)
	s.step()
}
