package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// verdict is what a run showed.
type verdict struct {
	kernels  []kernel
	suites   []count
	excepted []count  // of the exceptions that were met
	unwanted []string // rows of a table: tests with outcomes that they should not have
	played   []string // scenarios that passed on every kernel
}

// count is a number of tests for each kernel.
type count struct {
	title string
	tests []int
}

// judge compares what ran with what should have, and returns what is wrong. Unless
// all tests were asked for, exceptions may be for tests that did not run.
func judge(chosen []kernel, reports []report, excepted []exception, all bool) (v verdict, err error) {
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
	v.kernels = chosen
	suites := make(map[string]*count)
	for _, s := range suiteNames() {
		v.suites = append(v.suites, count{"`" + s + "`: tests that pass", make([]int, len(chosen))})
		suites[s] = &v.suites[len(v.suites)-1]
	}
	met := make([]count, len(excepted))
	patterns := make([]*regexp.Regexp, len(excepted))
	for i, e := range excepted {
		met[i] = count{"skipped: " + e.reason, make([]int, len(chosen))}
		patterns[i] = e.pattern()
	}
	for _, test := range tests {
		var cells []string
		wanted, passes := true, 0
		suite, _, _ := strings.Cut(test, "/")
		for i, k := range chosen {
			got := reports[i].results[test]
			e := slices.IndexFunc(excepted, func(e exception) bool {
				return slices.Contains(e.kernels, k.name) && e.pattern().MatchString(test)
			})
			cell := got.String()
			switch {
			case got == pass && e < 0:
				passes++
				if c := suites[suite]; c != nil {
					c.tests[i]++
				}
			case got == pass:
				problems = append(problems, fmt.Errorf("%s: %s passes, but is listed as an exception (%s): remove it there", k.name, test, excepted[e].reason))
			case got == skip && e >= 0:
				met[e].tests[i]++
			default:
				problems = append(problems, fmt.Errorf("%s: %s: %s", k.name, test, got))
				cell, wanted = "**"+cell+"**", false
			}
			cells = append(cells, cell)
		}
		if !wanted {
			v.unwanted = append(v.unwanted, row("`"+test+"`", cells))
		}
		if name, ok := strings.CutPrefix(test, scenarios); ok && passes == len(chosen) {
			v.played = append(v.played, strings.ReplaceAll(name, "_", " "))
		}
	}
	for i, e := range excepted {
		if slices.Max(append(met[i].tests, 0)) > 0 {
			v.excepted = append(v.excepted, met[i])
		}
		if all && !slices.ContainsFunc(tests, patterns[i].MatchString) {
			problems = append(problems, fmt.Errorf("%s is listed as an exception, but there is no such test: remove it there", e.test))
		}
	}
	return v, errors.Join(problems...)
}

// scenarios begins the name of a scenario's test.
const scenarios = "scenario/TestTruth/"

// check returns the problems of the guest itself and of whole suites.
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
			problems = append(problems, fmt.Errorf("the tests of %s did not end", s.name))
		case code != 0:
			problems = append(problems, fmt.Errorf("the tests of %s ended with exit code %d", s.name, code))
		}
	}
	return problems
}

// failed reports whether the console is worth printing.
func (r *report) failed() bool {
	return len(r.check()) > 0 || r.anyFailed()
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

// tail returns the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
