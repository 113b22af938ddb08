package agent

import (
	"time"

	"github.com/procspan/procspan/agent/handover"
	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// restoring is a state that is being restored: each part by itself.
type restoring struct {
	*keeper
	saved *handover.Saved
	head  head
	// settled is the last that the journal has.
	settled otelexport.Positions
	table   []byte
	// at is where the ring goes on, if seek.
	at   uint64
	seek bool
}

// restore restores what the previous agent left, as far as it can be read, and
// reports whether that includes its table.
func (k *keeper) restore() bool {
	saved, err := k.journal.Load()
	if err != nil {
		k.log.Error("cannot restore saved state; treating running processes as pre-existing", "error", err)
		return false
	}
	if saved == nil {
		return false
	}
	begin := time.Now()
	r := &restoring{keeper: k, saved: saved}
	for e := range saved.Entries() {
		r.note(e)
	}
	for p := range saved.Pieces() {
		r.piece(p)
	}
	exporter := k.out.exporter
	replayed := r.settled
	if r.head.config != k.config { // the replay may give the exporter other items
		replayed = otelexport.Positions{}
	}
	exporter.BeginReplay(r.head.pushed, replayed)
	ok := saved.SameBoot && r.restoreTable()
	if ok {
		for e := range saved.Entries() {
			r.entry(e)
		}
	}
	exporter.EndReplay()
	return r.finish(ok, time.Since(begin))
}

// note takes what is noted of an entry, before the pieces are restored.
func (r *restoring) note(e *handover.Found) {
	var first uint64
	settled := r.settled
	if (e.Kind == ringItem || e.Kind == tickItem) && readNumbers(e.Note, append([]*uint64{&first}, pointers(&settled)...)...) {
		r.settled = settled
	}
}

// piece restores a piece of the snapshot, or, for the table, collects it.
func (r *restoring) piece(p *handover.Found) {
	if !r.saved.SameBoot && p.Kind != pendingItem {
		return
	}
	body, ok := p.Body()
	if !ok {
		return
	}
	switch p.Kind {
	case headItem:
		if r.head, ok = parseHead(body); ok {
			r.at, r.seek = r.head.position, true
		}
	case pendingItem:
		r.flow.losses.waiting += r.out.exporter.RestorePending(body, r.settled)
	case tableItem:
		r.table = append(r.table, body...)
	default:
		ok = r.set(p.Kind, body)
	}
	r.count(ok)
}

// set restores what is a piece of a snapshot or an entry.
func (r *restoring) set(kind handover.Kind, body []byte) (ok bool) {
	in := reader{b: body}
	switch kind {
	case clockItem:
		return r.flow.clock.RestoreHistory(body) == nil
	case lossesItem:
		r.flow.endsBefore = in.number()
		r.flow.ends = r.flow.endsBefore
		for in.more() {
			reason := in.text()
			r.flow.losses.logged[reason] = in.number()
		}
	case pathsItem:
		return r.out.exporter.RestorePaths(body) == nil
	default: // of a later version
		return false
	}
	return !in.bad
}

// restoreTable restores the table of the snapshot.
func (r *restoring) restoreTable() bool {
	f := r.flow
	table, lost, err := process.Restore(f.limits, f.policy, f.ids, r.table)
	if r.table = nil; err != nil {
		r.log.Error("cannot restore the saved processes; treating running processes as pre-existing", "error", err)
		return false
	}
	f.losses.processes += uint64(lost)
	f.table = table
	return true
}

// entry does again what an entry says was done.
func (r *restoring) entry(e *handover.Found) {
	var at uint64
	noted := readNumbers(e.Note, &at)
	if e.Kind == tickItem {
		if r.count(noted); noted {
			r.flow.handOn(r.flow.table.Advance(process.Time(at)))
		}
		return
	}
	body, ok := e.Body()
	if !ok {
		return
	}
	switch e.Kind {
	case ringItem:
		if r.at, r.seek = at+uint64(len(body)), noted; r.head.format == r.format {
			r.applyRecords(body)
		} else {
			for range bpf.Records(body) {
				r.flow.losses.records++
			}
		}
	case adoptItem:
		all, err := process.ReadLiving(body)
		if ok = err == nil; ok {
			r.flow.handOn(r.flow.table.Adopt(all))
		}
	case goneItem:
		ids, err := process.ReadIDs(body)
		if ok = noted && err == nil; ok {
			r.flow.handOn(r.flow.table.Gone(ids, process.Time(at)))
		}
	default:
		ok = r.set(e.Kind, body)
	}
	r.count(ok)
}

// count counts an item that is whole but not understood.
func (r *restoring) count(understood bool) {
	if !understood {
		r.flow.losses.items++
	}
}

// finish moves the ring to where the previous agent was, and logs what was restored.
func (r *restoring) finish(ok bool, took time.Duration) bool {
	f := r.flow
	f.losses.items += r.saved.Damaged()
	f.seen, f.began = seen{}, f.table.Stats()
	if !ok {
		return false
	}
	same := r.origin == bpf.TakenOver && r.session == r.head.session
	if !same {
		f.endsBefore, f.ends = 0, 0
	}
	if same && r.seek && r.ring.Seek(r.at) {
		r.ring.Release() // the journal has it
	} else {
		r.log.Warn("the events between the previous agent and this one are lost; their effects are estimated from the running processes")
	}
	r.log.Info("state restored", "running", f.began.Living, "took", took)
	return true
}
