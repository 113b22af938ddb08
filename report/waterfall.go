package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

const (
	// foldFrom is how many alike siblings make one row.
	foldFrom = 9
	// standsAlone is the share of the elapsed time from which on a process that
	// holds the critical path for it, with all below it, is not folded with others.
	standsAlone = 0.1
	// DefaultRows is how many rows a waterfall has, unless all are wanted.
	DefaultRows = 60
	// durationWidth is the width of the column between label and bar.
	durationWidth = 8
	// minWidth is the least width, in columns.
	minWidth = 60
)

// node is a row to be: a process, or alike siblings.
type node struct {
	processes []int32 // more than one: alike siblings
	children  []int   // nodes
	parent    int     // node, or None
	more      int     // processes below that are not shown
	moreTime  time.Duration
	held      int64 // of the critical path, with all below
	failed    bool  // it, or what is below it
	shown     bool
}

// waterfall is a tree of rows with a bar each on a common time line.
type waterfall struct {
	a          *timeline.Analysis
	nodes      []node
	roots      []int
	begin, end int64
	label, bar int // widths of the columns
}

// Waterfall writes the job as a tree, width columns wide. It has `rows` rows at
// most, those that matter the most; 0 is all processes, each with a row of its own.
// Alike siblings without children share a row. Where rows do not suffice, so do
// those with children, and their children.
func Waterfall(w io.Writer, a *timeline.Analysis, width, rows int) error {
	if a.Len() == 0 {
		return nil
	}
	f := newWaterfall(a, max(width, minWidth), rows)
	f.choose(rows)
	out := bufio.NewWriter(w)
	f.write(out)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the waterfall: %w", err)
	}
	return nil
}

func newWaterfall(a *timeline.Analysis, width, rows int) *waterfall {
	f := &waterfall{a: a, begin: a.Start[0]}
	for i := range a.Len() {
		f.begin, f.end = min(f.begin, a.Start[i]), max(f.end, a.End[i])
	}
	f.bar = width / 3
	f.label = width - f.bar - durationWidth - 4
	if rows <= 0 {
		f.group(foldNone)
	} else if f.group(foldLeaves); len(f.nodes) > rows {
		f.nodes, f.roots = nil, nil
		f.group(foldTrees)
	}
	f.sum()
	return f
}

// folding says which alike siblings share a node.
type folding int

const (
	foldNone   folding = iota
	foldLeaves         // those without children
	foldTrees          // all but those that matter by themselves
)

// group makes the nodes, from the roots downwards.
func (f *waterfall) group(fold folding) {
	type key struct {
		parent  int // node
		program timeline.Text
		leaf    bool
	}
	a := f.a
	var alone []bool
	if fold == foldTrees {
		alone = f.alone()
	}
	of := make([]int, a.Len()) // the node of each process
	var level, next []int32
	for i, p := range a.Parent {
		if p == timeline.None {
			level = append(level, int32(i))
		}
	}
	for ; len(level) > 0; level, next = next, level[:0] {
		keyOf := func(i int32) (k key, folds bool) {
			k = key{timeline.None, a.Program[i], len(a.Children(int(i))) == 0}
			if p := a.Parent[i]; p != timeline.None {
				k.parent = of[p]
			}
			return k, fold >= foldLeaves && k.leaf || fold == foldTrees && !alone[i]
		}
		alike := make(map[key]int)
		for _, i := range level {
			if k, folds := keyOf(i); folds {
				alike[k]++
			}
		}
		groups := make(map[key]int)
		for _, i := range level {
			k, folds := keyOf(i)
			shared := k.parent != timeline.None && len(f.nodes[k.parent].processes) > 1
			folds = folds && (shared || alike[k] >= foldFrom)
			at, open := groups[k]
			if !folds || !open {
				at = f.add(k.parent)
				if folds {
					groups[k] = at
				}
			}
			f.nodes[at].processes = append(f.nodes[at].processes, i)
			of[i] = at
			next = append(next, a.Children(int(i))...)
		}
		slices.Sort(next) // by start
	}
}

// add adds a node.
func (f *waterfall) add(parent int) int {
	at := len(f.nodes)
	f.nodes = append(f.nodes, node{parent: parent})
	if parent == timeline.None {
		f.roots = append(f.roots, at)
	} else {
		f.nodes[parent].children = append(f.nodes[parent].children, at)
	}
	return at
}

// alone says of each process whether it, or one below it, failed or holds much of
// the critical path.
func (f *waterfall) alone() []bool {
	a := f.a
	alone, held := make([]bool, a.Len()), slices.Clone(a.Path.Held)
	for i := a.Len() - 1; i >= 0; i-- { // children come behind their parents
		alone[i] = alone[i] || a.Has(i, timeline.Failed) || float64(held[i]) > standsAlone*float64(a.Elapsed)
		if p := a.Parent[i]; p != timeline.None {
			held[p] += held[i]
			alone[p] = alone[p] || alone[i]
		}
	}
	return alone
}

// sum says of each node what it and all below it hold and whether any failed.
func (f *waterfall) sum() {
	for at := len(f.nodes) - 1; at >= 0; at-- {
		n := &f.nodes[at]
		for _, i := range n.processes {
			n.held += f.a.Path.Held[i]
			n.failed = n.failed || f.a.Has(int(i), timeline.Failed)
		}
		if n.parent != timeline.None {
			p := &f.nodes[n.parent]
			p.held += n.held
			p.failed = p.failed || n.failed
		}
	}
}

