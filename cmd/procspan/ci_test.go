package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The trace and the run's span are vectors that Grafana's ci tools publish for the
// same algorithm (run 20137834310). Those of job and step are sha256sum's of the
// inputs that receiver/githubreceiver documents, "57796136451-j" and
// "57796136451-Build Grafana-s": bytes 8 to 16.
func TestGitHubIDs(t *testing.T) {
	const trace = "cfe93a0cde6f53f539e0eaff28e05efc"
	env := map[string]string{"GITHUB_RUN_ID": "20137834310", "GITHUB_RUN_ATTEMPT": "1"}
	for _, tc := range []struct {
		name string
		job  ciJob
		span string
	}{
		{"workflow run", ciJob{}, "7e173813d01cc668"},
		{"job", ciJob{checkRun: 57796136451}, "581860de795f84cc"},
		{"step", ciJob{checkRun: 57796136451, step: "Build Grafana"}, "66f0c5693990a021"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, err := tc.job.environment(of(env))
			if want := (exported{"TRACEPARENT", "00-" + trace + "-" + tc.span + "-01"}); err != nil || lines[0] != want {
				t.Errorf("got %v, %v, want %v first", lines, err, want)
			}
		})
	}
}

func of(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}

func TestCIEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name string
		job  ciJob
		env  map[string]string
		want []string // parts of what is printed
		not  string
		err  string
	}{
		{
			name: "GitHub Actions",
			env:  map[string]string{"GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY": "us/build", "GITHUB_JOB": "unit, fast"},
			want: []string{"OTEL_SERVICE_NAME=unit, fast\n", "service.namespace=us%2Fbuild", "cicd.pipeline.task.name=unit%2C%20fast", "TRACEPARENT=00-"},
		},
		{
			name: "GitLab CI",
			env:  map[string]string{"CI_JOB_ID": "12", "CI_PROJECT_PATH": "us/build", "CI_JOB_NAME": "test"},
			want: []string{"OTEL_SERVICE_NAME=test\n", "cicd.pipeline.task.run.id=12"},
			not:  "TRACEPARENT",
		},
		{
			name: "Jenkins, whose plugin has set TRACEPARENT",
			env:  map[string]string{"JENKINS_URL": "https://j.example/", "BUILD_URL": "https://j.example/1", "JOB_NAME": "nightly", "TRACEPARENT": "00-1"},
			want: []string{"OTEL_SERVICE_NAME=nightly"},
			not:  "TRACEPARENT",
		},
		{
			name: "Buildkite",
			env:  map[string]string{"BUILDKITE_JOB_ID": "j1", "BUILDKITE_BUILD_ID": "b1", "BUILDKITE_LABEL": "deploy"},
			want: []string{"OTEL_SERVICE_NAME=deploy", "cicd.pipeline.run.id=b1"},
			not:  "TRACEPARENT",
		},
		{
			name: "what is set stays",
			env:  map[string]string{"CI_JOB_ID": "12", "CI_JOB_NAME": "test", "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "team=a"},
			want: []string{",team=a"},
			not:  "OTEL_SERVICE_NAME",
		},
		{
			name: "what is set and empty does not count",
			env:  map[string]string{"GITHUB_RUN_ID": "7", "GITHUB_JOB": "unit", "TRACEPARENT": "", "OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": ""},
			want: []string{"TRACEPARENT=00-", "OTEL_SERVICE_NAME=unit\n", "cicd.pipeline.task.name=unit,vcs.provider.name=github\n"},
		},
		{
			name: "an attribute that is set comes once",
			env:  map[string]string{"CI_JOB_ID": "12", "CI_JOB_NAME": "test", "OTEL_RESOURCE_ATTRIBUTES": "team=a,cicd.pipeline.task.run.id=mine"},
			want: []string{"cicd.pipeline.task.run.id=mine\n"},
			not:  "cicd.pipeline.task.run.id=12",
		},
		{
			name: "two systems",
			env:  map[string]string{"CI_JOB_ID": "12", "CI_JOB_NAME": "test", "BUILDKITE_JOB_ID": "j1", "BUILDKITE_LABEL": "deploy"},
			want: []string{"OTEL_SERVICE_NAME=test\n", "vcs.provider.name=gitlab"},
			not:  "deploy",
		},
		{
			name: "a value with a line break makes no second line",
			env:  map[string]string{"CI_JOB_ID": "12", "CI_JOB_NAME": "us/build\nLD_PRELOAD=/tmp/x.so"},
			want: []string{"OTEL_SERVICE_NAME=us/buildLD_PRELOAD=/tmp/x.so"},
			not:  "\nLD_PRELOAD",
		},
		{name: "no CI system", err: "none of their variables"},
		{name: "a run that is no number", env: map[string]string{"GITHUB_RUN_ID": "x"}, err: `GITHUB_RUN_ID is "x"`},
		{name: "an attempt that is no number", env: map[string]string{"GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "-1"}, err: "GITHUB_RUN_ATTEMPT"},
		{name: "a step of no job", job: ciJob{step: "build"}, env: map[string]string{"GITHUB_RUN_ID": "1"}, err: "--check-run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, err := tc.job.environment(of(tc.env))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v, %v, want an error with %q", lines, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var printed strings.Builder
			for _, line := range lines {
				fmt.Fprintf(&printed, "%s=%s\n", line.name, line.value)
			}
			for _, want := range tc.want {
				if !strings.Contains(printed.String(), want) {
					t.Errorf("printed\n%swithout %q", &printed, want)
				}
			}
			if tc.not != "" && strings.Contains(printed.String(), tc.not) {
				t.Errorf("printed\n%swith %q", &printed, tc.not)
			}
		})
	}
}

// TestCIEnvShell lets a shell evaluate what is printed, with values that are scripts.
func TestCIEnvShell(t *testing.T) {
	const hostile = "x'; touch pwned; echo '$(touch pwned) `touch pwned` \"\n;touch pwned \\"
	evaluate := exec.Command("sh", "-ec", `eval "$(procspan ci env)"; printf '%s' "$OTEL_SERVICE_NAME"; ls`)
	evaluate.Dir = t.TempDir()
	evaluate.Env = []string{"PATH=" + os.Getenv("PATH"), "CI_JOB_ID=1", "CI_JOB_NAME=" + hostile, "CI_PROJECT_PATH=" + hostile, "OTEL_RESOURCE_ATTRIBUTES=" + hostile}
	out, err := evaluate.CombinedOutput()
	if want := strings.ReplaceAll(hostile, "\n", ""); err != nil || string(out) != want {
		t.Errorf("the shell has %q (%v), want %q and no file", out, err, want)
	}
	for _, tc := range []struct {
		arguments []string
		stdout    string
		status    int
		want      string
	}{
		{[]string{"--format", "xml"}, os.DevNull, 2, `--format is shell or github, not "xml"`},
		{[]string{"--check-run", "1; touch pwned"}, os.DevNull, 2, "--check-run"},
		{nil, "/dev/full", 1, "no space left on device"},
	} {
		stdout, err := os.OpenFile(tc.stdout, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer stdout.Close()
		var stderr strings.Builder
		cmd := exec.Command("procspan", slices.Concat([]string{"ci", "env"}, tc.arguments)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CI_JOB_ID=1"}
		cmd.Stdout, cmd.Stderr = stdout, &stderr
		cmd.Run()
		if cmd.ProcessState.ExitCode() != tc.status || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("%q ended with %d and %q, want %d and %q", tc.arguments, cmd.ProcessState.ExitCode(), &stderr, tc.status, tc.want)
		}
	}
}
