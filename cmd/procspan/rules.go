package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/rules"
)

// ruleFlags decide on processes, before the rules of the configuration.
type ruleFlags struct {
	minDuration minDuration
	rules       []string
	spanName    string
}

func (f *ruleFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.VarP(&f.minDuration, "min-duration", "d", "leave out processes shorter than this `DURATION`, unless they fail")
	flags.StringArrayVar(&f.rules, "rule", nil, "decide by this `RULE` first: a preset ("+strings.Join(config.Presets(), ", ")+") or YAML, as in '{match: {executable: gcc*}, action: drop}'; may be repeated")
	flags.StringVar(&f.spanName, "span-name", "", "name spans after `WHAT`: "+strings.Join(rules.SpanNames(), ", ")+", or the name itself")
	complete(cmd, "rule", config.Presets())
	complete(cmd, "span-name", rules.SpanNames())
	complete(cmd, "min-duration", nil)
}

// complete makes a shell complete the value of a flag.
func complete(cmd *cobra.Command, flag string, words []string) {
	fixed := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, fixed); err != nil {
		panic(err) // there is no such flag
	}
}

// apply returns the configuration with the flags.
func (f *ruleFlags) apply(c config.Config) (config.Config, error) {
	var first, last rules.Set
	for _, text := range f.rules {
		set, err := config.ParseRules("--rule", text)
		if err != nil {
			return c, err
		}
		first = append(first, set...)
	}
	if f.spanName != "" {
		last = rules.Set{{Name: "--span-name", SpanName: f.spanName}}
	}
	if f.minDuration.given {
		c.Filter.MinDuration = f.minDuration.Duration
	}
	return c.WithRules(first, last)
}

// minDuration is the value of --min-duration.
type minDuration struct {
	time.Duration
	given bool
}

// Set implements pflag.Value.
func (d *minDuration) Set(text string) (err error) {
	d.Duration, err = config.MinDuration(text)
	d.given = true
	return err
}

// String implements pflag.Value.
func (d *minDuration) String() string {
	if !d.given {
		return ""
	}
	return d.Duration.String()
}

// Type implements pflag.Value.
func (d *minDuration) Type() string { return "duration" }

// viewFlags select what the live table shows.
type viewFlags struct {
	names, users []string
	failed       bool
	tree         int
}

func (f *viewFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.names, "name", nil, "show programs of this `NAME` only, or glob; of this path, if it has a slash; may be repeated")
	flags.StringArrayVar(&f.users, "user", nil, "show processes of this `USER` only, a name or a number; may be repeated")
	flags.BoolVar(&f.failed, "failed", false, "show processes only that fail, when they end")
	flags.IntVar(&f.tree, "tree", 0, "observe the process `PID` and its descendants only, here or in the export")
	for _, name := range []string{"name", "user", "tree"} {
		complete(cmd, name, nil)
	}
}

// apply returns the configuration that shows what is selected: rules drop the rest.
func (f *viewFlags) apply(cmd *cobra.Command, c config.Config) (config.Config, error) {
	if cmd.Flags().Changed("tree") && f.tree < 1 {
		return c, fmt.Errorf("--tree must be the pid of a process (got %d)", f.tree)
	}
	if f.tree != 0 && (c.Daemon.Persist || cmd.Flags().Changed("persist")) {
		return c, errors.New("--tree excludes daemon.persist and --persist: the next agent would observe the whole host; remove one")
	}
	if len(f.names) == 0 && len(f.users) == 0 && !f.failed {
		return c, nil
	}
	if c.Traces != nil || c.Logs != nil {
		return c, errors.New("--name, --user and --failed select what the live table shows, and an exporter is configured; give --rule for what is exported")
	}
	var match []string
	if len(f.names) > 0 {
		match = append(match, "executable: "+yamlList(f.names))
	}
	if len(f.users) > 0 {
		match = append(match, "user: "+yamlList(f.users))
	}
	if f.failed {
		match = append(match, "exit: failed")
	}
	set, err := config.ParseRules("--name, --user or --failed", "[{match: {"+strings.Join(match, ", ")+"}, action: keep}, {match: {}, action: drop}]")
	if err != nil {
		return c, err
	}
	return c.WithRules(nil, set)
}

// yamlList returns a YAML list of texts.
func yamlList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
