package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/otelexport"
)

func newDoctor() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this kernel, the privileges, the collector and the directories",
		Long: `Load and attach the BPF programs, observe a test process, call the configured
collector and check the configured directories; report what works, and what to do
about the rest. Exit 1 if the agent could not run. The pins of a running agent are
left alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return failed(err)
			}
			cannotRun := false
			log := s.logger()
			otelexport.LogGRPC(log)
			for _, f := range agent.Diagnose(agent.Options{Config: c, Version: version, Log: log}) {
				mark, text := "ok  ", f.Found
				switch {
				case f.Err != nil && f.Fatal:
					mark, text, cannotRun = "FAIL", f.Err.Error(), true
				case f.Err != nil:
					mark, text = "warn", f.Err.Error()
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %-17s %s\n", mark, f.What, text)
			}
			if cannotRun {
				return failed(errors.New("the agent cannot run here; see FAIL above"))
			}
			return nil
		},
	}
	s.addFlags(cmd)
	return cmd
}
