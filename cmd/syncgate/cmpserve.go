package main

import "github.com/spf13/cobra"

const cmpServerProgram = "syncgate-cmp-server"

// newCmpServe is "syncgate cmp serve": it becomes syncgate-cmp-server, a
// program of its own because Argo CD's types cost every start.
func newCmpServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve [flags of " + cmpServerProgram + "]",
		Short: "Serve the plugin natively, in place of the stock plugin server",
		Long: `Serve the plugin natively: the program ` + cmpServerProgram + `, which lies beside
this one. Everything after "serve" is for it. It needs no plugin.yaml.`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return become(cmpServerProgram, args)
		},
	}
}
