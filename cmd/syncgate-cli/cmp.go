package main

import (
	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

const cmpProgram = "syncgate-cmp"

// newCmpCommand is "syncgate cmp": it becomes syncgate-cmp, a program of its own
// because Helm's engine would cost every start of this one.
func newCmpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cmp",
		Short: "Render as an Argo CD config-management plugin",
		// Help is that program's, too.
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return cli.Become(cmpProgram, args)
		},
	}
}
