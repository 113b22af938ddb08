package process

import (
	"fmt"
	"strconv"
	"testing"
)

// story is a history told to a Table by names: each verb is one event of the
// kernel, heard by the table unless it is lost. Every process has the name it
// was forked under; a pid is given out again by forkAs.
type story struct {
	t     *testing.T
	k     *kernel
	table *Table
	names map[string]*proc
	forks uint32
	deaf  bool
	// unchecked: the story is too long to check the table at each step.
	unchecked bool
	last      Event
	got       []*Lifetime
}

func newStory(t *testing.T, limits Limits) *story { return newStoryUnder(t, limits, Policy{}) }

func newStoryUnder(t *testing.T, limits Limits, policy Policy) *story {
	k := newKernel()
	return &story{t: t, k: k, table: NewTable(limits, policy, testIDs), names: map[string]*proc{"init": k.init()}}
}

var testIDs = NewIDs(testBootID)

var roomy = Limits{Processes: 1000, Bytes: 1 << 20}

func (s *story) proc(name string) *proc {
	s.t.Helper()
	p := s.names[name]
	if p == nil {
		s.t.Fatalf("the story has no process %q", name)
	}
	return p
}

func (s *story) hear(ev Event) {
	s.last = ev
	if s.deaf {
		return
	}
	s.got = append(s.got, s.table.Apply(&ev)...)
	if !s.unchecked {
		check(s.t, s.table)
		checkCaps(s.t, s.table)
	}
}

// lose makes the table miss the events of tell.
func (s *story) lose(tell func()) {
	s.deaf = true
	tell()
	s.deaf = false
}

func (s *story) fork(parent, child string) {
	s.t.Helper()
	s.forks++
	s.forkAs(parent, child, 10+s.forks)
}

func (s *story) forkAs(parent, child string, pid uint32) {
	s.t.Helper()
	p, ev := s.k.fork(s.proc(parent), pid)
	s.names[child] = p
	s.hear(ev)
}

func (s *story) forkSibling(parent, child string) {
	s.t.Helper()
	s.forks++
	p, ev := s.k.forkSibling(s.proc(parent), 10+s.forks)
	s.names[child] = p
	s.hear(ev)
}

func (s *story) exec(name string) { s.t.Helper(); s.execFile(name, "/bin/"+name) }

func (s *story) execFile(name, path string) {
	s.t.Helper()
	s.hear(s.k.exec(s.proc(name), Image{Filename: path, Executable: path, Args: path + "\x00", ArgsCount: 1}))
}

func (s *story) exit(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.hear(s.k.exit(s.proc(name), 0))
	}
}

// strike has a process send what a will die of.
func (s *story) strike(killer string) { s.t.Helper(); s.k.strike(s.proc(killer), s.proc("a")) }

// fail ends processes with exit status 1.
func (s *story) fail(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.hear(s.k.exit(s.proc(name), 1<<8))
	}
}

func (s *story) run(parent, child string) { s.t.Helper(); s.fork(parent, child); s.exec(child) }

func (s *story) adopt(names ...string) {
	s.t.Helper()
	var living []Living
	for _, name := range names {
		living = append(living, s.k.snapshot(s.proc(name)))
	}
	s.table.Adopt(living)
	check(s.t, s.table)
}

// sweep compares the table with the living, which have these names.
func (s *story) sweep(names ...string) {
	s.t.Helper()
	now := s.k.tick()
	var living []Living
	for _, name := range names {
		living = append(living, s.k.snapshot(s.proc(name)))
	}
	s.got = append(s.got, s.table.Gone(s.table.Unlisted(living, now), now)...)
	check(s.t, s.table)
	s.adopt(names...)
}

func (s *story) name(id ID) string {
	for name, p := range s.names {
		if p.id == id {
			return name
		}
	}
	if id.IsZero() {
		return "-"
	}
	return fmt.Sprint("stranger", id)
}

// lines renders the lifetimes: name, parent's name, root's name, and, where the
// start is not the first exec, what it is.
func (s *story) lines() []string {
	lines := []string{}
	for _, l := range s.got {
		p := s.proc(s.name(l.ID))
		line := fmt.Sprintf("%s under %s in %s", s.name(l.ID), s.name(l.Parent), s.name(l.Root))
		switch {
		case l.StartEstimated && l.Start == p.id.Start:
			line += ", start estimated"
		case l.StartEstimated || l.Start != p.execs[0].at:
			line += fmt.Sprintf(", start %d wrong", l.Start)
		}
		switch {
		case l.EndEstimated && l.End >= p.end:
			line += ", end estimated"
		case l.EndEstimated || l.End != p.end:
			line += fmt.Sprintf(", end %d wrong", l.End)
		}
		if l.ParentPID != p.execs[len(p.execs)-1].parent.id.PID {
			line += ", parent pid of " + strconv.Itoa(int(l.ParentPID))
		}
		if len(l.Reexecs) > 0 {
			line += fmt.Sprintf(", %d re-execs", len(l.Reexecs))
		}
		lines = append(lines, line)
	}
	return lines
}
