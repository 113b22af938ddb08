package agent

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"

	"github.com/procspan/procspan/agent/handover"
	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
)

// What a snapshot has, and what happens after it. The numbers stand on disk.
const (
	headItem    handover.Kind = 1 // a head
	clockItem   handover.Kind = 2 // the clock's history
	lossesItem  handover.Kind = 3 // the losses that were logged
	pathsItem   handover.Kind = 4 // paths of cgroups, by their ids
	pendingItem handover.Kind = 5 // a part of what waits for the collector
	tableItem   handover.Kind = 6 // a part of the table's snapshot

	ringItem  handover.Kind = 16 // records; noted are where they stood, and what had settled
	tickItem  handover.Kind = 17 // noted are the time, and what had settled
	adoptItem handover.Kind = 18 // running processes that no event reported
	goneItem  handover.Kind = 19 // processes that ended unseen; noted is the time
)

// head is where a snapshot was made, and by whom.
type head struct {
	session  bpf.Session
	position uint64
	format   uint64 // bpf.RecordFormat
	config   uint64 // fingerprint
	pushed   otelexport.Positions
}

func (h *head) append(b []byte) []byte {
	b = append(b, h.session[:]...)
	b = appendNumbers(b, h.position, h.format, h.config)
	return appendNumbers(b, h.pushed[0], h.pushed[1:]...)
}

func parseHead(b []byte) (h head, ok bool) {
	if len(b) < len(h.session) {
		return h, false
	}
	copy(h.session[:], b)
	into := append([]*uint64{&h.position, &h.format, &h.config}, pointers(&h.pushed)...)
	return h, readNumbers(b[len(h.session):], into...)
}

// fingerprint is a hash of what decides which items the exporter gets: with the same
// version and configuration, replaying the journal gives it the same ones again.
func fingerprint(o Options) uint64 {
	hash := fnv.New64a()
	fmt.Fprintln(hash, o.Version)
	hash.Write(o.Config.YAML())
	return hash.Sum64()
}

// pieces yields the pieces of a snapshot of now. A body may be empty, and is valid
// until the next.
func (k *keeper) pieces() iter.Seq[handover.Item] {
	f := k.flow
	return func(yield func(handover.Item) bool) {
		h := head{k.session, k.ring.Position(), k.format, k.config, k.out.exporter.Pushed()}
		if !yield(handover.Item{Kind: headItem, Body: h.append(nil)}) ||
			!yield(handover.Item{Kind: clockItem, Body: f.clock.AppendHistory(nil)}) ||
			!yield(k.losses()) {
			return
		}
		if !yield(handover.Item{Kind: pathsItem, Body: k.out.exporter.AppendPaths(nil)}) {
			return
		}
		for b := range k.out.exporter.Pending() {
			if !yield(handover.Item{Kind: pendingItem, Body: b}) {
				return
			}
		}
		for b := range f.table.Snapshot() {
			if !yield(handover.Item{Kind: tableItem, Body: b}) {
				return
			}
		}
	}
}

func (k *keeper) losses() handover.Item {
	b := binary.AppendUvarint(nil, k.flow.ends)
	for reason, count := range k.flow.losses.logged {
		b = binary.AppendUvarint(appendText(b, reason), count)
	}
	return handover.Item{Kind: lossesItem, Body: b}
}

func appendPath(b []byte, id uint64, path string) []byte {
	return appendText(binary.AppendUvarint(b, id), path)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader reads numbers and texts; bad says that one was not there, and all after it.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) more() bool { return len(r.b) > 0 && !r.bad }

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// appendNumbers appends numbers of eight bytes each; readNumbers reads them.
func appendNumbers(b []byte, first uint64, more ...uint64) []byte {
	b = binary.LittleEndian.AppendUint64(b, first)
	for _, n := range more {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// pointers returns where to read positions to.
func pointers(p *otelexport.Positions) (all []*uint64) {
	for i := range p {
		all = append(all, &p[i])
	}
	return all
}

func readNumbers(b []byte, numbers ...*uint64) bool {
	if len(b) < 8*len(numbers) {
		return false
	}
	for i, n := range numbers {
		*n = binary.LittleEndian.Uint64(b[8*i:])
	}
	return true
}
