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
	// Text is what is wrong, what was found and a hint.
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

// maxProblems is how many problems are reported of one configuration; the others
// are counted.
const maxProblems = 50

// problems gathers what is wrong.
type problems struct {
	list []Problem
	more int // beyond maxProblems
}

func (p *problems) add(problem func() Problem) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, problem())
}

// err returns an *Invalid; nil where there is no problem.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Invalid{Problems: p.list, More: p.more}
}

// Invalid is the error for a configuration that cannot be used.
type Invalid struct {
	// Problems is the first 50 that were found, in the order of the lines.
	Problems []Problem
	// More is how many there are beside them.
	More int
}

// Error returns one line for each problem, and one for how many more there are.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems), len(e.Problems)+1)
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems", e.More))
	}
	return strings.Join(lines, "\n")
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

// nearest returns the candidate that key is a slip of, or "".
func nearest(key string, candidates []string) string {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	best, bestCost := "", 3
	for _, c := range candidates {
		cost := distance(key, c)
		if cost < bestCost && cost*2 < len(c) {
			best, bestCost = c, cost
		}
	}
	if best != "" || len(key) < 3 {
		return best
	}
	i := slices.IndexFunc(candidates, func(c string) bool {
		return strings.HasPrefix(c, key) || strings.HasPrefix(key, c)
	})
	if i >= 0 {
		best = candidates[i]
	}
	return best
}

// distance is the Levenshtein distance, in bytes.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, substituted)
		}
	}
	return row[len(b)]
}
