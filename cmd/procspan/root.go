package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/config"
)

// exitError makes the program print err, if any, and exit with code. Every failure
// of a subcommand is an exitError; any other error is a usage error from cobra.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// failed returns an exitError with code 1, or nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: 1, err: err}
}

// settings are the flags common to run, exec, detach and doctor.
type settings struct {
	configFile string
	verbose    bool
	cmd        *cobra.Command
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "procspan",
		Short: "Every process lifetime as an OpenTelemetry span",
		Long: `procspan observes fork, exec and exit in the kernel (eBPF) and turns each process
lifetime into an OpenTelemetry span, nested under the process that started it, and
sends it over OTLP to a Collector or Jaeger, or writes it to a file. Without an
exporter it shows the processes on the terminal.

The configuration is an OpenTelemetry declarative configuration file: --config or
$OTEL_CONFIG_FILE. Without a file, OTEL_* variables are used, such as
OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    version,
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newRun(), newExec(), newView(), newDiff(), newExport(), newDetach(), newConfig(), newCI(), newDoctor(), newVersion())
	return root
}

// knownCommand rejects arguments that are not the name of a subcommand.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%w, did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

func (s *settings) addFlags(cmd *cobra.Command) {
	s.cmd = cmd
	cmd.Flags().StringVarP(&s.configFile, "config", "c", "", "configuration `FILE` (default $OTEL_CONFIG_FILE, else the OTEL_* variables)")
	cmd.Flags().BoolVarP(&s.verbose, "verbose", "v", false, "log more, on standard error")
}

// load returns the configuration selected by the flags and the environment. It
// logs the variables that are ignored.
func (s *settings) load() (config.Config, error) {
	c, ignored, err := s.read()
	for _, p := range ignored {
		s.logger().Warn("variable ignored", "variable", p.Path, "problem", p.Text)
	}
	return c, err
}

// loadForCommand is load for exec. A variable that is wrong may be meant for the
// command's own SDK, so it is ignored and the command runs.
func (s *settings) loadForCommand() (config.Config, error) {
	c, err := s.load()
	if s.configFile != "" {
		return c, err
	}
	var invalid *config.Invalid
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			s.logger().Warn("variable ignored, exporter not used", "variable", p.Path, "problem", p.Text)
		}
	}
	if c.Traces != nil {
		if err := agent.Usable(c.Traces.Pipelines); err != nil {
			s.logger().Warn("spans are not exported", "error", err)
			c.Traces = nil
		}
	}
	if c.Logs != nil {
		if err := agent.Usable(c.Logs.Pipelines); err != nil {
			s.logger().Warn("log records are not exported", "error", err)
			c.Logs = nil
		}
	}
	return c, nil
}

func (s *settings) read() (c config.Config, ignored []config.Problem, err error) {
	if s.configFile == "" {
		s.configFile = os.Getenv("OTEL_CONFIG_FILE")
	}
	if s.configFile == "" {
		return config.FromEnvironment(os.LookupEnv)
	}
	c, err = config.Load(s.configFile, os.LookupEnv)
	return c, nil, err
}

func (s *settings) logger() *slog.Logger {
	level := slog.LevelInfo
	if s.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(s.cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}
