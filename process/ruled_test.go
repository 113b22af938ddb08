package process

import (
	"strconv"
	"testing"
)

// numberRules judge programs by their names, which are numbers. The bits of seed turn
// rules on and off.
type numberRules int

// testOpen is how long children wait for a rule that matches by the end.
const testOpen = 12

func numberOf(im *Image) int {
	n, _ := strconv.Atoi(base(im.Executable))
	return n
}

func (r numberRules) Programs() []string { return []string{"fifth", "seventh"} }

func (r numberRules) DropsTree(rule string) bool { return rule == "tree" && r&1 != 0 }

func (r numberRules) Program(im *Image) (bits uint64) {
	if n := numberOf(im); n%5 == 0 {
		bits |= 1
	} else if n%7 == 1 {
		bits |= 2
	}
	return bits
}

func (r numberRules) Start(c *Candidate) *Ruling { return r.judge(numberOf(c.Image), c.Kin, nil) }

func (r numberRules) End(_ *Ruling, c *Candidate, l *Lifetime) *Ruling {
	return r.judge(numberOf(c.Image), c.Kin, l)
}

// judge decides by the first rule that matches; l is nil at the start.
func (r numberRules) judge(n int, kin Kin, l *Lifetime) *Ruling {
	ruling := &Ruling{}
	failed := l != nil && l.Status != 0 && !l.Expected
	rule := func(name string, on, match bool, action Action, keepFailed bool) {
		if on && match && ruling.Action == NoAction {
			ruling.Rule, ruling.Action, ruling.KeepFailed = name, action, keepFailed
		}
	}
	late := func(name string, on, match, end bool, action Action) {
		if l != nil {
			rule(name, on, match && end, action, false)
		} else if on && match {
			ruling.Late = r
			if action == Drop && ruling.Action == NoAction {
				ruling.Open = testOpen
			}
		}
	}
	on := func(bit int) bool { return int(r)>>bit&1 != 0 }
	rule("tree", on(0), n%11 == 3, DropTree, on(1))
	rule("below", on(2), kin.Ancestors&1 != 0 && n%3 == 0, Drop, false)
	late("good", on(3), n%3 == 1, !failed, Drop)
	late("bad", on(4), n%4 == 1, failed, Keep)
	rule("kept", on(5), kin.Parent&2 != 0, Keep, false)
	rule("even", on(6), n%4 == 2, Drop, on(7))
	rule("some", on(8), n%2 == 1, Sample, on(9))
	if ruling.Action == Sample {
		ruling.Threshold, ruling.TraceState = 1<<55, "ot=th:8"
	}
	if on(10) && n%5 == 2 {
		ruling.Trace = uint64(1 + n%2)
	}
	if n%9 == 4 {
		ruling.Treatment = &Treatment{SpanName: "command", Set: []Setting{{"a", "b"}}, Expected: []Status{1 << 8}}
		ruling.Bytes = 2 * (n & 1)
	}
	if ruling.drops() {
		ruling.Open = 0
	}
	if ruling.Action == NoAction && ruling.Late == nil && ruling.Trace == 0 && ruling.Treatment == nil {
		return nil
	}
	return ruling
}

// kinOf returns what p has from its ancestors.
func (r numberRules) kinOf(p *proc) Kin {
	q := p.forker
	if q == nil {
		return Kin{}
	}
	kin := r.kinOf(q)
	if im := q.imageAt(p.id.Start); im != nil {
		kin.Parent = r.Program(im)
		kin.Ancestors |= kin.Parent
	}
	return kin
}

// imageAt returns what p had executed by then, or nil.
func (p *proc) imageAt(now Time) (im *Image) {
	for i := range p.execs {
		if p.execs[i].at <= now {
			im = &p.execs[i].image
		}
	}
	return im
}

// treeOf returns the ruling that dropped p with its tree, and from when on; nil is none.
func (r numberRules) treeOf(p *proc) (ruling *Ruling, since Time) {
	if p.forker != nil {
		if above, from := r.treeOf(p.forker); above != nil && from <= p.id.Start {
			return above, p.id.Start
		}
	}
	for _, e := range p.execs {
		if ruling := r.judge(numberOf(&e.image), r.kinOf(p), nil); ruling != nil && ruling.Action == DropTree {
			return ruling, e.at
		}
	}
	return nil, 0
}

