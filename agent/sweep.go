package agent

import (
	"slices"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
)

const (
	// sweepAfter is how long after a loss the running processes are listed: the burst
	// that caused it may be over then. It is also the shortest interval.
	sweepAfter = 5 * time.Second
	// sweepEvery is how often they are listed without a known loss: some kernels skip
	// a program without counting it.
	sweepEvery = 10 * time.Minute
)

// sweeper decides when to look for processes that ended, or began, unseen.
type sweeper struct {
	lost uint64 // events, as far as they led to a sweep
	due  time.Time
	last time.Time
}

// note takes the losses so far, and reports whether it is time for a sweep.
func (s *sweeper) note(losses []bpf.Loss, now time.Time) bool {
	if s.last.IsZero() {
		s.last = now
	}
	lost := eventsLost(losses)
	switch {
	case lost != s.lost && s.due.IsZero():
		s.due = now.Add(sweepAfter)
	case now.Sub(s.last) >= sweepEvery:
		s.due = now
	}
	s.lost = lost
	if !s.pending() || now.Before(s.due) {
		return false
	}
	s.due, s.last = time.Time{}, now
	return true
}

// retry makes a sweep due after one that failed.
func (s *sweeper) retry(now time.Time) { s.due = now.Add(sweepAfter) }

// pending reports whether a sweep is due soon.
func (s *sweeper) pending() bool { return !s.due.IsZero() }

// owed reports whether a loss is not followed by a sweep yet.
func (s *sweeper) owed(losses []bpf.Loss) bool {
	return s.pending() || eventsLost(losses) != s.lost
}

func eventsLost(losses []bpf.Loss) (n uint64) {
	for _, l := range losses {
		if l.Concerns != bpf.Detail {
			n += l.Count
		}
	}
	return n
}

// sweep compares the table with the running processes: it ends those that ended
// unseen, and adds those that began unseen. If they cannot be listed, it tries again
// later; the error is the ring's. Details are not read once done is closed.
func (f *flow) sweep(done <-chan struct{}, now time.Time) error {
	if !bpf.SeesAll() {
		f.log.Warn("cannot look for processes whose exit was lost: this pid namespace shows only some processes",
			"hint", "run procspan in the host's pid namespace (--pid=host)")
		return nil
	}
	before := bootTime()
	listed, ok := f.listRunning(now)
	if !ok {
		return nil
	}
	by := bootTime()
	// What the list lacks, or has that the table lacks, stands in the ring, unless it
	// was lost. In exec, strangers do not count.
	if err := f.catchUp(); err != nil {
		return err
	}
	gone := f.table.Unlisted(listed, before)
	unknown := slices.DeleteFunc(listed, func(p process.Living) bool {
		return f.onlyDescendants || p.KernelThread || p.Ending || p.ID.Start >= before || f.table.Has(p.ID)
	})
	if len(gone) == 0 && len(unknown) == 0 {
		return nil
	}
	// A process that execs from another thread than its first changes places in the
	// list meanwhile; and one may have ended.
	if listed, ok = f.listRunning(now); !ok {
		return nil
	}
	there := byID(listed)
	gone = slices.DeleteFunc(gone, func(id process.ID) bool { _, ok := there[id]; return ok })
	var found []process.Living
	for _, p := range unknown {
		if now, ok := there[p.ID]; ok && !now.Ending {
			found = append(found, now)
		}
	}
	f.look(done, found, 1)
	f.takeIn(found)
	// An exit that the ring has by now is more exact.
	if err := f.catchUp(); err != nil {
		return err
	}
	f.endUnseen(gone, by)
	f.log.Info("swept: found processes whose events were lost", "ended_unseen", len(gone), "began_unseen", len(found))
	return nil
}

// listRunning lists the running processes. If that fails, a sweep tries again later.
func (f *flow) listRunning(now time.Time) (all []process.Living, ok bool) {
	all, err := f.list()
	if err != nil {
		f.losses.unlisted++
		f.sweeps.retry(now)
		f.log.Warn("cannot list running processes, will retry", "error", err, "retry_after", sweepAfter)
	}
	return all, err == nil
}

func byID(all []process.Living) map[process.ID]process.Living {
	there := make(map[process.ID]process.Living, len(all))
	for _, p := range all {
		there[p.ID] = p
	}
	return there
}
