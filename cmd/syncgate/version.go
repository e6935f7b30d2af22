package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel" //nolint:gochecknoglobals // the linker sets no constant

// newVersionCommand is "syncgate version".
func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
