package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// keeper has another agent go on where this one ends, in whatever way: it keeps
// the state of a position of the ring on file, and lets the kernel have the room
// of the records up to there only then. A nil one keeps nothing.
type keeper struct {
	dir  *stateDir
	boot string
	log  *slog.Logger
	out  exportOutput

	kept   bool      // there is a file of this agent's
	saved  uint64    // the position that it is of
	next   time.Time // when to save again, room permitting
	failed time.Time
	buf    [3][]byte // memory of the last state's parts
}

// openKeeper returns nil where nothing is to outlive the agent.
func openKeeper(o Options, boot string) (*keeper, error) {
	d := o.Config.Daemon
	if !d.Persist {
		if bpf.Pinned(d.PinDirectory) {
			o.Log.Warn("kernel programs of an earlier agent are still at work, and nobody reads what they see",
				"pinned", d.PinDirectory, "cure", "turn daemon.persist on again, or end them with procspan detach")
		}
		return nil, nil
	}
	dir, err := openState(d.StateDirectory)
	if err != nil {
		return nil, err
	}
	return &keeper{dir: dir, boot: boot, log: o.Log}, nil
}

// resume goes on where the agent before ended, or begins anew.
func (k *keeper) resume(f *flow, out exportOutput) error {
	k.out = out
	switch f.tracer.Start() {
	case bpf.Fresh:
		k.log.Info("kernel programs pinned")
	case bpf.TakenOver:
		k.log.Info("kernel programs of the agent before taken over")
	case bpf.Replaced:
		k.log.Warn("kernel programs of the agent before replaced: they were of another version or for other options; what they saw last is lost")
	}
	begin := f.adopt
	if k.restore(f) {
		begin = func() error { return errors.Join(f.catchUp(), f.sweep()) }
	}
	if err := begin(); err != nil {
		return err
	}
	k.save(f)
	return nil
}

// restore takes the state of the agent before, and reports whether there is one.
func (k *keeper) restore(f *flow) bool {
	s, err := k.dir.load(k.boot)
	if errors.Is(err, errNoState) {
		return false
	}
	var table *process.Table
	if err == nil {
		table, err = process.Restore(f.limits, f.policy, f.ids, s.table)
	}
	if err == nil {
		err = f.clock.RestoreHistory(s.clock)
	}
	if err == nil {
		err = k.out.exporter.RestorePending(s.pending)
	}
	if err != nil {
		k.log.Error("the state of the agent before cannot be used: what lives now is as if it had begun before procspan", "error", err)
		return false
	}
	f.table, f.began = table, table.Stats()
	f.losses.told = s.told
	for id, path := range s.paths {
		k.out.named(id, path)
	}
	same := f.tracer.Start() == bpf.TakenOver && f.tracer.Session() == s.session
	if same {
		f.endsBefore = s.ends
	}
	if !same || !f.tracer.Seek(s.position) {
		k.log.Warn("what happened between the agent before and this one is missing, but for what the living show")
	}
	return true
}

// saveShare is which part of the time saving may take: with many living processes
// a state is large, and is saved less often.
const saveShare = 50

// look saves the state, if it is time to and anything has happened since.
func (k *keeper) look(f *flow, now time.Time) {
	if k == nil || now.Before(k.next) || k.kept && f.tracer.Position() == k.saved {
		return
	}
	k.save(f)
	k.next = now.Add(saveShare * time.Since(now))
}

// makeRoom saves the state, if so much of the ring is held back that the kernel
// may need the room.
func (k *keeper) makeRoom(f *flow) {
	if k != nil && k.isDue(f) {
		k.save(f)
	}
}

func (k *keeper) isDue(f *flow) bool { return f.tracer.Held() >= f.ringSize/8 }

// save keeps the state of now.
func (k *keeper) save(f *flow) {
	if k == nil {
		return
	}
	k.buf[0] = f.table.AppendSnapshot(k.buf[0][:0])
	k.buf[1] = k.out.exporter.AppendPending(k.buf[1][:0])
	k.buf[2] = f.clock.AppendHistory(k.buf[2][:0])
	s := state{
		boot: k.boot, session: f.tracer.Session(), position: f.tracer.Position(),
		table: k.buf[0], pending: k.buf[1], clock: k.buf[2],
		paths: maps.Collect(k.out.origins.paths.all()),
		told:  f.losses.told,
		ends:  f.ends,
	}
	if err := k.dir.save(&s); err != nil {
		if time.Since(k.failed) > lossLogEvery {
			k.failed = time.Now()
			k.log.Error("what another agent would need to go on is not kept: what has ended since could be lost with this one",
				"error", err, "cure", "see that there is room in daemon.state_directory")
		}
		if !k.isDue(f) {
			return
		}
		// With an older state the next agent would tell again of what has ended since.
		if err := k.dir.remove(); err != nil {
			k.log.Debug("the older state stays", "error", err)
		}
	}
	k.kept, k.saved = true, s.position
	f.tracer.Release()
}

func (k *keeper) close() error {
	if k == nil {
		return nil
	}
	return k.dir.close()
}

// Detach ends what an agent has left behind that ran with daemon.persist, and
// reports whether there was anything. It refuses while an agent is at work with it.
func Detach(d config.Daemon) (found bool, err error) {
	dir, err := openState(d.StateDirectory)
	if err != nil {
		return false, fmt.Errorf("detach: %w", err)
	}
	found, err = bpf.Unpin(d.PinDirectory)
	return found, errors.Join(err, dir.remove(), dir.close())
}
