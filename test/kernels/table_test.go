package main

import (
	"errors"
	"strings"
	"testing"
)

// console of a guest on which the suites pass, each with the lines given.
func console(bpf, scenario string) string {
	return "SeaBIOS\n\nGUEST RUNS bpf\n" + bpf + "\nGUEST RAN bpf: exit code 0\n" +
		"\nGUEST RUNS scenario\n" + scenario + "\nGUEST RAN scenario: exit code 0\n[    9.1] reboot: Power down\n"
}

func TestJudge(t *testing.T) {
	const passes = "=== RUN   TestA\n--- PASS: TestA (0.10s)\n"
	skips := strings.ReplaceAll(passes, "PASS", "SKIP")
	fails := strings.ReplaceAll(passes, "PASS", "FAIL")
	for _, tc := range []struct {
		name     string
		consoles []string
		excepted []exception
		partly   bool
		failure  error // of the first guest
		want     []string
		rows     []string
	}{
		{
			name:     "all pass",
			consoles: []string{console(passes, passes), console(passes, passes)},
			rows:     []string{"|  | k0 | k1 |\n|---|---|---|\n| cgroups | v1 | v1 |\n| `bpf`: tests that pass | 1 | 1 |\n| `scenario`: tests that pass | 1 | 1 |\n"},
		},
		{
			name:     "a scenario is listed by its name",
			consoles: []string{console(passes, "=== RUN   TestTruth/exit_0\n    --- PASS: TestTruth/exit_0 (0.48s)\n")},
			rows:     []string{"\nScenarios that pass on each: exit 0.\n"},
		},
		{
			name:     "lines end as a terminal's do, after a message of the kernel",
			consoles: []string{strings.ReplaceAll(console("[ 1.2] hello === RUN   TestA\n[ 1.3] hello --- PASS: TestA (0.1s)", passes), "\n", "\r\n")},
			rows:     []string{"| `bpf`: tests that pass | 1 |"},
		},
		{
			name:     "a failure in one suite is not overwritten by a pass in another, nor by one later",
			consoles: []string{console(fails+passes, passes)},
			want:     []string{"k0: bpf/TestA: FAIL"},
			rows:     []string{"| `bpf/TestA` | **FAIL** |", "| `bpf`: tests that pass | 0 |", "| `scenario`: tests that pass | 1 |"},
		},
		{
			name:     "a skip without an exception",
			consoles: []string{console(passes, skips)},
			want:     []string{"k0: scenario/TestA: skipped"},
			rows:     []string{"| `scenario/TestA` | **skipped** |"},
		},
		{
			name:     "a skip with an exception",
			consoles: []string{console(passes, skips), console(passes, passes)},
			excepted: []exception{{"scenario/TestA", []string{"k0"}, "has no wings"}},
			rows:     []string{"| `scenario`: tests that pass | 0 | 1 |", "| skipped: has no wings | 1 | 0 |"},
		},
		{
			name:     "an exception is for its kernel only",
			consoles: []string{console(passes, skips), console(passes, skips)},
			excepted: []exception{{"scenario/TestA", []string{"k0"}, "has no wings"}},
			want:     []string{"k1: scenario/TestA: skipped"},
		},
		{
			name:     "an exception excuses no failure",
			consoles: []string{console(passes, fails)},
			excepted: []exception{{"scenario/TestA", []string{"k0"}, "has no wings"}},
			want:     []string{"k0: scenario/TestA: FAIL"},
		},
		{
			name:     "an exception that passes",
			consoles: []string{console(passes, passes)},
			excepted: []exception{{"scenario/TestA", []string{"k0"}, "has no wings"}},
			want:     []string{"k0: scenario/TestA passes, but is listed as an exception (has no wings): remove it there"},
		},
		{
			name:     "an exception for no test",
			consoles: []string{console(passes, passes)},
			excepted: []exception{{"scenario/TestB", []string{"k0"}, "has no wings"}},
			want:     []string{"scenario/TestB is listed as an exception, but there is no such test: remove it there"},
		},
		{
			name:     "an exception for a test that was not asked for",
			consoles: []string{console(passes, passes)},
			excepted: []exception{{"scenario/TestB", []string{"k0"}, "has no wings"}},
			partly:   true,
		},
		{
			name:     "a test that is missing on one kernel",
			consoles: []string{console(passes, passes), console(passes, "")},
			want:     []string{"k1: scenario/TestA: not run"},
			rows:     []string{"| `scenario/TestA` | ok | **not run** |"},
		},
		{
			name:     "a test that does not end",
			consoles: []string{console(passes, "=== RUN   TestA\n=== RUN   TestA/b\n")},
			want:     []string{"k0: scenario/TestA: no end\nk0: scenario/TestA/b: no end"},
		},
		{
			name:     "a test that does not end when it runs again",
			consoles: []string{console(passes, passes+"=== RUN   TestA\n")},
			want:     []string{"k0: scenario/TestA: no end"},
		},
		{
			name:     "an exit code beside tests that pass",
			consoles: []string{strings.Replace(console(passes, passes), "RAN bpf: exit code 0", "RAN bpf: exit code 2", 1)},
			want:     []string{"k0: the tests of bpf ended with exit code 2"},
		},
		{
			name:     "a kernel panic",
			consoles: []string{"GUEST RUNS bpf\n=== RUN   TestA\n[ 9.6] Kernel panic - not syncing: Fatal exception\n", console(passes, "")},
			want: []string{"k0: the kernel panicked: Fatal exception\n" +
				"k0: the tests of bpf did not end\nk0: the tests of scenario did not end\nk0: bpf/TestA: no end"},
		},
		{
			name:     "a guest that could not prepare itself",
			consoles: []string{"GUEST FAILED: mount /proc: no\n"},
			want:     []string{"k0: mount /proc: no\nk0: the tests of bpf did not", "no test ran"},
		},
		{
			name:     "a guest that did not end",
			consoles: []string{console(passes, passes)},
			failure:  errors.New("too late"),
			want:     []string{"k0: too late"},
		},
		{
			name:     "nothing ran",
			consoles: []string{console("", "")},
			want:     []string{"no test ran"},
		},
		{
			name:     "a case counts as a test",
			consoles: []string{console("--- PASS: TestA (0s)\n    --- PASS: TestA/one (0s)\n    --- PASS: TestA/two (0s)", ""), console("--- PASS: TestA (0s)\n    --- PASS: TestA/one (0s)\n    --- SKIP: TestA/two (0s)", "")},
			want:     []string{"k1: bpf/TestA/two: skipped"},
			rows:     []string{"| `bpf`: tests that pass | 3 | 2 |", "| `bpf/TestA/two` | ok | **skipped** |\n"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var reports []report
			var chosen []kernel
			for i, text := range tc.consoles {
				var r report
				if err := r.read(strings.NewReader(text), func(string) {}); err != nil {
					t.Fatal(err)
				}
				reports, chosen = append(reports, r), append(chosen, kernel{name: "k" + string(rune('0'+i)), cgroups: "v1"})
			}
			if tc.failure != nil {
				reports[0].failure = tc.failure
			}
			v, err := judge(chosen, reports, tc.excepted, !tc.partly)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if len(tc.want) == 0 && got != "" {
				t.Errorf("error %q, want none", got)
			}
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("error %q, want one with %q", got, want)
				}
			}
			for _, want := range tc.rows {
				if !strings.Contains(v.table(), want) {
					t.Errorf("the table is\n%s\nwant %q in it", v.table(), want)
				}
			}
		})
	}
}

