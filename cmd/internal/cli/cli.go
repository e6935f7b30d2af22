// Package cli is what the programs that people call have in common: how they end, and
// what they say of a command line that cannot be meant.
package cli

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

// What a program ends with, beside 0 for yes and done.
const (
	No      = 1 // the answer is no: findings, refused, not passed
	Unknown = 2 // could not tell: bad usage, unreadable, malformed, a limit hit
)

// ExitError ends the program with a code; all there is to say has been said.
type ExitError int

// Error is for a log; people have been told already.
func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a command line that cannot be meant.
type usageError struct{ error }

// Unwrap is what is wrong with it.
func (e usageError) Unwrap() error { return e.error }

// Usage is the error of a command line that cannot be meant: whoever reads it is told
// where the help is.
func Usage(err error) error { return usageError{err} }

// Run is a program without its process: it executes root until a signal ends it, says
// on stderr what went wrong, and returns the exit code.
func Run(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usage(err) })
	requireCommands(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var done ExitError
	if errors.As(err, &done) {
		return int(done)
	}
	fmt.Fprintf(stderr, "syncgate: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "%q tells what it accepts\n", cmd.CommandPath()+" --help")
	}
	return Unknown
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
			return Usage(err)
		}
		group.RunE = func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return ExitError(Unknown)
		}
	}
	for _, cmd := range group.Commands() {
		requireCommands(cmd)
	}
}
