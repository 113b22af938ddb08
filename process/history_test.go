package process

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
)

// history is a random one of a machine and of an agent that watches it, made
// from bytes: the agent attaches at some step, lists the living at a later one,
// and from then on hears what happened since it attached.
type history struct {
	in     []byte
	k      *kernel
	limits Limits
	// rich: processes also change their groups and environment, and the table has a
	// policy.
	rich   bool
	policy Policy
	// lossy says that some records are lost. Without losses and evictions the
	// table must know exactly what the model knows.
	lossy bool
	// doubled: some exits are reported twice.
	doubled bool
	// attachAt and listAt are steps.
	attachAt, listAt int
	// ring has the events for the table, living the processes that it adopts before.
	ring   []Event
	living []Living
	// seen is what the agent saw.
	seen   observer
	images int
}

func (h *history) byte() int {
	if len(h.in) == 0 {
		return 0
	}
	b := h.in[0]
	h.in = h.in[1:]
	return int(b)
}

// newHistory lets it happen: up to two bytes a step.
func newHistory(in []byte) *history {
	h := &history{in: in, k: newKernel(), limits: Limits{Processes: 1 << 20, Bytes: 1 << 30}}
	flags := h.byte()
	h.lossy, h.doubled = flags&1 != 0, flags&2 != 0
	if flags&4 != 0 {
		h.limits.Processes = h.byte() % 32
	}
	if flags&8 != 0 {
		h.limits.Bytes = h.byte() * 16
	}
	if h.rich = flags&16 != 0; h.rich {
		h.policy = randomPolicy(h.byte)
	}
	h.attachAt = h.byte() % 64
	h.listAt = h.attachAt + h.byte()%16
	// Few pids, for much reuse; or many.
	pids := uint32(4 + h.byte()%60)
	if flags&32 != 0 {
		pids = 1 << 20
	}
	next := uint32(2)

	for i := 0; ; i++ {
		if i == h.attachAt {
			h.seen = observer{attached: h.k.tick(), listed: map[ID]*listed{}}
		}
		if i == h.listAt {
			for _, p := range h.k.byAge() {
				h.living = append(h.living, h.k.snapshot(p))
				h.seen.listed[p.id] = &listed{parent: p.parent, execed: len(p.execs) > 0}
			}
			rand.New(rand.NewPCG(uint64(i), 1)).Shuffle(len(h.living), func(a, b int) {
				h.living[a], h.living[b] = h.living[b], h.living[a]
			})
		}
		if len(h.in) == 0 && i >= h.listAt {
			return h
		}
		what, who := h.byte(), h.byte()
		all := h.k.byAge()
		p := all[who%len(all)]
		if h.rich && what&7 == 6 {
			if h.unknowable(p, i) {
				continue
			}
			if h.belong(p, what>>3); what>>3 != 31 {
				continue
			}
			h.k.setenv(p, "TRACEPARENT="+ownTraceparent(p)) // and it execs
		}
		switch {
		case what&3 == 0 || what&3 == 1 && len(all) < 3:
			if len(all) >= min(int(pids), 64) {
				continue
			}
			free := pids
			for ; free > 0 && h.k.taken(next); free-- {
				next = 2 + (next-1)%pids
			}
			if free == 0 {
				continue
			}
			_, ev := h.k.fork(p, next)
			h.tell(ev, i, what)
			next = 2 + (next-1)%pids
		case what&3 == 3:
			if p == h.k.init() || h.unknowable(p, i) {
				continue
			}
			status := Status(what >> 2)
			if h.rich {
				status = Status(what & 0x40 << 2) // every other one fails
			}
			if what&8 != 0 {
				h.k.strike(all[(who>>2)%len(all)], p)
			}
			h.tell(h.k.exit(p, status), i, what)
		default:
			if h.unknowable(p, i) {
				continue
			}
			h.images++
			if what&8 != 0 { // which becomes another program before the other ends
				h.k.strike(p, all[(who>>2)%len(all)])
			}
			name := "/bin/" + strconv.Itoa(h.images)
			h.tell(h.k.exec(p, Image{Filename: name, Executable: name, Args: name + "\x00", ArgsCount: 1}), i, what)
		}
	}
}

// unknowable says that what p does between the attaching and the listing
// cannot be told right by anybody: p is older than the first, and will have
// become another program, or have gone, at the second. An agent that loses
// records anyway shall cope with it.
func (h *history) unknowable(p *proc, step int) bool {
	return !h.lossy && step >= h.attachAt && step < h.listAt && p.id.Start < h.seen.attached
}

func (h *history) tell(ev Event, step, what int) {
	if step < h.attachAt || h.lossy && what&0x38 == 0x38 {
		return
	}
	h.ring = append(h.ring, ev)
	if h.doubled && ev.Kind == Exit {
		h.ring = append(h.ring, ev)
	}
}