func TestReadRefusesEndlessLine(t *testing.T) {
	var r report
	err := r.read(strings.NewReader(console("", "")+strings.Repeat("x", maxLine+1)), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "token too long") {
		t.Errorf("error %v, want one that says that a line is too long", err)
	}
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		options options
		want    int
		err     string
	}{
		{options{cpus: 2, count: 1, jobs: 1}, len(kernels()), ""},
		{options{cpus: 2, count: 1, jobs: 1, only: "^6.12$", run: "TestTruth/last_threads"}, 1, ""},
		{options{cpus: 2, count: 1, jobs: 1, only: "2.4"}, 0, "matches no kernel"},
		{options{cpus: 2, count: 1, jobs: 1, only: "("}, 0, "-only: "},
		{options{cpus: 2, count: 1, jobs: 1, run: "a b"}, 0, "write . for it"},
		{options{cpus: 2, count: 0, jobs: 1}, 0, "at least 1"},
		{options{cpus: 2, count: 1, jobs: 0}, 0, "at least 1"},
		{options{count: 1, jobs: 1}, 0, "at least 1"},
	} {
		got, err := tc.options.kernels()
		if len(got) != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%+v: %d kernels and error %v, want %d and %q", tc.options, len(got), err, tc.want, tc.err)
		}
	}
}

// What is listed refers to what there is.
func TestExceptionsName(t *testing.T) {
	names := make(map[string]bool)
	for _, k := range kernels() {
		names[k.name] = true
	}
	for _, e := range exceptions() {
		for _, k := range e.kernels {
			if !names[k] {
				t.Errorf("the exception for %s is on %s: there is no such kernel", e.test, k)
			}
		}
		if e.reason == "" || len(e.kernels) == 0 {
			t.Errorf("the exception for %s has no reason or no kernels", e.test)
		}
	}
}