// rulings returns what decides on p, which has ended: at its last exec, and at its end.
func (r numberRules) rulings(p *proc) (start, end *Ruling, failed bool) {
	im := p.imageAt(p.end)
	l := &Lifetime{Status: p.status}
	tree, _ := r.treeOf(p)
	if start = tree; tree == nil {
		start = r.judge(numberOf(im), r.kinOf(p), nil)
	}
	l.Expected = p.status != 0 && start.expects(p.status)
	if end = start; tree == nil {
		if again := r.judge(numberOf(im), r.kinOf(p), l); start != nil {
			end = again
		}
	}
	return start, end, p.status.ExitCode() != 0 && !l.Expected
}

// TestRulesAgree: without boundaries, exactly those are dropped that the rules drop,
// unless a span that is sent refers to them; all others hang on their nearest ancestor
// that is sent.
func TestRulesAgree(t *testing.T) {
	sent, dropped, leftOut, kept, promises := 0, 0, 0, 0, 0
	for seed := range uint64(160) {
		h := wholeHistory(seed)
		rules := numberRules(seed * 37 & 0xff) // no sampling, no jobs
		h.policy = Policy{Rules: rules}
		out := h.place(t, true)
		referred := map[SpanID]bool{}
		for _, l := range out.ended {
			referred[l.ParentSpan] = true
		}
		none := 0
		for _, p := range h.k.dead {
			if len(p.execs) == 0 {
				continue
			}
			start, end, failed := rules.rulings(p)
			l := out.byID[p.id]
			drop := end.drops() && !(failed && end.KeepFailed)
			switch {
			case l == nil && !drop:
				t.Errorf("%v is dropped, rulings %+v, %+v", p.id, start, end)
			case l == nil:
				none++
				continue
			case drop && !referred[l.Context.Span]:
				t.Errorf("%v is sent, ruling %+v", p.id, end)
			case drop:
				promises++
			case start.drops():
				kept++
			}
			leftOut += l.Filtered
			// Children did not wait for one that was dropped from the start.
			up := p.wantParent(&h.seen)
			for up != nil && l.Parent != up.id {
				start, _, _ := rules.rulings(up)
				if out.byID[up.id] != nil && !start.drops() && !everDropped(rules, up) {
					break
				}
				up = up.wantParent(&h.seen)
			}
			want := SpanID{}
			if up != nil {
				want = testIDs.SpanID(up.id)
			}
			if l.Parent != up.ident() || l.ParentSpan != want || l.Context.Trace != testIDs.TraceID(l.Root) {
				t.Errorf("%v hangs on %v, want %v", p.id, l.Parent, up.ident())
			}
		}
		if stats := out.table.Stats(); int(stats.Dropped) != none || stats.Filtered != 0 {
			t.Errorf("%d are dropped, want %d: %+v", stats.Dropped, none, stats)
		}
		out.sound(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		sent += len(out.ended)
		dropped += none
	}
	if sent < 1000 || dropped < 1000 || leftOut < 150 || kept < 100 || promises < 20 {
		t.Errorf("%d sent, %d dropped, %d counted on others, %d kept as failures, %d because others refer to them: these test little", sent, dropped, leftOut, kept, promises)
	}
}

// everDropped reports whether a program that p executed was dropped at its exec.
func everDropped(rules numberRules, p *proc) bool {
	for _, e := range p.execs {
		if rules.judge(numberOf(&e.image), rules.kinOf(p), nil).drops() {
			return true
		}
	}
	return false
}

// TestSampledByRules: all of a trace is exported, or nothing but failures.
func TestSampledByRules(t *testing.T) {
	whole, none := 0, 0
	for seed := range uint64(80) {
		h := wholeHistory(seed)
		rules := numberRules(1<<8 | seed&1<<9)
		h.policy = Policy{Rules: rules}
		out := h.place(t, true)
		exported := map[ID]bool{}
		for _, l := range out.ended {
			if l.Boundary != BoundarySampling {
				exported[l.Root] = true
			}
		}
		for _, p := range h.k.dead {
			if len(p.execs) == 0 {
				continue
			}
			root := p.wantRoot(&h.seen).id
			l := out.byID[p.id]
			own := l == nil || l.Boundary == BoundarySampling
			_, _, failed := rules.rulings(p)
			switch sampled := testIDs.TraceID(root); {
			case exported[root] == own:
				t.Errorf("%v is not like its trace: %+v", p.id, l)
			case l != nil && own && (!failed || rules>>9 == 0):
				t.Errorf("kept although it is not sampled: %+v", l)
			case !own && l.TraceState != "" && (l.TraceState != "ot=th:8" || sampled.random() < 1<<55):
				t.Errorf("sampled with %q: %+v", l.TraceState, l)
			case own:
				none++
			default:
				whole++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if whole < 300 || none < 300 {
		t.Errorf("%d exported, %d not: these test little", whole, none)
	}
}
