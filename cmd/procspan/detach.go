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
		Short: "Unload the BPF programs that run --persist left running",
		Long: `Unload the BPF programs that an agent with daemon.persist left running, and remove
the state it saved for the next one. Events since that agent stopped are lost.
Stop a running agent first.`,
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
				fmt.Fprintf(os.Stdout, "unloaded the BPF programs pinned in %s\n", c.Daemon.PinDirectory)
			default:
				fmt.Fprintf(os.Stdout, "no BPF programs are pinned in %s\n", c.Daemon.PinDirectory)
			}
			return nil
		},
	}
	s.addFlags(cmd)
	return cmd
}
