package console

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/procspan/procspan/process"
)

// Waterfall writes finished lifetimes as a tree, each with its bar on a common
// time line, width characters wide. Lifetimes whose parent is not among them
// stand at the top.
func Waterfall(w io.Writer, lifetimes []*process.Lifetime, width int) error {
	if len(lifetimes) == 0 {
		return nil
	}
	f := newWaterfall(lifetimes, width)
	out := bufio.NewWriter(w)
	for _, l := range f.roots {
		f.tree(out, l, "", "")
	}
	return out.Flush()
}

type waterfall struct {
	roots      []*process.Lifetime
	children   map[process.ID][]*process.Lifetime
	begin, end uint64
	label, bar int // widths of the columns
}

// The columns between label and bar: duration and outcome.
const durationWidth = 8

func newWaterfall(lifetimes []*process.Lifetime, width int) *waterfall {
	f := &waterfall{children: make(map[process.ID][]*process.Lifetime)}
	known := make(map[process.ID]bool, len(lifetimes))
	for _, l := range lifetimes {
		known[l.ID] = true
	}
	f.begin, f.end = lifetimes[0].Start, lifetimes[0].End
	for _, l := range lifetimes {
		f.begin, f.end = min(f.begin, l.Start), max(f.end, l.End)
		if known[l.Parent] && l.Parent != l.ID {
			f.children[l.Parent] = append(f.children[l.Parent], l)
		} else {
			f.roots = append(f.roots, l)
		}
	}
	byStart := func(a, b *process.Lifetime) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID.PID, b.ID.PID))
	}
	slices.SortFunc(f.roots, byStart)
	for _, siblings := range f.children {
		slices.SortFunc(siblings, byStart)
	}
	width = max(width, 60)
	f.bar = width / 3
	f.label = width - f.bar - durationWidth - 4
	return f
}

// tree writes l and what descends from it. lead stands before its own label,
// indent before those of its children.
func (f *waterfall) tree(w io.Writer, l *process.Lifetime, lead, indent string) {
	label := lead + commandLine(l)
	if end := outcome(l); end != "" {
		room := max(f.label-utf8.RuneCountInString(end)-3, 0)
		mark := " ✗ "
		if l.Expected || l.EndEstimated {
			mark = " · "
		}
		label = fit(label, room) + mark + end
	}
	label = fit(label, f.label)
	pad := strings.Repeat(" ", f.label-utf8.RuneCountInString(label))
	fmt.Fprintf(w, "%s%s %*s  %s\n", label, pad, durationWidth, short(duration(l)), f.bars(l))
	children := f.children[l.ID]
	for i, child := range children {
		switch {
		case utf8.RuneCountInString(indent) >= f.label/2:
			// Deeper down the labels need the room, and a long chain of
			// ever longer indents would take memory with the square of it.
			f.tree(w, child, indent+"└ ", indent)
		case i == len(children)-1:
			f.tree(w, child, indent+"└ ", indent+"  ")
		default:
			f.tree(w, child, indent+"├ ", indent+"│ ")
		}
	}
}

// bars draws the lifetime on the time line, at least one mark long.
func (f *waterfall) bars(l *process.Lifetime) string {
	span := max(f.end-f.begin, 1)
	column := func(at uint64) int {
		return int(float64(at-f.begin) / float64(span) * float64(f.bar))
	}
	from := min(column(l.Start), f.bar-1)
	to := max(column(l.End), from+1)
	return strings.Repeat("·", from) + strings.Repeat("█", to-from)
}

// commandLine is what a person would have typed.
func commandLine(l *process.Lifetime) string {
	var words []string
	for arg := range l.Image.Arguments() {
		words = append(words, Printable(arg))
	}
	if len(words) == 0 {
		return Printable(l.Name())
	}
	// The kernel puts a script's interpreter, and perhaps one argument for it,
	// before the script.
	if script := slices.Index(words[:min(3, len(words))], Printable(l.Image.Filename)); script > 0 {
		words = words[script:]
	}
	words[0] = Printable(l.Name())
	line := strings.Join(words, " ")
	if l.Image.ArgsCut {
		line += " …"
	}
	return line
}

// Span returns the time from the first start to the last end.
func Span(lifetimes []*process.Lifetime) time.Duration {
	if len(lifetimes) == 0 {
		return 0
	}
	f := newWaterfall(lifetimes, 0)
	return time.Duration(f.end - f.begin)
}
