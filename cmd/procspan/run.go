package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
)

func newRun() *cobra.Command {
	var s settings
	var persist bool
	var decide ruleFlags
	var show viewFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Observe this host until SIGINT or SIGTERM",
		Long: `Observe this host until SIGINT or SIGTERM: each process that ends becomes a span.
Without an exporter, starts and ends are printed live on standard output.

At the first signal the BPF programs are detached and the queue is delivered; a
second signal cuts that short. With --persist, or daemon.persist in the
configuration, the programs keep running for the next run, until procspan detach.
SIGHUP reloads the configuration file without losing a process; an invalid file
changes nothing, and what needs a restart is logged. On a terminal, a hangup ends
procspan instead.
SIGUSR1 logs the ledger: what became of every span and log record so far.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (config.Config, error) {
				c, err := s.load()
				if err == nil {
					c, err = decide.apply(c)
				}
				if err == nil {
					c, err = show.apply(cmd, c)
				}
				if err != nil || !persist {
					return c, err
				}
				if c, err = c.Persisting(); err != nil {
					return c, fmt.Errorf("--persist: %w", err)
				}
				return c, nil
			}
			c, err := load()
			if err != nil {
				return failed(err)
			}
			ask := make(chan os.Signal, 1)
			signal.Notify(ask, syscall.SIGUSR1)
			stopped := make(chan struct{})
			ctx, hurry := stopSignals(stopped)
			log := s.logger()
			otelexport.LogGRPC(log)
			reload := hangups(log)
			if s.configFile == "" {
				load = nil
			}
			return failed(agent.Run(ctx, agent.Options{
				Config:  c,
				Memory:  limitMemory(),
				Version: version,
				Log:     log,
				Console: os.Stdout,
				Stdout:  os.Stdout,
				Ready: func() {
					fewProcessors() // running processes were read on all of them
					prioritize()
					dropPrivileges(log)
				},
				Stopped: func() { close(stopped) },
				Hurry:   hurry,
				Ask:     ask,
				Tree:    show.tree,
				Reload:  reload,
				Load:    load,
			}))
		},
	}
	s.addFlags(cmd)
	decide.add(cmd)
	show.add(cmd)
	cmd.Flags().BoolVar(&persist, "persist", false, "keep the BPF programs running for the next run, as daemon.persist does")
	return cmd
}

// hangups returns where SIGHUP asks for a reload: always, unless there is a controlling
// terminal, whose hangup it may be. Then it ends procspan, or is ignored as it was at the
// start, under nohup, and hangups returns nil. Without a terminal, it does not matter
// whether it was ignored: nobody but a person sends it.
func hangups(log *slog.Logger) <-chan os.Signal {
	if hasTerminal() {
		if signal.Ignored(syscall.SIGHUP) {
			log.Info("SIGHUP is ignored: reload is not available", "hint", "start procspan without a terminal, as setsid and systemd do")
		}
		return nil
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	return reload
}

// hasTerminal reports whether there is a controlling terminal.
func hasTerminal() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	terminal.Close()
	return true
}

// stopSignals returns two contexts: stop ends at the first SIGINT or SIGTERM, or SIGHUP
// of a terminal; hurry at the second. The third signal kills.
func stopSignals(stopped <-chan struct{}) (stop, hurry context.Context) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if hasTerminal() && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Caught, SIGPIPE makes a write to a broken pipe an error: the reader of the log
	// must not be able to end the agent.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return stopAfter(signals, stopped, func() { signal.Reset(syscall.SIGINT, syscall.SIGTERM) })
}

const (
	// groupPause is how long after the first signal further ones belong to it in any
	// case: on a busy machine, the sender may not run in between.
	groupPause = 500 * time.Millisecond
	// stopWithin bounds the time in which they do where the stop takes long.
	stopWithin = 2 * time.Second
)

// stopAfter returns a context that ends at the first signal, and one that ends at the
// second, when it calls last. Signals within groupPause, and before stopped is closed,
// belong to the first: timeout(1) signals its child, and then its child's process
// group.
func stopAfter(signals <-chan os.Signal, stopped <-chan struct{}, last func()) (stop, hurry context.Context) {
	stop, first := context.WithCancel(context.Background())
	hurry, second := context.WithCancel(context.Background())
	go func() {
		<-signals
		first()
		pause, early := time.After(groupPause), time.After(stopWithin)
		for pause != nil || stopped != nil {
			select {
			case <-pause:
				pause = nil
			case <-stopped:
				stopped = nil
			case <-early:
				stopped = nil
			case <-signals:
			}
		}
		<-signals
		second()
		last()
	}()
	return stop, hurry
}
