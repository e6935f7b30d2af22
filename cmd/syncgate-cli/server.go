package main

import (
	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

const serverProgram = "syncgate-server"

// newServerCommand is "syncgate server": it becomes syncgate-server, a program
// of its own so that this one starts fast.
func newServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "server [flags of " + serverProgram + "]",
		Short: "Run the gate server",
		Long: `Run the gate server: the program ` + serverProgram + `, which lies beside this one.
Everything after "server" is for it.`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return cli.Become(serverProgram, args)
		},
	}
}
