// Command syncgate is the fast command line: it runs once for each render, each
// hook Job and each check on a laptop, and links nothing that costs these their
// start.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. Two is the larger trouble: nothing is known.
const (
	exitOK      = 0
	exitRefused = 1
	exitUnknown = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command that args name and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var told exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return told.code
	case errors.Is(err, errNotPassed):
		return exitRefused
	}
	_, _ = fmt.Fprintf(stderr, "syncgate: %v\n", err)
	return exitUnknown
}

// newRootCommand holds the table of all commands.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "syncgate",
		Short:         "Guard GitOps upgrades of stateful applications on several clusters",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newCmpCommand(),
		newHookCommand(),
		newVersionCommand(),
	)
	return root
}
