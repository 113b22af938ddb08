// Command procspan turns every process lifetime into an OpenTelemetry span.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/procspan/procspan/agent"
	"github.com/procspan/procspan/console"
)

// version is set by the Makefile.
var version = "devel"

func main() {
	if agent.IsLauncher() {
		agent.Launch()
	}
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0, 2 for a call that makes no sense, 1 for any
// other failure, and what a subcommand says with an exitError.
func run(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: 2, err: fmt.Errorf("%w; see procspan --help", err)}
	}
	if exit.err != nil {
		// Arguments and file names stand in errors.
		for line := range strings.Lines("procspan: " + exit.err.Error() + "\n") {
			fmt.Fprintln(os.Stderr, console.Printable(strings.TrimSuffix(line, "\n")))
		}
	}
	return exit.code
}