// choose marks the nodes that are shown: the failed, then those that hold the
// path the longest, then the longest.
func (f *waterfall) choose(rows int) {
	if rows <= 0 || len(f.nodes) <= rows {
		for at := range f.nodes {
			f.nodes[at].shown = true
		}
		return
	}
	order := make([]int, len(f.nodes))
	for at := range order {
		order[at] = at
	}
	slices.SortStableFunc(order, func(x, y int) int {
		a, b := &f.nodes[x], &f.nodes[y]
		if a.failed != b.failed {
			if a.failed {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.held, a.held), cmp.Compare(f.lived(b), f.lived(a)), cmp.Compare(x, y))
	})
	room := rows
	for _, at := range order {
		var chain []int
		cost := 0
		for n := at; n != timeline.None && !f.nodes[n].shown; n = f.nodes[n].parent {
			chain = append(chain, n)
			cost++
			if len(f.nodes[n].children) > 0 {
				cost++ // the row that says how many are not shown
			}
		}
		if cost > room {
			continue
		}
		for _, n := range chain {
			f.nodes[n].shown = true
		}
		room -= cost
	}
	for at := len(f.nodes) - 1; at >= 0; at-- {
		n := &f.nodes[at]
		if n.shown || n.parent == timeline.None {
			continue
		}
		p := &f.nodes[n.parent]
		p.more += len(n.processes) + n.more
		p.moreTime += f.lived(n)
		if !p.shown {
			p.moreTime -= f.lived(n) // the time of what is below it counts with it
		}
	}
}

func (f *waterfall) lived(n *node) (sum time.Duration) {
	for _, i := range n.processes {
		sum += f.a.Duration(int(i))
	}
	return sum
}

// entry is a row that is about to be written.
type entry struct {
	node         int // None: how many are not shown
	more         *node
	lead, indent string
}

func (f *waterfall) write(w io.Writer) {
	var stack []entry
	for _, at := range slices.Backward(f.roots) {
		if f.nodes[at].shown {
			stack = append(stack, entry{node: at})
		}
	}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if e.node == timeline.None {
			f.line(w, e.lead+"… "+counted(e.more.more, "more process", "more processes"), e.more.moreTime, "")
			continue
		}
		n := &f.nodes[e.node]
		f.row(w, n, e.lead)
		var below []entry
		for _, c := range n.children {
			if f.nodes[c].shown {
				below = append(below, entry{node: c})
			}
		}
		if n.more > 0 {
			below = append(below, entry{node: timeline.None, more: n})
		}
		for i := range below {
			switch {
			case console.Width(e.indent) >= f.label/2:
				// Labels need the other half, and growing indents would make the memory
				// of a long chain quadratic.
				below[i].lead, below[i].indent = e.indent+"└ ", e.indent
			case i == len(below)-1:
				below[i].lead, below[i].indent = e.indent+"└ ", e.indent+"  "
			default:
				below[i].lead, below[i].indent = e.indent+"├ ", e.indent+"│ "
			}
		}
		slices.Reverse(below)
		stack = append(stack, below...)
	}
}

func (f *waterfall) row(w io.Writer, n *node, lead string) {
	a, i := f.a, int(n.processes[0])
	if len(n.processes) == 1 {
		label := lead + line(a, i)
		if end := a.Outcome(i); end != "" {
			mark := " ✗ "
			if !a.Has(i, timeline.Failed) {
				mark = " · "
			}
			label = console.Fit(label, max(f.label-console.Width(end)-3, 0)) + mark + end
		}
		f.line(w, label, a.Duration(i), f.bars(n))
		return
	}
	label := fmt.Sprintf("%s%s × %d", lead, console.Printable(a.Name(i)), len(n.processes))
	failed := 0
	for _, j := range n.processes {
		if a.Has(int(j), timeline.Failed) {
			failed++
		}
	}
	if failed > 0 {
		label += fmt.Sprintf(" ✗ %d failed", failed)
	}
	f.line(w, label, f.lived(n), f.bars(n))
}

func (f *waterfall) line(w io.Writer, label string, d time.Duration, bars string) {
	label = console.Pad(console.Fit(label, f.label), f.label)
	time := console.Duration(d)
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s %s%s  %s", label, strings.Repeat(" ", max(0, durationWidth-console.Width(time))), time, bars), " "))
}

// bars draws the lives of a row on the time line, at least one block long.
func (f *waterfall) bars(n *node) string {
	span := max(f.end-f.begin, 1)
	column := func(at int64) int { return int(float64(at-f.begin) / float64(span) * float64(f.bar)) }
	cells, last := make([]bool, f.bar), 0
	for _, i := range n.processes {
		from := min(column(f.a.Start[i]), f.bar-1)
		to := min(max(column(f.a.End[i]), from+1), f.bar)
		for c := from; c < to; c++ {
			cells[c] = true
		}
		last = max(last, to)
	}
	var b strings.Builder
	for _, busy := range cells[:last] {
		if busy {
			b.WriteString("█")
		} else {
			b.WriteString("·")
		}
	}
	return b.String()
}
