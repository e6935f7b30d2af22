package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/client"
)

type overrideListOptions struct {
	personOptions
	gate, cluster string
	all           bool
}

// newOverrideListCommand is "syncgate override list".
func newOverrideListCommand() *cobra.Command {
	var opts overrideListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show what is overridden on a cluster",
		Long: `Show what is overridden of one gate on one cluster, the newest first: the id of the
Run, phase and revision, until when, who did it and why. With --all also what has
ended, by itself or because somebody revoked it, among the newest 100.

You need the token and the right that "syncgate override" needs.

Exit codes: 0 listed, 1 refused, 2 could not tell.`,
		Example: `  kubectl create token oncall -n mattermost --audience syncgate |
    syncgate override list --server https://syncgate.example.com:8443 --token-file - \
      --gate mattermost --cluster eu`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listOverrides(cmd, &opts) },
	}
	opts.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.gate, "gate", "", "the Gate's name")
	f.StringVar(&opts.cluster, "cluster", "", "the cluster's name in the Gate")
	f.BoolVar(&opts.all, "all", false, "also what has ended")
	require(cmd, "gate", "cluster")
	return cmd
}

func listOverrides(cmd *cobra.Command, opts *overrideListOptions) error {
	person, err := opts.person(cmd)
	if err != nil {
		return err
	}
	runs, err := client.Overrides(cmd.Context(), person, opts.cluster, opts.gate, opts.all)
	if err != nil {
		return refusedOr(cmd, "not listed", err)
	}
	if opts.output == "json" {
		return writeJSON(cmd.OutOrStdout(), runs)
	}
	return printOverrides(cmd.OutOrStdout(), opts, runs)
}

func printOverrides(w io.Writer, opts *overrideListOptions, runs []hooks.Run) error {
	if len(runs) == 0 {
		what := "nothing of gate %s on cluster %s is overridden\n"
		if opts.all {
			what = "nothing of gate %s on cluster %s has been overridden\n"
		}
		_, err := fmt.Fprintf(w, what, opts.gate, opts.cluster)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "RUN\tPHASE\tREVISION\tUNTIL\tBY\tWHY")
	for _, r := range runs {
		o := r.Override
		if o == nil {
			continue // an older server's answer says so in another way
		}
		why := o.Reason
		if o.Revoked != nil {
			why += fmt.Sprintf(" (revoked by %s: %s)", o.Revoked.By, o.Revoked.Reason)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%.12s\t%s\t%s\t%s\n", r.ID, r.Change.Phase, r.Change.Revision, o.Ends().UTC().Format(time.RFC3339), o.By, why)
	}
	return t.Flush()
}

type overrideRevokeOptions struct {
	personOptions
	request hooks.RevokeRequest
}

// newOverrideRevokeCommand is "syncgate override revoke".
func newOverrideRevokeCommand() *cobra.Command {
	var opts overrideRevokeOptions
	cmd := &cobra.Command{
		Use:   "revoke RUN",
		Short: "End an override before its time",
		Long: `End the override of a Run, whose id "syncgate override list" shows: nothing goes on
by it any more, neither a hook Job nor, with the admission webhook, a guarded
change, and the next sync is asked anew. What has gone on by it stays as it is, and
a revert pull request that it closed stays closed. The audit log, the Run and the
server's log keep who did it and why.

You need the token and the right that "syncgate override" needs.

Exit codes: 0 revoked, also when it was before, 1 refused, 2 could not tell.`,
		Example: `  kubectl create token oncall -n mattermost --audience syncgate |
    syncgate override revoke 019f… --server https://syncgate.example.com:8443 --token-file - \
      --cluster eu --reason "the store is back"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return revokeOverride(cmd, args[0], &opts) },
	}
	opts.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.request.Cluster, "cluster", "", "the cluster's name in the Gate")
	f.StringVar(&opts.request.Reason, "reason", "", "why, one line, for those who ask later")
	require(cmd, "cluster", "reason")
	return cmd
}

func revokeOverride(cmd *cobra.Command, id string, opts *overrideRevokeOptions) error {
	if err := opts.request.Validate(); err != nil {
		return cli.Usage(err)
	}
	person, err := opts.person(cmd)
	if err != nil {
		return err
	}
	run, err := client.Revoke(cmd.Context(), person, id, opts.request)
	if err != nil {
		return refusedOr(cmd, "not revoked", err)
	}
	if opts.output == "json" {
		return writeJSON(cmd.OutOrStdout(), run)
	}
	c, o := run.Change, run.Override
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of gate %s on cluster %s at %.12s is no longer overridden, since %s\nby      %s\nreason  %s\n",
		c.Phase, c.Gate, c.Cluster, c.Revision, o.Revoked.At.UTC().Format(time.RFC3339), o.Revoked.By, o.Revoked.Reason)
	return err
}
