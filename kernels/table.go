package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// judge prints the table of tests × kernels, in Markdown, and returns what is
// not as it should be. When not all tests were asked for, exceptions may be
// among the others.
func judge(w io.Writer, chosen []kernel, reports []report, excepted []exception, all bool) error {
	var problems []error
	for i, k := range chosen {
		for _, err := range reports[i].check() {
			problems = append(problems, fmt.Errorf("%s: %w", k.name, err))
		}
	}
	tests := union(reports)
	if len(tests) == 0 {
		problems = append(problems, errors.New("no test ran"))
	}
	fmt.Fprint(w, "\n| scenario or test |")
	for _, k := range chosen {
		fmt.Fprintf(w, " %s |", k.name)
	}
	fmt.Fprintf(w, "\n|---|%s\n| cgroups |", strings.Repeat("---|", len(chosen)))
	for _, k := range chosen {
		fmt.Fprintf(w, " %s |", k.cgroups)
	}
	fmt.Fprintln(w)
	noted := make([]bool, len(excepted))
	patterns := make([]*regexp.Regexp, len(excepted))
	for i, e := range excepted {
		patterns[i] = e.pattern()
	}
	for _, test := range tests {
		var cells []string
		plain := true
		for i, k := range chosen {
			got := reports[i].results[test]
			note := -1
			for i, e := range excepted {
				if note < 0 && slices.Contains(e.kernels, k.name) && patterns[i].MatchString(test) {
					note = i
				}
			}
			cell := got.String()
			switch {
			case got == pass && note < 0:
			case got == pass:
				problems = append(problems, fmt.Errorf("%s: %s passes, but is listed as an exception (%s): remove it there", k.name, test, excepted[note].reason))
			case got == skip && note >= 0:
				noted[note] = true
				cell = fmt.Sprintf("– [%d]", note+1)
			default:
				problems = append(problems, fmt.Errorf("%s: %s: %s", k.name, test, got))
				cell = "**" + cell + "**"
			}
			plain = plain && cell == "ok"
			cells = append(cells, cell)
		}
		if suite, _, _ := strings.Cut(test, "/"); plain && suite != "scenario" && strings.Count(test, "/") > 1 {
			continue // a case of a test that passes everywhere
		}
		fmt.Fprintf(w, "| %s | %s |\n", title(test), strings.Join(cells, " | "))
	}
	for i, e := range excepted {
		if noted[i] {
			fmt.Fprintf(w, "\n[%d] %s\n", i+1, e.reason)
		}
		if all && !slices.ContainsFunc(tests, patterns[i].MatchString) {
			problems = append(problems, fmt.Errorf("%s is listed as an exception, but there is no such test: remove it there", e.test))
		}
	}
	for i, k := range chosen {
		if reports[i].failed() {
			fmt.Fprintf(w, "\n%s printed:\n%s\n", k.name, tail(reports[i].console.String(), 1000))
		}
	}
	return errors.Join(problems...)
}

// check returns what went wrong beside single tests.
func (r *report) check() (problems []error) {
	if r.failure != nil {
		problems = append(problems, r.failure)
	}
	if r.panic != "" {
		problems = append(problems, fmt.Errorf("the kernel panicked: %s", r.panic))
	}
	for _, s := range suites() {
		switch code, ended := r.codes[s.name]; {
		case !ended:
			problems = append(problems, fmt.Errorf("the tests of %s did not come to their end", s.name))
		case code != 0:
			problems = append(problems, fmt.Errorf("the tests of %s ended with exit code %d", s.name, code))
		}
	}
	return problems
}

// failed reports whether the console tells why something failed.
func (r *report) failed() bool {
	if len(r.check()) > 0 {
		return true
	}
	for _, got := range r.results {
		if got == fail {
			return true
		}
	}
	return false
}

// union lists the tests of all reports. A test that only some have comes after
// the one that it follows there.
func union(reports []report) (tests []string) {
	for i := range reports {
		at := 0
		for _, test := range reports[i].order {
			if found := slices.Index(tests, test); found >= 0 {
				at = found + 1
				continue
			}
			tests = slices.Insert(tests, at, test)
			at++
		}
	}
	return tests
}

// subtest is a test within TestTruth, one scenario each.
var subtest = regexp.MustCompile(`^scenario/TestTruth/`)

// title is how the table calls a test.
func title(test string) string {
	if name := subtest.ReplaceAllString(test, ""); name != test {
		return strings.ReplaceAll(name, "_", " ")
	}
	return "`" + test + "`"
}

// tail returns the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
