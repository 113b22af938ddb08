package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/procspan/procspan/agent/handover"
	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// keeper lets the next agent resume where this one ends, however it ends. What was
// read of the ring, and everything else that changes the flow's state, goes to a
// journal before the ring's room is released; a snapshot replaces the journal when
// that has grown. A nil keeper keeps nothing.
//
// While a snapshot is written, nothing is applied, so that it is of one moment; what
// the ring has meanwhile goes to the journal unread, and is applied afterwards.
type keeper struct {
	journal *handover.Journal
	log     *slog.Logger
	flow    *flow
	ring    ring
	origin  bpf.Origin  // of the BPF programs
	session bpf.Session // of the ring
	out     exportOutput
	decoder *bpf.Decoder
	most    int64  // bytes of the journal
	format  uint64 // bpf.RecordFormat
	config  uint64 // a hash of what decides which spans there are

	kept    bool      // all that was applied before the last write is on disk
	retry   time.Time // not before is another snapshot tried
	warned  time.Time
	written written
	stashed [][]byte // records that are in the journal and not applied
	note    [2][handover.MaxNote]byte
}

// ring is what a keeper needs of the tracer.
type ring interface {
	Seek(position uint64) bool
	Position() uint64
	Written() uint64
	Held() uint64
	HeldRecords() []byte
	Skim()
	Release()
}

// written is what the journal knows, of what changes rarely.
type written struct {
	position uint64
	settled  otelexport.Positions
	clock    string
	ends     uint64
	logged   uint64
}

const (
	// retryAfter is how long after a failure the state is written anew.
	retryAfter = 5 * time.Second
	// What was read goes to the journal while it is still in the CPU's cache.
	chunkSize = 128 << 10
	// The journal may have journalShare times the bytes of the snapshot, and at least
	// minJournal: writing a snapshot costs 0.7 µs a process, reading a journal 5 µs a
	// lifetime of 800 bytes.
	journalShare = 12
	minJournal   = 32 << 20
)

// openKeeper returns nil where nothing is to outlive the agent.
func openKeeper(o Options, boot string) (*keeper, error) {
	d := o.Config.Daemon
	if !d.Persist {
		if bpf.Pinned(d.PinDirectory) {
			o.Log.Warn("BPF programs of an earlier agent still run; no agent reads their events",
				"pinned", d.PinDirectory, "hint", "turn daemon.persist on again, or remove them with procspan detach")
		}
		return nil, nil
	}
	journal, err := handover.Open(d.StateDirectory, boot)
	if err != nil {
		return nil, err
	}
	return &keeper{journal: journal, log: o.Log, decoder: bpf.NewDecoder(), most: newBudget(o.Memory).journal, format: bpf.RecordFormat(), config: fingerprint(o)}, nil
}

// attach makes k the keeper of a flow.
func (k *keeper) attach(f *flow, out exportOutput) {
	if k == nil {
		return
	}
	f.keep, k.flow, k.out = k, f, out
	k.ring, k.origin, k.session = f.tracer, f.tracer.Origin(), f.tracer.Session()
}

// resume restores what the previous agent left, or adopts the running processes.
func (k *keeper) resume(done <-chan struct{}) error {
	f := k.flow
	switch k.origin {
	case bpf.Fresh:
		k.log.Info("BPF programs pinned")
	case bpf.TakenOver:
		k.log.Info("BPF programs of the previous agent taken over")
	case bpf.Replaced:
		k.log.Warn("BPF programs of the previous agent replaced: they are of another version or for other options; their last events are lost")
	}
	if !k.restore() {
		f.adopt(done)
		k.snapshot(false)
		return nil
	}
	k.snapshot(false)
	if err := f.catchUp(); err != nil {
		return err
	}
	return f.sweep(done, time.Now())
}

// write appends what was read of the ring, and then items, and releases the ring's
// room. While nothing is kept, it releases the room that the kernel may need.
func (k *keeper) write(items ...handover.Item) {
	if k == nil {
		return
	}
	if !k.kept {
		if k.crowded() {
			k.ring.Release()
		}
		return
	}
	if held := k.ring.Held(); held > 0 {
		settled := k.out.exporter.Settled()
		note := appendNumbers(k.note[0][:0], k.ring.Position()-held, settled[:]...)
		items = append([]handover.Item{{Kind: ringItem, Note: note, Body: k.ring.HeldRecords()}}, items...)
		k.written.settled = settled
	}
	if len(items) == 0 {
		return
	}
	if err := k.journal.Append(items...); err != nil {
		k.fail(err)
		return
	}
	k.written.position = k.ring.Position()
	k.ring.Release()
}

// crowded reports whether so much of the ring is held that the kernel may soon need
// the room.
func (k *keeper) crowded() bool { return k.ring.Held() >= k.flow.ringSize/8 }

// makeRoom writes what was read, if that is much or the kernel may soon need the room.
func (k *keeper) makeRoom() {
	if k == nil || k.ring.Held() < chunkSize && !k.crowded() {
		return
	}
	k.write()
	k.look(time.Now())
}

