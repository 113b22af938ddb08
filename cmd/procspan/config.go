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
				c, err := loadNamed(args)
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
				c, err := loadNamed(args)
				if err != nil {
					return failed(err)
				}
				_, err = cmd.OutOrStdout().Write(c.YAML())
				return failed(err)
			},
		},
		&cobra.Command{
			Use:   "reference",
			Short: "Print every option with its default and meaning, as a file to start from",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(config.Reference())
				return failed(err)
			},
		},
	)
	for _, sub := range cmd.Commands() {
		sub.SetOut(os.Stdout)
	}
	return cmd
}

// destinations says where everything goes.
func destinations(c config.Config) string {
	const terminal = "so processes are shown on the terminal"
	switch {
	case c.Traces == nil && c.Logs == nil:
		return "no exporter is configured, " + terminal
	case c.Traces == nil:
		return "log records go to " + c.Logs.Exporter.Target + "; no exporter of spans is configured"
	case c.Logs == nil:
		return "spans go to " + c.Traces.Exporter.Target
	}
	return "spans go to " + c.Traces.Exporter.Target + ", log records to " + c.Logs.Exporter.Target
}

// metricsDestinations says where the metrics of procspan itself go, if anywhere.
func metricsDestinations(c config.Config) string {
	if c.Metrics == nil {
		return ""
	}
	var to []string
	if r := c.Metrics.Periodic; r != nil {
		to = append(to, "go to "+r.Exporter.Target)
	}
	if r := c.Metrics.Prometheus; r != nil {
		to = append(to, "are served at "+net.JoinHostPort(r.Host, strconv.Itoa(r.Port)))
	}
	return "; metrics of procspan itself " + strings.Join(to, " and ")
}

func loadNamed(args []string) (config.Config, error) {
	var s settings
	if len(args) > 0 {
		s.configFile = args[0]
	}
	return s.load()
}
