package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/config"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", SuggestionsMinimumDistance: 2,
		Short: "Check or print the configuration",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check [FILE]",
			Short: "Check a configuration file, or the OTEL_* variables; exit 1 if something is wrong",
			Args:  cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := loadNamed(cmd, args)
				if err != nil {
					return failed(err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), "valid; "+destinations(c)+metricsDestinations(c))
				return nil
			},
		},
		&cobra.Command{
			Use:   "print [FILE]",
			Short: "Print the configuration as it takes effect, secrets redacted",
			Args:  cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := loadNamed(cmd, args)
				if err != nil {
					return failed(err)
				}
				_, err = cmd.OutOrStdout().Write(c.YAML())
				return failed(err)
			},
		},
		newExplain(),
		writes("reference", "Print every option with its default and meaning, as a file to start from", config.Reference),
		writes("schema", "Print the JSON schema of the file, by which editors complete and check it", config.Schema),
	)
	for _, sub := range cmd.Commands() {
		sub.SetOut(os.Stdout)
	}
	return cmd
}

// writes returns a command that writes a text.
func writes(use, short string, text func() []byte) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(text())
			return failed(err)
		},
	}
}

// destinations describes where everything goes.
func destinations(c config.Config) string {
	switch {
	case c.Traces == nil && c.Logs == nil:
		return "no exporter is configured, so processes are shown on the terminal"
	case c.Traces == nil:
		return "log records go to " + targets(c.Logs.Pipelines) + "; no exporter of spans is configured"
	case c.Logs == nil:
		return "spans go to " + targets(c.Traces.Pipelines)
	}
	return "spans go to " + targets(c.Traces.Pipelines) + ", log records to " + targets(c.Logs.Pipelines)
}

func targets(pipelines []config.Pipeline) string {
	all := make([]string, len(pipelines))
	for i, p := range pipelines {
		all[i] = p.Exporter.Target()
	}
	return strings.Join(all, " and ")
}

// metricsDestinations describes where the metrics of procspan itself go, if anywhere.
func metricsDestinations(c config.Config) string {
	if c.Metrics == nil {
		return ""
	}
	var to []string
	if r := c.Metrics.Periodic; r != nil {
		to = append(to, "go to "+r.Exporter.Target())
	}
	if r := c.Metrics.Prometheus; r != nil {
		to = append(to, "are served at "+net.JoinHostPort(r.Host, strconv.Itoa(r.Port)))
	}
	return "; metrics of procspan itself " + strings.Join(to, " and ")
}

func loadNamed(cmd *cobra.Command, args []string) (config.Config, error) {
	s := settings{cmd: cmd}
	if len(args) > 0 {
		s.configFile = args[0]
	}
	return s.load()
}