// run gives the history to a table and checks what comes out. It returns how
// many lifetimes that was.
func (h *history) run(t *testing.T) int {
	t.Helper()
	table := NewTable(h.limits, Policy{}, testIDs)
	table.Adopt(slices.Clone(h.living))
	check(t, table)
	ended := map[ID]*Lifetime{}
	for i := range h.ring {
		for _, l := range table.Apply(&h.ring[i]) {
			if ended[l.ID] != nil {
				t.Fatalf("%v has a second lifetime", l.ID)
			}
			ended[l.ID] = l
		}
		check(t, table)
		if i%5 == 4 {
			table = replaced(t, table)
			check(t, table)
		}
	}
	stats := table.Stats()
	if int(stats.Ended) != len(ended) {
		t.Errorf("stats tell of %d lifetimes, it were %d", stats.Ended, len(ended))
	}

	dead := map[ID]*proc{}
	for _, p := range h.k.dead {
		dead[p.id] = p
	}
	for id, l := range ended {
		p := dead[id]
		if p == nil {
			t.Fatalf("%v has a lifetime and has not ended", id)
		}
		h.sound(t, p, l, ended, stats)
	}
	for id, p := range dead {
		switch want := p.want(&h.seen); {
		case h.lossy:
		case (want == nil) != (ended[id] == nil):
			t.Errorf("lifetime of %v is %+v, want %+v", id, ended[id], want)
		case want != nil && stats.Evicted == 0:
			h.same(t, p, ended[id], want, stats.Shed > 0)
		}
	}
	if !h.lossy && stats.Evicted == 0 {
		if stats.Estimated != 0 {
			t.Errorf("%d ends are estimated of a history without losses", stats.Estimated)
		}
		if stats.Living != len(h.k.living) {
			t.Errorf("the table holds %d, %d live", stats.Living, len(h.k.living))
		}
	}
	if t.Failed() {
		t.Logf("attached at %d, adopted:", h.seen.attached)
		for _, p := range h.living {
			t.Logf("\t%+v", p)
		}
		for _, ev := range h.ring {
			t.Logf("\t%+v", ev)
		}
	}
	return len(ended)
}

// sound checks what holds of each lifetime, whatever was lost.
func (h *history) sound(t *testing.T, p *proc, l *Lifetime, ended map[ID]*Lifetime, stats Stats) {
	t.Helper()
	if len(p.execs) == 0 {
		t.Errorf("%v never executed a program and has a lifetime", l.ID)
		return
	}
	if l.Start > l.End || l.Start < l.ID.Start || l.End != p.end && !(l.EndEstimated && h.lossy && l.End > p.end) {
		t.Errorf("%v is from %d to %d; it was forked at %d and ended at %d", l.ID, l.Start, l.End, l.ID.Start, p.end)
	}
	if (l.Status != p.status || l.Comm != p.comm) && !l.EndEstimated {
		t.Errorf("%v has status %d and comm %q, want %d and %q", l.ID, l.Status, l.Comm, p.status, p.comm)
	}
	if got := l.Killer.Executable; got != "" && got != p.struck.Executable {
		t.Errorf("%v was killed by %s, not %s", l.ID, p.struck.Executable, got)
	}
	if l.StartEstimated != (l.Start == l.ID.Start) {
		t.Errorf("%v starts at its fork, %t; estimated, %t", l.ID, l.Start == l.ID.Start, l.StartEstimated)
	}
	forgotten := stats.Evicted + stats.Estimated
	if forgotten == 0 && !h.lossy && (l.Parent == ID{}) != (l.Root == l.ID) {
		t.Errorf("%v has parent %v and root %v", l.ID, l.Parent, l.Root)
	}
	// A parent is an ancestor in the model; so there is no cycle.
	if !l.Parent.IsZero() && !p.descendsFrom(l.Parent) {
		t.Errorf("%v has parent %v, which is no ancestor", l.ID, l.Parent)
	}
	if l.Root != l.ID && !p.descendsFrom(l.Root) {
		t.Errorf("%v has root %v, which is no ancestor", l.ID, l.Root)
	}
	// A forgotten process may come back with another place than its children
	// remember.
	if parent := ended[l.Parent]; parent != nil && forgotten == 0 && parent.Root != l.Root {
		t.Errorf("%v is in the trace of %v, its parent %v in that of %v", l.ID, l.Root, l.Parent, parent.Root)
	}
}

// plain returns a lifetime without the details that a table gives up beyond its limit,
// but for how many execs there were.
func plain(l *Lifetime) *Lifetime {
	plain := *l
	plain.Image, plain.Reexecs, plain.ReexecsDropped = Image{}, nil, l.ReexecsDropped+len(l.Reexecs)
	return &plain
}

// same checks that got is what the model knows, but for details where some were given
// up.
func (h *history) same(t *testing.T, p *proc, got, want *Lifetime, shed bool) {
	t.Helper()
	if p.id.Start < h.seen.attached { // what /proc says does not hold everything
		if len(p.execs) > 0 && p.execs[len(p.execs)-1].at < h.seen.attached {
			image := want.Image
			image.Filename = ""
			want.Image = image
		}
		if p.execs[0].at < h.seen.attached && len(want.Reexecs) == 0 {
			for _, l := range h.living { // it may not be the one at its exec
				if l.ID == p.id {
					want.ParentPID = l.Parent.PID
				}
			}
		}
	}
	if got.Killer.Executable == "" && !p.struckUntilNow() {
		want.Killer.Executable = "" // it need not be known
	}
	if shed {
		got, want = plain(got), plain(want)
	}
	if got := facts(got); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
	}
}

// struckUntilNow reports whether the killer of p, dead, ran the same when p ended:
// the table must know that.
func (p *proc) struckUntilNow() bool {
	by := p.struckBy
	if by == nil || by != p && by.end != 0 && by.end < p.end {
		return false
	}
	last := ""
	for _, e := range by.execs {
		if e.at < p.end {
			last = e.image.Executable
		}
	}
	return last == "" || last == p.struck.Executable
}

// descendsFrom walks up the forks. Reparenting leads to an ancestor, too.
func (p *proc) descendsFrom(id ID) bool {
	for f := p.forker; f != nil; f = f.forker {
		if f.id == id {
			return true
		}
	}
	return false
}