// tick is called about once a second, before the table gets the time.
func (k *keeper) tick(now process.Time) {
	if k == nil || !k.kept {
		return
	}
	var items []handover.Item
	w := k.written
	if clock := string(k.flow.clock.AppendHistory(nil)); clock != w.clock {
		k.written.clock = clock
		items = append(items, handover.Item{Kind: clockItem, Body: []byte(clock)})
	}
	var logged uint64
	for _, n := range k.flow.losses.logged {
		logged += n
	}
	if k.flow.ends != w.ends || logged != w.logged {
		k.written.ends, k.written.logged = k.flow.ends, logged
		items = append(items, k.losses())
	}
	settled := k.out.exporter.Settled()
	if k.ring.Position() != w.position || settled != w.settled || k.flow.table.Stats().Deferred > 0 {
		k.written.settled = settled
		items = append(items, handover.Item{Kind: tickItem, Note: appendNumbers(k.note[1][:0], uint64(now), settled[:]...)})
	}
	k.write(items...)
}

// look writes a snapshot if the journal has grown, or if nothing is kept.
func (k *keeper) look(now time.Time) {
	if k == nil || now.Before(k.retry) {
		return
	}
	if _, journal := k.journal.Sizes(); !k.kept || journal > k.limit() {
		k.snapshot(false)
	}
}

// limit is how large the journal of the last snapshot may get.
func (k *keeper) limit() int64 {
	snapshot, _ := k.journal.Sizes()
	return min(max(minJournal, journalShare*snapshot), k.most)
}

// adopted and gone are called before the table learns of it, named before the output.
func (k *keeper) adopted(all []process.Living) {
	if k != nil && len(all) > 0 {
		k.write(handover.Item{Kind: adoptItem, Body: process.AppendLiving(nil, all)})
	}
}

func (k *keeper) gone(ids []process.ID, by process.Time) {
	if k != nil && len(ids) > 0 {
		k.write(handover.Item{Kind: goneItem, Note: appendNumbers(nil, uint64(by)), Body: process.AppendIDs(nil, ids)})
	}
}

func (k *keeper) named(id uint64, path string) {
	if k != nil && k.kept {
		k.write(handover.Item{Kind: pathsItem, Body: appendPath(nil, id, path)})
	}
}

// snapshot writes a snapshot of now. The last one is of a flow that has stopped.
func (k *keeper) snapshot(last bool) {
	if k == nil {
		return
	}
	k.write()
	was := k.kept
	if !was {
		k.ring.Release() // what was read is part of the snapshot
	}
	err := k.journal.Begin()
	if err == nil {
		k.kept = true
		err = k.writePieces(last)
	}
	if err == nil {
		err = k.journal.Commit()
	}
	switch {
	case err == nil:
		k.dropOld(last)
	case was: // with the older snapshot the journal is whole
		k.retry = time.Now().Add(retryAfter)
		k.warn(err)
	default:
		k.fail(err)
	}
	k.applyStashed()
}

// reconfigured saves the state anew: the journal so far replays under the earlier
// configuration only.
func (k *keeper) reconfigured(fingerprint uint64) {
	if k == nil {
		return
	}
	k.write()
	k.config, k.kept = fingerprint, false
	k.snapshot(false)
}

// dropOld removes what the snapshot replaces.
func (k *keeper) dropOld(last bool) {
	for more := true; more; {
		var err error
		if more, err = k.journal.Drop(k.limit()); err != nil {
			k.log.Debug("cannot remove the older state", "error", err)
		}
		k.stash(last)
	}
}

func (k *keeper) writePieces(last bool) error {
	for item := range k.pieces() {
		if len(item.Body) > 0 {
			if err := k.journal.Piece(item); err != nil {
				return err
			}
		}
		k.stash(last)
	}
	return nil
}

// stash moves records from the ring to the journal if there are many, and remembers
// to apply them.
func (k *keeper) stash(last bool) {
	if last || k.ring.Written()-k.ring.Position() < k.flow.ringSize/8 {
		return
	}
	k.ring.Skim()
	k.stashed = append(k.stashed, append([]byte(nil), k.ring.HeldRecords()...))
	k.write()
	if !k.kept {
		k.ring.Release()
	}
}

// applyStashed applies what was stashed.
func (k *keeper) applyStashed() {
	for i, records := range k.stashed {
		k.applyRecords(records)
		k.stashed[i] = nil
	}
	k.stashed = k.stashed[:0]
}

// applyRecords applies records as they stand in the ring.
func (k *keeper) applyRecords(records []byte) {
	f := k.flow
	for record := range bpf.Records(records) {
		f.applyRecord(k.decoder, record)
	}
}

// fail gives up what is kept: the journal has a gap now.
func (k *keeper) fail(err error) {
	k.kept, k.retry = false, time.Now().Add(retryAfter)
	k.written = written{}
	k.warn(err)
	if err := k.journal.Clear(); err != nil {
		k.log.Debug("cannot remove the older state", "error", err)
	}
}

func (k *keeper) warn(err error) {
	if time.Since(k.warned) > lossLogEvery {
		k.warned = time.Now()
		k.log.Error("cannot save the state; if this agent dies now, the next one cannot resume",
			"error", err, "hint", "free space in daemon.state_directory")
	}
}

// close unlocks the directory.
func (k *keeper) close() error {
	if k == nil {
		return nil
	}
	return k.journal.Close()
}

// Detach removes what an agent with daemon.persist has left behind, and reports
// whether there was anything. It refuses while an agent is running with it.
func Detach(d config.Daemon) (found bool, err error) {
	journal, err := handover.Open(d.StateDirectory, "")
	if err != nil {
		return false, fmt.Errorf("detach: %w", err)
	}
	found, err = bpf.Unpin(d.PinDirectory)
	return found, errors.Join(err, journal.Clear(), journal.Close())
}
