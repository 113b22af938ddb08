package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Printf("procspan %s %s/%s %s\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return failed(err)
		},
	}
}
