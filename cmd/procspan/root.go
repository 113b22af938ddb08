package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/config"
)

// exitError ends the program with a code, after err, if there is one, was
// printed. Every failure of a subcommand is one; what is not is cobra's word
// on the call itself.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// failed makes the exitError of an ordinary failure; nil stays nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: 1, err: err}
}

// settings are the flags that run, exec and doctor share.
type settings struct {
	configFile string
	verbose    bool
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "procspan",
		Short: "Every process lifetime as an OpenTelemetry span",
		Long: `procspan watches fork, exec and exit in the kernel (eBPF) and makes each process
lifetime an OpenTelemetry span, nested under the process that started it, sent
over OTLP/gRPC to a Collector or Jaeger. Without an exporter it shows the
processes on the terminal.

Configuration is an OpenTelemetry declarative configuration file, --config or
$OTEL_CONFIG_FILE. Without a file the OTEL_* variables count, such as
OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    version,
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newRun(), newExec(), newDetach(), newConfig(), newDoctor(), newVersion())
	return root
}

// knownCommand refuses what is not the name of a subcommand.
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
	cmd.Flags().StringVarP(&s.configFile, "config", "c", "", "configuration `FILE` (default $OTEL_CONFIG_FILE, else the OTEL_* variables)")
	cmd.Flags().BoolVarP(&s.verbose, "verbose", "v", false, "log more, on standard error")
}

// load returns the configuration that the flags and the environment name.
func (s *settings) load() (config.Config, error) {
	if s.configFile == "" {
		s.configFile = os.Getenv("OTEL_CONFIG_FILE")
	}
	if s.configFile == "" {
		return config.FromEnvironment(os.LookupEnv)
	}
	return config.Load(s.configFile, os.LookupEnv)
}

func (s *settings) logger() *slog.Logger {
	level := slog.LevelInfo
	if s.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
