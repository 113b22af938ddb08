package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/config"
)

func newCI() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ci",
		Short: "Help for jobs of a CI system",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCIEnv())
	return cmd
}

func newCIEnv() *cobra.Command {
	var job ciJob
	var format string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the variables that place a job's processes in the CI system's trace",
		Long: `Print TRACEPARENT, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES for a job of
GitHub Actions, GitLab CI, Jenkins or Buildkite, from the variables that the CI
system sets. The attributes are those of the preset ci. A variable that is already
set keeps its value; attributes are added to it.

On GitHub, the ids are those that the Collector's github receiver computes, so that
processes stand under the span of their job, or of their step:

    eval "$(procspan ci env --check-run ${{ job.check_run_id }})"

Other CI systems have no ids that a job can compute: TRACEPARENT is printed for
GitHub only.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format != "shell" && format != "github" {
				return fmt.Errorf("--format is shell or github, not %q", format)
			}
			lines, err := job.environment(os.LookupEnv)
			if err != nil {
				return failed(err)
			}
			var text strings.Builder
			for _, line := range lines {
				if format == "shell" {
					fmt.Fprintf(&text, "export %s='%s'\n", line.name, strings.ReplaceAll(line.value, "'", `'\''`))
				} else {
					fmt.Fprintf(&text, "%s=%s\n", line.name, line.value)
				}
			}
			_, err = os.Stdout.WriteString(text.String())
			return failed(err)
		},
	}
	cmd.Flags().Uint64Var(&job.checkRun, "check-run", 0, "GitHub: the job's `ID`, ${{ job.check_run_id }}; without it processes stand under the workflow run")
	cmd.Flags().StringVar(&job.step, "step", "", "GitHub: the `NAME` of the step to stand under; needs --check-run")
	cmd.Flags().StringVar(&format, "format", "shell", "shell, for eval, or github, for $GITHUB_ENV")
	return cmd
}

// ciJob is what a job knows of itself and no variable says.
type ciJob struct {
	checkRun uint64
	step     string
}

type exported struct{ name, value string }

// environment returns the variables for the job whose own are looked up.
func (j ciJob) environment(look func(string) (string, bool)) (lines []exported, err error) {
	if j.step != "" && j.checkRun == 0 {
		return nil, errors.New("--step needs --check-run: the id of a step follows from that of its job")
	}
	trace, err := j.traceparent(look)
	if err != nil {
		return nil, err
	}
	if given, _ := look("TRACEPARENT"); given == "" && trace != "" {
		lines = append(lines, exported{"TRACEPARENT", trace})
	}
	given, _ := look("OTEL_RESOURCE_ATTRIBUTES")
	given = strings.Map(printed, given)
	var attributes []string
	found := false
	for _, rule := range config.Preset("ci") {
		if !rule.Match.Environment.Matches(look) {
			continue
		}
		found = true
		for _, set := range rule.Set {
			value := strings.Map(printed, set.Value.Expand(look))
			switch {
			case value == "":
			case set.Name != "service.name":
				if strings.Contains(","+given, ","+set.Name+"=") {
					continue // it counts, and may be of an earlier call
				}
				attributes = append(attributes, set.Name+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
			default:
				if given, _ := look("OTEL_SERVICE_NAME"); given == "" {
					lines = append(lines, exported{"OTEL_SERVICE_NAME", value})
				}
			}
		}
		break // a job of one system that has another's variables as well
	}
	if !found {
		return nil, errors.New("this is no job of GitHub Actions, GitLab CI, Jenkins or Buildkite: none of their variables is set")
	}
	if given != "" {
		attributes = append(attributes, given)
	}
	if len(attributes) > 0 {
		lines = append(lines, exported{"OTEL_RESOURCE_ATTRIBUTES", strings.Join(attributes, ",")})
	}
	return lines, nil
}

// printed drops what would end a line.
func printed(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// traceparent returns the TRACEPARENT of a job of GitHub Actions, with the ids that
// the Collector's github receiver computes since v0.151 (opentelemetry-collector-contrib,
// receiver/githubreceiver/trace_event_handling.go); "" for another CI system.
func (j ciJob) traceparent(look func(string) (string, bool)) (string, error) {
	run, ok := look("GITHUB_RUN_ID")
	if !ok {
		return "", nil
	}
	id, err := strconv.ParseUint(run, 10, 64)
	if err != nil {
		return "", fmt.Errorf("GITHUB_RUN_ID is %q, want a number", run)
	}
	attempt := uint64(1)
	if text, ok := look("GITHUB_RUN_ATTEMPT"); ok {
		if attempt, err = strconv.ParseUint(text, 10, 32); err != nil {
			return "", fmt.Errorf("GITHUB_RUN_ATTEMPT is %q, want a number", text)
		}
	}
	parent := fmt.Sprintf("%d%ds", id, attempt) // of the workflow run
	switch {
	case j.step != "":
		parent = fmt.Sprintf("%d-%s-s", j.checkRun, j.step)
	case j.checkRun != 0:
		parent = fmt.Sprintf("%d-j", j.checkRun)
	}
	trace := sha256.Sum256(fmt.Appendf(nil, "%d%dt", id, attempt))
	span := sha256.Sum256([]byte(parent))
	return fmt.Sprintf("00-%x-%x-01", trace[:16], span[8:16]), nil
}
