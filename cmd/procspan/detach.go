package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
)

func newDetach() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "detach",
		Short: "End the kernel programs that run left at work",
		Long: `End the kernel programs that an agent with daemon.persist has left at work, and
remove what it kept for the next one. What they have seen since that agent ended
is lost. An agent that is at work has to be ended first.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := s.load()
			if err != nil {
				return failed(err)
			}
			found, err := agent.Detach(c.Daemon)
			switch {
			case err != nil:
				return failed(err)
			case found:
				fmt.Fprintf(os.Stdout, "the kernel programs pinned in %s have ended\n", c.Daemon.PinDirectory)
			default:
				fmt.Fprintf(os.Stdout, "no kernel programs are pinned in %s\n", c.Daemon.PinDirectory)
			}
			return nil
		},
	}
	s.addFlags(cmd)
	return cmd
}
