package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/client"
	"github.com/syncgate/syncgate/policies/gate"
)

// defaultOverride is how long an override holds when nobody says.
const defaultOverride = time.Hour

type overrideOptions struct {
	personOptions
	request hooks.OverrideRequest
	phase   string
	howLong time.Duration
}

// newOverrideCommand is "syncgate override".
func newOverrideCommand() *cobra.Command {
	var opts overrideOptions
	cmd := &cobra.Command{
		Use:   "override",
		Short: "Let one change go on although its gate does not say so",
		Long: `Break the glass: let one revision go on through one phase of one gate on one
cluster, for a limited time, although its checks do not pass or cannot be asked.
A hook Job that waits goes on at once; one that comes before the time is over
goes on too. Nothing else is let through, and values that disagree between
clusters still do not render. The audit log, the Run and the server's log keep
who did it, why and until when.

You need a token of the cluster for audience syncgate, of a user who may
"override" the Gate there (gates.syncgate.dev). A ServiceAccount's is made with

  kubectl create token oncall --namespace mattermost --audience syncgate

and given in a file or through standard input; it is worth nothing to the
cluster's API server, so it gives nobody else your rights.

"syncgate override list" shows what is overridden, and "syncgate override revoke"
ends one before its time.

Exit codes: 0 overridden, 1 refused, 2 could not tell.`,
		Example: `  kubectl create token oncall -n mattermost --audience syncgate |
    syncgate override --server https://syncgate.example.com:8443 --token-file - \
      --repository https://github.com/acme/gitops --gate mattermost --cluster eu \
      --revision 4f0c… --reason "backup store is down, snapshot taken by hand"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runOverride(cmd, &opts) },
	}
	f := cmd.Flags()
	opts.flags(cmd)
	f.StringVar(&opts.request.Repository, "repository", "", "URL of the GitOps repository")
	f.StringVar(&opts.request.Gate, "gate", "", "the Gate's name")
	f.StringVar(&opts.request.Cluster, "cluster", "", "the cluster's name in the Gate")
	f.StringVar(&opts.request.Revision, "revision", "", "full commit SHA")
	f.StringVar(&opts.phase, "phase", "presync", "presync or postsync")
	f.StringVar(&opts.request.Reason, "reason", "", "why, one line, for those who ask later")
	f.DurationVar(&opts.howLong, "for", defaultOverride, "how long it holds")
	require(cmd, "repository", "gate", "cluster", "revision", "reason")
	cmd.AddCommand(newOverrideListCommand(), newOverrideRevokeCommand())
	return cmd
}

func runOverride(cmd *cobra.Command, opts *overrideOptions) error {
	phases := map[string]hooks.Phase{"presync": hooks.PreSync, "postsync": hooks.PostSync}
	phase, ok := phases[opts.phase]
	if !ok {
		return cli.Usage(fmt.Errorf("--phase: expected presync or postsync, found %q", opts.phase))
	}
	opts.request.Phase, opts.request.For = phase, gate.Duration(opts.howLong)
	if err := opts.request.Validate(); err != nil {
		return cli.Usage(err)
	}
	person, err := opts.person(cmd)
	if err != nil {
		return err
	}
	run, err := client.Override(cmd.Context(), person, opts.request)
	if err != nil {
		return refusedOr(cmd, "not overridden", fmt.Errorf("override: %w", err))
	}
	return printOverride(cmd.OutOrStdout(), opts.output, run)
}

func printOverride(w io.Writer, output string, run hooks.Run) error {
	if output == "json" {
		return writeJSON(w, run)
	}
	c, o := run.Change, run.Override
	_, err := fmt.Fprintf(w, `%s of gate %s on cluster %s at %.12s is overridden until %s
by      %s
reason  %s
run     %s, number %d

A hook Job that waits goes on now. For a sync that has failed, sync again before then.
`, c.Phase, c.Gate, c.Cluster, c.Revision, o.Until.UTC().Format(time.RFC3339), o.By, o.Reason, run.ID, run.Number)
	return err
}
