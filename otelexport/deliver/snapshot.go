package deliver

import (
	"cmp"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"slices"

	"github.com/procspan/procspan/otelexport/spool"
)

// This file hands items in memory from one agent to the next.
//
// Items of a signal are numbered as they are pushed. A restarted agent restores the
// pieces of a snapshot and then pushes again, in the same order, what came after
// it. The numbers tell, for each exporter, which items had left memory by then. The
// first piece names the exporters, so that the next agent may have others.

// MaxExporters is how many exporters a signal may have.
const MaxExporters = 4

// Positions numbers items, for each exporter: those of spans first.
type Positions [signals * MaxExporters]uint64

// slot is the index into Positions of the i-th exporter of a signal.
func slot(signal, i int) int { return signal*MaxExporters + i }

// each returns a position of each exporter. A position is read with the locks of the
// intake and of the backlog.
func (o *Outbox) each(position func(*backlog) uint64) (p Positions) {
	for signal, in := range o.intakes() {
		in.mu.Lock()
		for i, b := range in.lines {
			b.mu.Lock()
			p[slot(signal, i)] = position(b)
			b.mu.Unlock()
		}
		in.mu.Unlock()
	}
	return p
}

// Pushed returns the positions of the next items.
func (o *Outbox) Pushed() Positions {
	return o.each(func(b *backlog) uint64 { return b.in.pushed.Load() })
}

// Settled returns the positions before which every item has left memory: delivered,
// stored or dropped.
func (o *Outbox) Settled() Positions { return o.each((*backlog).settled) }

// settled is Settled of one exporter. in.mu and mu are held.
func (b *backlog) settled() uint64 {
	position := b.in.pushed.Load()
	if t := b.in.open; t != nil {
		position = min(position, t.first)
	}
	for _, t := range slices.Concat(b.taken, b.ready) {
		position = min(position, t.first)
	}
	return position
}

// The first byte of a piece is a signal's number, or namesPiece.
const namesPiece = 0xff

// Pending yields the items in memory in pieces, for RestorePending. A piece is valid
// until the next. The goroutine that pushes calls it.
func (o *Outbox) Pending() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		piece := []byte{namesPiece}
		for _, p := range o.pipelines() {
			piece = append(piece, byte(slices.Index(allSignals[:], p.signal())))
			piece = append(binary.AppendUvarint(piece, uint64(len(p.key))), p.key...)
		}
		if !yield(piece) {
			return
		}
		for signal, in := range o.intakes() {
			all, holders := in.hold()
			for i, t := range all {
				piece = append(piece[:0], byte(signal), holders[t])
				piece = binary.AppendUvarint(piece, t.first)
				piece = binary.AppendUvarint(piece, uint64(t.items))
				piece = append(piece, encodeBatch(t).Data...)
				if !yield(piece) {
					in.unhold(all[i:])
					return
				}
				in.unhold(all[i : i+1])
			}
		}
	}
}

// hold returns every batch in memory, oldest first, and the set of exporters that
// have it, as bits. The batches keep their contents until unhold.
func (in *Intake) hold() (all []*batch, holders map[*batch]byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	holders = map[*batch]byte{}
	for i, b := range in.lines {
		b.mu.Lock()
		of := slices.Concat(b.taken, b.ready)
		if t := in.open; t != nil && b.needs(t.first, t.replayed) {
			of = append(of, t)
		}
		for _, t := range of {
			if holders[t] == 0 {
				t.holders.Add(1)
				all = append(all, t)
			}
			holders[t] |= 1 << i
		}
		b.mu.Unlock()
	}
	slices.SortStableFunc(all, func(a, b *batch) int { return cmp.Compare(a.first, b.first) })
	return all, holders
}

func (in *Intake) unhold(batches []*batch) {
	for _, t := range batches {
		t.holders.Add(-1) // its memory is not used again
	}
}

// former are the exporters of the previous agent: for each slot, the one that now
// has its items, or nil.
type former [signals * MaxExporters]*backlog

// sameExporters is former if the exporters are the same.
func (o *Outbox) sameExporters() (f former) {
	for signal, in := range o.intakes() {
		for i, b := range in.lines {
			f[slot(signal, i)] = b
		}
	}
	return f
}

// parseNames reads the first piece.
func (o *Outbox) parseNames(piece []byte) (f former, ok bool) {
	var keys [signals][]string
	in := reader(piece)
	for len(in) > 0 {
		signal := int(in[0])
		in = in[1:]
		key, ok := in.bytes()
		if !ok || signal >= signals || len(keys[signal]) == MaxExporters {
			return f, false
		}
		keys[signal] = append(keys[signal], string(key))
	}
	for signal, in := range o.intakes() {
		for i, to := range match(keys[signal], o.keys(signal)) {
			if to >= 0 {
				f[slot(signal, i)] = in.lines[to]
			}
		}
	}
	return f, true
}

// RestorePending takes over a piece, unless its items had settled. It returns how
// many items it lost, as far as the piece tells: each counts once for each exporter
// that does not exist any more.
func (o *Outbox) RestorePending(piece []byte, settled Positions) (lost uint64) {
	switch {
	case len(piece) > 0 && piece[0] == namesPiece:
		f, ok := o.parseNames(piece[1:])
		if o.former = f; !ok {
			return 1
		}
		return 0
	case len(piece) < 2 || int(piece[0]) >= signals:
		return 1
	}
	signal, holders := int(piece[0]), piece[1]
	t, items, err := parseBatch(piece[2:])
	if err != nil {
		return items
	}
	for i := range MaxExporters {
		at := slot(signal, i)
		switch {
		case holders&(1<<i) == 0 || t.first < settled[at]:
		case o.former[at] == nil:
			lost += items
		default:
			o.former[at].restore(t)
		}
	}
	return lost
}

// parseBatch reads a batch of a piece. With an error, items is how many are lost.
func parseBatch(piece []byte) (t *batch, items uint64, err error) {
	in := reader(piece)
	first, ok := in.number()
	items, ok2 := in.number()
	if !ok || !ok2 || items == 0 || items > math.MaxInt32 {
		return nil, 1, errors.New("decode pending items: damaged")
	}
	t, err = decodeBatch(spool.Record{Items: int(items), Data: in})
	if err == nil {
		t.first = first
	}
	return t, items, err
}

// restore takes a batch of the previous agent.
func (b *backlog) restore(t *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.restore(t.items, &b.book.Waiting)
	b.count(t, +1)
	b.ready = append(b.ready, t)
	b.shrink()
	b.signalBoth()
}

// BeginReplay announces items that are pushed again, from the positions of a
// snapshot on. They count as restored; an exporter ignores those before its position
// in settled.
func (o *Outbox) BeginReplay(pushed, settled Positions) {
	for signal, in := range o.intakes() {
		in.mu.Lock()
		in.seal()
		in.replaying = true
		for i := range MaxExporters {
			at := slot(signal, i)
			in.pushed.Store(max(in.pushed.Load(), pushed[at]))
			if b := o.former[at]; b != nil {
				b.skip = settled[at]
			}
		}
		in.mu.Unlock()
	}
}

// EndReplay ends the replay: later items are new.
func (o *Outbox) EndReplay() {
	for _, in := range o.intakes() {
		in.mu.Lock()
		in.seal()
		in.replaying = false
		in.mu.Unlock()
	}
}
