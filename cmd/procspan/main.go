// Command procspan turns every process lifetime into an OpenTelemetry span.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/procspan/procspan/agent/command"
	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/internal/capability"
)

// version is set by the Makefile.
var version = "devel"

// lastLinesWithin bounds how long the end waits for standard error.
const lastLinesWithin = time.Second

func main() {
	if command.IsLauncher() {
		command.Become()
	}
	// From here on, files are opened as the caller would: raised around /proc only.
	if err := capability.Lower(); err != nil && !errors.Is(err, syscall.ENOTSUP) {
		fmt.Fprintln(os.Stderr, "procspan:", err)
		os.Exit(1)
	}
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0, 2 for a usage error, an exitError's code, 1 for any
// other failure.
func run(args []string) int {
	stderr := newLineWriter(os.Stderr)
	defer stderr.close(lastLinesWithin)
	root := newRoot()
	root.SetArgs(args)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: 2, err: fmt.Errorf("%w; see procspan --help", err)}
	}
	if exit.err != nil {
		// Errors quote arguments and file names.
		for line := range strings.Lines("procspan: " + exit.err.Error() + "\n") {
			fmt.Fprintln(stderr, console.Printable(strings.TrimSuffix(line, "\n")))
		}
	}
	return exit.code
}
