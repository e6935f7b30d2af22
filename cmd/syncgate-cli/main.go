// Command syncgate-cli is all commands of Syncgate's command line, for laptops, CI and
// hook Jobs. People call it as syncgate, the program that becomes it. It starts fast:
// the plugin and the long-running server are programs of their own.
package main

import (
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

// What the program ends with.
const (
	exitNo      = cli.No
	exitUnknown = cli.Unknown
)

// exitError ends the program with a code; all there is to say has been said.
type exitError = cli.ExitError

func main() {
	runtime.LockOSThread() // see cli.Become
	cli.TuneMemory(os.Getenv)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, without its process.
func run(args []string, stdout, stderr io.Writer) int {
	return cli.Run(newRootCommand(), args, stdout, stderr)
}

// newRootCommand is "syncgate": the table of its commands.
func newRootCommand() *cobra.Command {
	var log cli.LogOptions
	root := &cobra.Command{
		Use:   "syncgate",
		Short: "Guard GitOps upgrades of stateful applications on several clusters",
		Long: `Syncgate guards GitOps upgrades of stateful applications on several clusters.

Values that disagree between clusters never render. A change nobody can undo
never syncs. A change that breaks something reverts itself, by pull request.

Exit codes of every command: 0 yes or done, 1 no (findings, refused, not
passed), 2 could not tell (bad usage, unreadable, malformed, a limit hit).`,
	}
	log.Flags(root.PersistentFlags())
	root.AddCommand(
		newInitCommand(),
		newValidateCommand(&log),
		newExplainCommand(&log),
		newMatrixCommand(&log),
		newRulesCommand(),
		newTestCommand(),
		newSchemaCommand(),
		newCmpCommand(),
		newHookCommand(),
		newOverrideCommand(),
		newServerCommand(),
		newVersionCommand(),
	)
	return root
}
