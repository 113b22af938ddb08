package agent

import (
	"slices"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/process"
)

const (
	// sweepAfter is how long after events were lost the living are looked at: when
	// the burst that they were lost in may be over. It is also how often.
	sweepAfter = 5 * time.Second
	// sweepEvery is how often they are looked at though nothing is known to be
	// lost: some kernels skip a program without counting it.
	sweepEvery = 10 * time.Minute
)

// sweeper knows when to look for processes that ended, or began, unseen.
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
	if !s.waits() || now.Before(s.due) {
		return false
	}
	s.due, s.last = time.Time{}, now
	return true
}

// waits reports whether there is to be a sweep soon.
func (s *sweeper) waits() bool { return !s.due.IsZero() }

// owed reports whether something was lost that no sweep has looked after yet.
func (s *sweeper) owed(losses []bpf.Loss) bool {
	return s.waits() || eventsLost(losses) != s.lost
}

func eventsLost(losses []bpf.Loss) (n uint64) {
	for _, l := range losses {
		if l.Concerns != bpf.Detail {
			n += l.Count
		}
	}
	return n
}

// sweep compares the table with the processes that live: it ends those that
// ended unseen, and takes in those that began unseen.
func (f *flow) sweep() error {
	if !bpf.SeesAll() {
		f.log.Warn("processes whose exit was lost are not looked for: this pid namespace shows some of the processes only",
			"cure", "run procspan in the host's pid namespace (--pid=host)")
		return nil
	}
	before := bootTime()
	listed, err := f.tracer.Living()
	if err != nil {
		return err
	}
	by := bootTime()
	// What the list does not have any more, and what it has already, stands in
	// the ring, unless it was lost. Strangers are none of our business.
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
	// A process that execs from a thread of its own changes places in the list
	// meanwhile; one may also have ended.
	if listed, err = f.tracer.Living(); err != nil {
		return err
	}
	there := make(map[process.ID]process.Living, len(listed))
	for _, p := range listed {
		there[p.ID] = p
	}
	gone = slices.DeleteFunc(gone, func(id process.ID) bool { _, ok := there[id]; return ok })
	var found []process.Living
	for _, p := range unknown {
		if now, ok := there[p.ID]; ok && !now.Ending {
			found = append(found, now)
		}
	}
	f.look(found)
	f.handOn(f.table.Adopt(found))
	// An exit that is in the ring by now is the better word.
	if err := f.catchUp(); err != nil {
		return err
	}
	f.handOn(f.table.Gone(gone, by))
	f.log.Info("looked for processes whose events were lost", "ended_unseen", len(gone), "began_unseen", len(found))
	return nil
}
