package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
)

func newDoctor() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this kernel, these privileges, that collector and those directories allow",
		Long: `Load and attach the kernel programs, watch a process of one's own, call the
configured exporter, look at the directories that it is to use, and say what
worked and what to do about the rest. Exit 1 if the agent could not run.
What an agent at work has pinned is left alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return failed(err)
			}
			cannotRun := false
			for _, f := range agent.Diagnose(agent.Options{Config: c, Version: version, Log: s.logger()}) {
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
