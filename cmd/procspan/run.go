package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
)

func newRun() *cobra.Command {
	var s settings
	var persist bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Observe this host until SIGINT, SIGTERM or SIGHUP",
		Long: `Observe this host until SIGINT, SIGTERM or SIGHUP: each process that ends becomes a span.
Without an exporter, starts and ends are shown live on standard output.

At the first signal the programs are detached and what waits is delivered; a
second signal cuts that short. With --persist, or daemon.persist in the
configuration, they stay at work for the next run, until procspan detach. SIGUSR1 has what became of everything so far logged.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := s.load()
			if err != nil {
				return failed(err)
			}
			if persist {
				if c, err = c.Persisting(); err != nil {
					return failed(fmt.Errorf("--persist: %w", err))
				}
			}
			ask := make(chan os.Signal, 1)
			signal.Notify(ask, syscall.SIGUSR1)
			ctx, hurry := stopSignals()
			log := s.logger()
			return failed(agent.Run(ctx, agent.Options{
				Config:  c,
				Version: version,
				Log:     log,
				Console: os.Stdout,
				Ready: func() {
					fewProcessors() // reading what is alive is done on all
					dropPrivileges(log)
				},
				Hurry: hurry,
				Ask:   ask,
			}))
		},
	}
	s.addFlags(cmd)
	cmd.Flags().BoolVar(&persist, "persist", false, "leave the kernel programs at work for the next run, as daemon.persist does")
	return cmd
}

// stopSignals returns two contexts: the first ends with the first SIGINT,
// SIGTERM or SIGHUP, the second with the second. The third signal kills.
func stopSignals() (stop, hurry context.Context) {
	stop, first := context.WithCancel(context.Background())
	hurry, second := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Caught, it makes writing to a pipe that nobody reads an error: who reads
	// the log must not decide over the spans.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		<-signals
		first()
		<-signals
		second()
		signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	}()
	return stop, hurry
}
