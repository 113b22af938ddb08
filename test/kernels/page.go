package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The marks between which a page has what a run showed.
const (
	pageBegin = "<!-- kernels -->\n"
	pageEnd   = "<!-- /kernels -->"
	listBegin = "Scenarios that pass on each: "
)

// row is one of a Markdown table.
func row(title string, cells []string) string {
	return "| " + title + " | " + strings.Join(cells, " | ") + " |\n"
}

// table is the verdict in Markdown.
func (v *verdict) table() string {
	var names, rules, cgroups []string
	for _, k := range v.kernels {
		names, rules, cgroups = append(names, k.name), append(rules, "---"), append(cgroups, k.cgroups)
	}
	var b strings.Builder
	b.WriteString(row("", names) + "|---|" + strings.Join(rules, "|") + "|\n" + row("cgroups", cgroups))
	for _, c := range slices.Concat(v.suites, v.excepted) {
		var cells []string
		for _, n := range c.tests {
			cells = append(cells, strconv.Itoa(n))
		}
		b.WriteString(row(c.title, cells))
	}
	b.WriteString(strings.Join(v.unwanted, ""))
	if len(v.played) > 0 {
		b.WriteString("\n" + listBegin + strings.Join(v.played, ", ") + ".\n")
	}
	return b.String()
}

// publish writes the table into the page. When it only checks, it returns what
// the page claims and the run has not shown: more tests, another scenario,
// another kernel. What the page does not have yet is no error.
func (v *verdict) publish(page string, check bool) error {
	data, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(data), pageBegin)
	claimed, after, closed := strings.Cut(rest, pageEnd)
	if !found || !closed {
		return fmt.Errorf("%s has no %s and %s", page, strings.TrimSpace(pageBegin), pageEnd)
	}
	if !check {
		return os.WriteFile(page, []byte(before+pageBegin+v.table()+pageEnd+after), 0o644)
	}
	if err := compare(claimed, v.table()); err != nil {
		return fmt.Errorf("%s claims what this run has not shown; make test-kernels writes it anew:\n%w", page, err)
	}
	return nil
}

// compare returns the claims of a table that another, of a run, does not bear out.
func compare(claimed, shown string) error {
	var problems []error
	lines := strings.Split(shown, "\n")
	for line := range strings.Lines(claimed) {
		line = strings.TrimSuffix(line, "\n")
		if !slices.ContainsFunc(lines, func(other string) bool { return covers(other, line) }) {
			problems = append(problems, errors.New(line))
		}
	}
	return errors.Join(problems...)
}

// covers reports whether a line of a run's table says at least what a claim says.
func covers(shown, claim string) bool {
	if names, ok := strings.CutPrefix(claim, listBegin); ok {
		played, ok := strings.CutPrefix(shown, listBegin)
		have := strings.Split(strings.TrimSuffix(played, "."), ", ")
		return ok && !slices.ContainsFunc(strings.Split(strings.TrimSuffix(names, "."), ", "), func(name string) bool {
			return !slices.Contains(have, name)
		})
	}
	have, want := strings.Split(shown, " | "), strings.Split(claim, " | ")
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		h, herr := strconv.Atoi(strings.TrimSuffix(have[i], " |"))
		w, werr := strconv.Atoi(strings.TrimSuffix(want[i], " |"))
		numbers := herr == nil && werr == nil
		switch {
		case !numbers && have[i] != want[i]:
			return false
		case numbers && strings.HasPrefix(claim, "| skipped: "): // where is what matters
			if (h == 0) != (w == 0) {
				return false
			}
		case numbers && h < w:
			return false
		}
	}
	return true
}
