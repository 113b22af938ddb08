package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a configuration. No problem quotes a
// header's value or the user and password of an endpoint.
type Problem struct {
	// Name is the file as the caller named it; "" for a variable.
	Name string
	// Line counts from 1; 0 where no line is to blame.
	Line int
	// Path is the key from the root, "a.b[0].c", or the variable's name.
	Path string
	// Text is what is wrong, what was found and the cure.
	Text string
}

// String returns "NAME:LINE: PATH: TEXT", without the parts that are not known.
func (p Problem) String() string {
	var b strings.Builder
	if p.Name != "" {
		b.WriteString(p.Name)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Invalid is the error for a configuration that cannot be used. It holds every
// problem, in the order of the lines.
type Invalid struct {
	Problems []Problem
}

// Error returns one line for each problem.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// invalid returns nil where there is no problem.
func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Invalid{Problems: problems}
}

// quote makes what the user wrote fit for one line of an error.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "…"
	}
	return strconv.Quote(s)
}

// choice returns "b", or "one of a, b".
func choice(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}
