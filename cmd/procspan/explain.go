package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

func newExplain() *cobra.Command {
	var s settings
	var decide ruleFlags
	var pid int
	cmd := &cobra.Command{
		Use:   "explain [flags] [-- CMD [ARG …]]",
		Short: "Say where each rule is decided, and which rules match a process",
		Long: `Say of each rule where it is decided: in the kernel, when a process executes a
program, or when it ends. With CMD, or with --pid, say also which rules match that
command, as this shell would start it, or that process, and what comes of it. CMD is
not run.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.load()
			if err == nil {
				c, err = decide.apply(c)
			}
			if err != nil {
				return failed(err)
			}
			if len(c.Rules) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there are no rules: every process is exported, as filter and traces say")
				return nil
			}
			var of *agent.Explained
			switch {
			case len(args) > 0 && cmd.Flags().Changed("pid"):
				return failed(errors.New("give a command or --pid, not both"))
			case len(args) > 0:
				e, err := agent.ExplainCommand(c, args)
				if err != nil {
					return failed(err)
				}
				of = &e
			case cmd.Flags().Changed("pid"):
				e, err := agent.ExplainProcess(c, pid)
				if err != nil {
					return failed(err)
				}
				of = &e
			}
			return failed(explain(cmd.OutOrStdout(), c, of))
		},
	}
	s.addFlags(cmd)
	decide.add(cmd)
	cmd.Flags().IntVar(&pid, "pid", 0, "explain the running process `PID`")
	cmd.Flags().SetInterspersed(false)
	complete(cmd, "pid", nil)
	return cmd
}

// explain writes a line for each rule, and what comes of a process.
func explain(w io.Writer, c config.Config, of *agent.Explained) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "RULE\tDOES\tDECIDED"
	if of != nil {
		head += "\tMATCHES"
	}
	fmt.Fprintln(table, head)
	for i, place := range agent.Places(c) {
		fmt.Fprintf(table, "%s\t%s\t%s", console.Printable(c.Rules.Title(i)), does(&c.Rules[i]), placeText(place))
		if of != nil {
			fmt.Fprintf(table, "\t%s", matchText(of.Rules[i]))
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil || of == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s %s\n", console.Printable(of.Name), fate(of.Ruling))
	return err
}

// does says what a rule does.
func does(r *rules.Rule) string {
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(r.Action != "", "%s", string(r.Action))
	if r.Sample != nil {
		add(true, "sample %v", *r.Sample)
	}
	add(r.KeepFailed, "keep_failed")
	add(r.Args != rules.Args{}, "args")
	add(r.Attributes != "", "attributes %s", r.Attributes)
	add(r.SpanName != "", "span_name")
	add(len(r.Set) > 0, "set")
	add(r.Trace.String() != "", "trace")
	add(len(r.ExpectedExits) > 0, "expected_exits")
	return strings.Join(all, ", ")
}

func placeText(p rules.Place) string {
	switch {
	case p.InKernel && p.Below:
		return "at exec; in the kernel below the first process"
	case p.InKernel:
		return "at exec, in the kernel"
	case p.When == rules.AtExit:
		return "at exit"
	}
	return "at exec"
}

func matchText(e rules.Explanation) string {
	switch e.Matches {
	case process.Yes:
		return "yes"
	case process.Unknown:
		return "if " + e.Key + " does"
	}
	return "no: " + e.Key
}

// fate says what comes of a process.
func fate(r *process.Ruling) string {
	if r == nil {
		return "is exported: no rule concerns it"
	}
	rule, text := console.Printable(r.Rule), ""
	switch r.Action {
	case process.Keep:
		text = fmt.Sprintf("is exported by rule %q", rule)
	case process.Drop:
		text = fmt.Sprintf("is dropped by rule %q", rule)
	case process.DropTree:
		text = fmt.Sprintf("is in a tree that rule %q drops", rule)
	case process.Sample:
		text = fmt.Sprintf("is sampled by rule %q, if a trace begins with it", rule)
	default:
		text = "is exported: no rule decides on it"
	}
	if r.KeepFailed {
		text += ", unless it fails"
	}
	if r.Late != nil {
		text += "; the rules that match by how it ends may change that"
	}
	return text + treatmentText(r.Treatment)
}

// treatmentText says what rules change of a span, a line each.
func treatmentText(t *process.Treatment) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(&b, "\n  %s: %s", what, console.Printable(value))
		}
	}
	line("args", t.Args)
	if t.DropAfter > 0 {
		line("args.drop_after", fmt.Sprint(t.DropAfter))
	}
	line("attributes", t.Attributes)
	line("span_name", t.SpanName+t.FixedName)
	for _, one := range append(t.Resource[:len(t.Resource):len(t.Resource)], t.Set...) {
		line(one.Name, one.Value)
	}
	for _, status := range t.Expected {
		line("expected exit code", fmt.Sprint(status.ExitCode()))
	}
	return b.String()
}
