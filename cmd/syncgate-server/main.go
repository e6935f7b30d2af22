// Command syncgate-server is the gate server: it takes Changes from hook Jobs,
// runs the checks of their Gates and keeps the Runs.
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

// The exit codes.
const (
	exitOK    = 0
	exitBroke = 1 // it worked, and then could not go on
	exitStart = 2 // it could not start: configuration, database, address
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand() //nolint:contextcheck // cobra hands the context on
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "syncgate-server: %v\n", err)
	var broke *brokeError
	if errors.As(err, &broke) {
		return exitBroke
	}
	return exitStart
}

func newCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "syncgate-server --config FILE",
		Short: "Run the gate server",
		Long: `The gate server takes changes from hook Jobs, asks the checks of their Gates
until they hold or the deadline comes, keeps the runs, and opens a revert pull
request for a change that was applied and is not good.

It logs JSON lines on standard error. On SIGTERM or SIGINT it ends by itself;
what it was doing goes on with the next start, whatever ended it.

Credentials of S3 stores may come from the environment:
SYNCGATE_STORE_<NAME>_ACCESS_KEY and SYNCGATE_STORE_<NAME>_SECRET_KEY, with the
store's name in capitals and '_' for every other character.

Exit codes: 0 ended when asked, 1 broke while serving, 2 could not start.`,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "the configuration file, YAML")
	cmd.Flags().BoolVar(&o.check, "check", false, "only read the configuration and say what is wrong with it")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the name above is misspelled
	}
	return cmd
}
