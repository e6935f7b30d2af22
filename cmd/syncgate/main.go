// Command syncgate is the command-line tool of Syncgate, for laptops, CI, the
// Argo CD plugin and hook Jobs. It starts fast: the long-running server is a
// program of its own, syncgate-server.
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

// What the program ends with.
const (
	exitNo      = 1 // the answer is no: findings, refused, not passed
	exitUnknown = 2 // could not tell: bad usage, unreadable, malformed, a limit hit
)

func main() {
	tuneMemory(os.Getenv)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, without its process.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var done exitError
	switch {
	case errors.As(err, &done):
		return done.code
	case errors.Is(err, errNotPassed):
		return exitNo
	}
	fmt.Fprintf(stderr, "syncgate: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "%q tells what it accepts\n", cmd.CommandPath()+" --help")
	}
	return exitUnknown
}

// newRootCommand is "syncgate": the table of its commands.
func newRootCommand() *cobra.Command {
	var log logOptions
	root := &cobra.Command{
		Use:   "syncgate",
		Short: "Guard GitOps upgrades of stateful applications on several clusters",
		Long: `Syncgate guards GitOps upgrades of stateful applications on several clusters.

Values that disagree between clusters never render. A change nobody can undo
never syncs. A change that breaks something reverts itself, by pull request.

Exit codes of every command: 0 yes or done, 1 no (findings, refused, not
passed), 2 could not tell (bad usage, unreadable, malformed, a limit hit).`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	log.addFlags(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
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
	requireCommands(root)
	return root
}

// requireCommands makes a group of commands that is called without one of them
// an error. Left alone, cobra would print help and succeed, and a hook Job
// whose command is misspelled would let the sync go on.
func requireCommands(group *cobra.Command) {
	if group.HasSubCommands() && !group.Runnable() {
		group.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
			cmd.SuggestionsMinimumDistance = 2
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				err = fmt.Errorf("%w; did you mean %q?", err, like[0])
			}
			return usageError{err}
		}
		group.RunE = func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return exitError{exitUnknown}
		}
	}
	for _, cmd := range group.Commands() {
		requireCommands(cmd)
	}
}

// usageError is a command line that cannot be meant.
type usageError struct{ error }

// Unwrap is what is wrong with it.
func (e usageError) Unwrap() error { return e.error }
