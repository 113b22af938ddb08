package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/report"
	"github.com/procspan/procspan/timeline"
)

// reportFlags say what exec writes about the finished job.
type reportFlags struct {
	report, summary string
	exports         []string
	noArgs, all     bool
}

func (r *reportFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.report, "report", "", "write the job to this `file.html`: one page that needs nothing else")
	cmd.Flags().StringVar(&r.summary, "summary", "", "write a summary in Markdown to this `file`, such as $GITHUB_STEP_SUMMARY")
	cmd.Flags().StringArrayVar(&r.exports, "export", nil, "write the job to this `file`: .pftrace (Perfetto), .json (Chrome), .jsonl (OTLP); may be repeated")
	cmd.Flags().BoolVar(&r.noArgs, "no-args", false, "keep arguments out of reports and off the terminal")
	cmd.Flags().BoolVar(&r.all, "all", false, "print every process, not only what matters most")
}

// create prepares the files, for the user that the command runs as.
func (r *reportFlags) create(user *syscall.Credential) (reports agent.Reports, err error) {
	reports = agent.Reports{NoArgs: r.noArgs, Rows: report.DefaultRows}
	if r.all {
		reports.Rows = 0
	}
	add := func(path, want string) error {
		if path == "" {
			return nil
		}
		out, err := report.Create(path, want)
		if err != nil {
			return err
		}
		reports.Outputs = append(reports.Outputs, out)
		if user == nil {
			return nil
		}
		return out.Chown(int(user.Uid), int(user.Gid))
	}
	err = errors.Join(add(r.report, ".html"), add(r.summary, ".md"))
	for _, path := range r.exports {
		err = errors.Join(err, add(path, ""))
	}
	if err != nil {
		return reports, errors.Join(err, discard(reports))
	}
	return reports, nil
}

// discard removes the files that were not written.
func discard(reports agent.Reports) (err error) {
	for _, out := range reports.Outputs {
		err = errors.Join(err, out.Discard())
	}
	return err
}

func newView() *cobra.Command {
	var output string
	var all bool
	cmd := &cobra.Command{
		Use:   "view FILE",
		Short: "Print what exec printed, from a report",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := report.Open(args[0])
			if err != nil {
				return failed(err)
			}
			a := timeline.Analyse(m)
			switch output {
			case "text":
				rows := report.DefaultRows
				if all {
					rows = 0
				}
				return failed(report.Text(cmd.OutOrStdout(), a, outputWidth(), rows))
			case "json":
				return failed(report.WriteJSON(cmd.OutOrStdout(), a))
			case "markdown":
				return failed(report.Markdown(cmd.OutOrStdout(), a))
			}
			return fmt.Errorf("unknown output %q; use text, json or markdown", output)
		},
	}
	cmd.SetOut(os.Stdout)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or markdown")
	cmd.Flags().BoolVar(&all, "all", false, "print every process, not only what matters most")
	return cmd
}

func newExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE OUT",
		Short: "Write a report in another form, by extension: .pftrace, .json, .jsonl, .md, .html",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := report.Open(args[0])
			if err != nil {
				return failed(err)
			}
			out, err := report.Create(args[1], "")
			if err != nil {
				return failed(err)
			}
			return failed(out.Write(timeline.Analyse(m)))
		},
	}
}

// exitSlower is the exit code of diff where the second side is slower than
// --fail-over allows.
const exitSlower = 3

func newDiff() *cobra.Command {
	var failOver, page string
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two reports of the same job; several files on a side, joined by commas, show the noise",
		Long: `Compare two reports of the same job: the elapsed time, the totals by command, and
single command lines. Temporary names, hashes and pids in arguments do not count.

A and B are reports, or several joined by commas: what the runs of one side
differ in is then taken for noise. With --fail-over, the exit code is 3 if B is
slower than A by more than that, beyond the noise.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit, err := percentage(failOver)
			if err != nil {
				return err
			}
			a, errA := openAll(args[0])
			b, errB := openAll(args[1])
			if err := errors.Join(errA, errB); err != nil {
				return failed(err)
			}
			c := timeline.Compare(a, b)
			if err := report.Diff(cmd.OutOrStdout(), c, outputWidth()); err != nil {
				return failed(err)
			}
			if page != "" {
				if err := report.DiffHTML(page, c); err != nil {
					return failed(err)
				}
			}
			if failOver != "" && c.Slower() > limit {
				return &exitError{exitSlower, fmt.Errorf("slower by %.3g %%, and --fail-over is %s", 100*c.Slower(), failOver)}
			}
			return nil
		},
	}
	cmd.SetOut(os.Stdout)
	cmd.Flags().StringVar(&failOver, "fail-over", "", "exit with 3 if B is slower by more than this `share`, such as 10%")
	cmd.Flags().StringVar(&page, "report", "", "write the comparison to this `file.html` as well")
	return cmd
}

// percentage reads "10%" or "10 %"; "" is 0.
func percentage(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	number, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || v < 0 || v > 1e6 {
		return 0, fmt.Errorf("--fail-over %q is no share; write a number and %%, such as 10%%", text)
	}
	return v / 100, nil
}

func openAll(list string) (all []*timeline.Model, err error) {
	for path := range strings.SplitSeq(list, ",") {
		m, openErr := report.Open(path)
		err = errors.Join(err, openErr)
		all = append(all, m)
	}
	return all, err
}

// outputWidth is the width of the terminal on standard output, in columns.
func outputWidth() int { return columns(os.Stdout) }
