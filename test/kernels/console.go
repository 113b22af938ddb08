package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// report is what one guest printed.
type report struct {
	results map[string]outcome // by "suite/Test"; began, if the test did not end
	order   []string
	codes   map[string]int // exit codes of the suites that ended
	started bool           // init ran
	panic   string         // the kernel's message
	failure error          // the guest did not do what it was booted for
	console strings.Builder
}

// outcome of a test. Of more runs of one test, the worst counts.
type outcome int

const (
	missing outcome = iota
	pass
	skip
	began // and did not end
	fail
)

func (o outcome) String() string {
	return [...]string{"not run", "ok", "skipped", "no end", "FAIL"}[o]
}

var (
	// What go test -v prints at the start and the end of a test. A kernel message
	// may precede it on its line.
	runLine    = regexp.MustCompile(`=== RUN   (\S+)$`)
	resultLine = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (\S+) \([0-9.]+s\)$`)
	// What the guest's init prints.
	runsLine = regexp.MustCompile(`GUEST RUNS (\S+)$`)
	ranLine  = regexp.MustCompile(`GUEST RAN (\S+): exit code (\d+)$`)
)

// anyFailed reports whether a test or a suite failed.
func (r *report) anyFailed() bool {
	for _, got := range r.results {
		if got == fail {
			return true
		}
	}
	for _, code := range r.codes {
		if code != 0 {
			return true
		}
	}
	return false
}

// maxLine bounds a line of the console.
const maxLine = 1 << 20

// read follows the console to its end and calls each with every line.
func (r *report) read(console io.Reader, each func(line string)) error {
	r.results, r.codes = make(map[string]outcome), make(map[string]int)
	suite, open := "", make(map[string]bool) // open: began in this suite
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		r.console.WriteString(line + "\n")
		each(line)
		if m := runsLine.FindStringSubmatch(line); m != nil {
			r.started, suite = true, m[1]
		} else if m := ranLine.FindStringSubmatch(line); m != nil {
			code, err := strconv.Atoi(m[2])
			if err != nil {
				return fmt.Errorf("read the console: %w", err)
			}
			r.codes[m[1]], suite = code, ""
		} else if m := runLine.FindStringSubmatch(line); m != nil {
			test := suite + "/" + m[1]
			open[test] = true
			if _, known := r.results[test]; !known {
				r.order = append(r.order, test)
				r.results[test] = missing
			}
		} else if m := resultLine.FindStringSubmatch(line); m != nil {
			test := suite + "/" + m[2]
			delete(open, test)
			if _, known := r.results[test]; !known {
				r.order = append(r.order, test)
			}
			got := map[string]outcome{"PASS": pass, "SKIP": skip, "FAIL": fail}[m[1]]
			r.results[test] = max(r.results[test], got)
		} else if _, why, ok := strings.Cut(line, "GUEST FAILED: "); ok {
			r.started, r.failure = true, errors.New(why)
		} else if _, why, ok := strings.Cut(line, "Kernel panic - not syncing: "); ok {
			r.panic = why
		}
	}
	for test := range open {
		r.results[test] = max(r.results[test], began)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the console: %w", err)
	}
	return nil
}
