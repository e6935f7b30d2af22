package plugincmd

import (
	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

const serverProgram = "syncgate-cmp-server"

// newServe is "syncgate cmp serve": it becomes syncgate-cmp-server, a program of its
// own because Argo CD's types cost every start.
func newServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve [flags of " + serverProgram + "]",
		Short: "Serve the plugin natively, in place of the stock plugin server",
		Long: `Serve the plugin natively: the program ` + serverProgram + `, which lies beside
this one. Everything after "serve" is for it. It needs no plugin.yaml.`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return cli.Become(serverProgram, args)
		},
	}
}
