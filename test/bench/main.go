// Command bench holds procspan against other process tracers, side by side: what
// each costs a storm of short processes, and what it costs itself. It also takes
// procspan's cost for a real build, with many processes alive, at rest, and at
// its start.
//
// In goes a built procspan; out come a table on standard output, every raw
// number in results.json, and a picture of the medians in results.svg. `make
// bench` runs it, as root.
//
// Rules: rounds without and with a tracer take turns, and only neighbours are
// compared, so that a machine that drifts drifts for both. What a tracer
// delivers is received by a process of its own, whose CPU time is not counted
// as the tracer's. Run time of BPF programs is taken in rounds of its own,
// since measuring it costs. Nothing is quoted that the same run did not measure.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch plays a role for another process of this program, or runs the bench.
func dispatch(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case roleWorker:
			return work(args[1:])
		case roleCrowd:
			return crowd(args[1:])
		case roleSink:
			return receiveOTLP()
		case roleLines:
			return receiveLines(args[1:])
		}
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return run(ctx, o)
}
