package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/procspan/procspan/agent"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, and a hash of the BPF programs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Printf("procspan %s %s/%s\ncommit %s\nBPF programs sha256:%s\n%s\n",
				version, runtime.GOOS, runtime.GOARCH, commit(), agent.ProgramsHash(), runtime.Version())
			return failed(err)
		},
	}
}

// commit returns the commit that the binary was built from, as the Go toolchain
// recorded it: with "-dirty" if files had been changed, "unknown" if it was not
// built in a git checkout.
func commit() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return revision + dirty
}
