package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/client"
	"github.com/syncgate/syncgate/policies/gate"
)

// defaultOverride is how long an override holds when nobody says.
const defaultOverride = time.Hour

type overrideOptions struct {
	client.OverrideOptions
	phase     string
	tokenFile string
	howLong   time.Duration
	output    string
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

Exit codes: 0 overridden, 1 refused, 2 could not tell.`,
		Example: `  kubectl create token oncall -n mattermost --audience syncgate |
    syncgate override --server https://syncgate.example.com:8443 --token-file - \
      --repository https://github.com/acme/gitops --gate mattermost --cluster eu \
      --revision 4f0c… --reason "backup store is down, snapshot taken by hand"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runOverride(cmd, &opts) },
	}
	f := cmd.Flags()
	f.StringVar(&opts.Server, "server", "", "the gate server's address, https://host:port")
	f.StringVar(&opts.Request.Repository, "repository", "", "URL of the GitOps repository")
	f.StringVar(&opts.Request.Gate, "gate", "", "the Gate's name")
	f.StringVar(&opts.Request.Cluster, "cluster", "", "the cluster's name in the Gate")
	f.StringVar(&opts.Request.Revision, "revision", "", "full commit SHA")
	f.StringVar(&opts.phase, "phase", "presync", "presync or postsync")
	f.StringVar(&opts.Request.Reason, "reason", "", "why, one line, for those who ask later")
	f.DurationVar(&opts.howLong, "for", defaultOverride, "how long it holds")
	f.StringVar(&opts.tokenFile, "token-file", "", "file with your token of the cluster for audience syncgate; - is standard input")
	f.StringVar(&opts.CAFile, "ca-file", "", "file with the CA certificates of the server, PEM (default: the system's)")
	f.StringVarP(&opts.output, "output", "o", "text", "one of text, json")
	for _, name := range []string{"server", "repository", "gate", "cluster", "revision", "reason", "token-file"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a name above is misspelled
		}
	}
	return cmd
}

func runOverride(cmd *cobra.Command, opts *overrideOptions) error {
	phases := map[string]hooks.Phase{"presync": hooks.PreSync, "postsync": hooks.PostSync}
	phase, ok := phases[opts.phase]
	switch {
	case !ok:
		return usageError{fmt.Errorf("--phase: expected presync or postsync, found %q", opts.phase)}
	case opts.output != "text" && opts.output != "json":
		return usageError{fmt.Errorf("--output: expected one of text, json, found %q", opts.output)}
	}
	opts.Request.Phase, opts.Request.For = phase, gate.Duration(opts.howLong)
	if err := opts.Request.Validate(); err != nil {
		return usageError{err}
	}
	token, err := readTokenFrom(opts.tokenFile, cmd.InOrStdin())
	if err != nil {
		return err
	}
	opts.Token = token
	run, err := client.Override(cmd.Context(), opts.OverrideOptions)
	var refused *client.RefusalError
	if errors.As(err, &refused) && refused.Status < 500 && refused.Status != 429 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "syncgate: not overridden: %v\n", err)
		return exitError{exitNo}
	}
	if err != nil {
		return fmt.Errorf("override: %w", err)
	}
	return printOverride(cmd.OutOrStdout(), opts.output, run)
}

func readTokenFrom(file string, stdin io.Reader) (string, error) {
	if file == "-" {
		return client.ReadToken(stdin, "from standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer f.Close()
	return client.ReadToken(f, file)
}

func printOverride(w io.Writer, output string, run hooks.Run) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(run)
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
