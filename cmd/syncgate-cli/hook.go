package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/client"
)

// newHookCommand is "syncgate hook": what runs in the hook Jobs.
func newHookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hook",
		Short: "Wait in a hook Job for the gate server's verdict",
		Long: `Post a change to the gate server, print each check's progress, and wait.

Exit codes: 0 passed, 1 failed, expired or superseded, 2 could not tell.`,
		Args: cobra.NoArgs,
	}
	for _, p := range []struct {
		phase      hooks.Phase
		use, short string
	}{
		{hooks.PreSync, "presync", "Before anything is applied: ask the checks that must hold"},
		{hooks.PostSync, "postsync", "After everything is applied: ask whether it is good"},
		{hooks.SyncFail, "syncfail", "After a failed sync: record it and say why it failed"},
	} {
		cmd.AddCommand(newHookPhase(p.phase, p.use, p.short))
	}
	return cmd
}

func newHookPhase(phase hooks.Phase, use, short string) *cobra.Command {
	opts := client.Options{Change: hooks.Change{Phase: phase}}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Out = cmd.OutOrStdout()
			return runHook(cmd.Context(), opts, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.Server, "server", "", "the gate server's address, https://host:port")
	f.StringVar(&opts.Change.Repository, "repository", "", "URL of the GitOps repository")
	f.StringVar(&opts.Change.Gate, "gate", "", "the Gate's name")
	f.StringVar(&opts.Change.Cluster, "cluster", "", "the cluster's name in the Gate")
	f.StringVar(&opts.Change.Revision, "revision", "", "full commit SHA that is synced")
	f.StringVar(&opts.Change.TargetRevision, "target-revision", "", "what the Application follows, a branch or HEAD: a wait ends early when that moves on (default: not known)")
	f.StringVar(&opts.TokenFile, "token-file", "/var/run/secrets/syncgate/token", "file with the ServiceAccount token for audience syncgate")
	f.StringVar(&opts.CAFile, "ca-file", "", "file with the CA certificates of the server, PEM (default: the system's)")
	f.StringVar(&opts.Change.Attempt, "attempt", "", "identity of this attempt, the pod's UID (default: a new one)")
	f.DurationVar(&opts.Timeout, "timeout", time.Hour, "how long to wait for a verdict in all")
	for _, name := range []string{"server", "repository", "gate", "cluster", "revision"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a name above is misspelled
		}
	}
	return cmd
}

func runHook(ctx context.Context, opts client.Options, stderr io.Writer) error {
	if opts.Change.Attempt == "" {
		opts.Change.Attempt = uuid.NewString()
	} else {
		opts.Least = client.ForJob // who names the attempt is a Job
	}
	verdict, err := client.Wait(ctx, opts)
	if err != nil {
		return fmt.Errorf("hook %s: %w", opts.Change.Phase, err)
	}
	if !verdict.LetsGo() {
		_, _ = fmt.Fprintf(stderr, "syncgate: %s of gate %s on cluster %s: %s\n",
			opts.Change.Phase, opts.Change.Gate, opts.Change.Cluster, verdict)
		return exitError(exitNo)
	}
	return nil
}
