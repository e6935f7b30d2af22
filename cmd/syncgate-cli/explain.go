package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// newExplainCommand is "syncgate explain".
func newExplainCommand(log *cli.LogOptions) *cobra.Command {
	var opts cli.Selection
	cmd := &cobra.Command{
		Use:   "explain KEY [PATH]",
		Short: "Say where a cluster's value at a key path comes from",
		Long: `Say for every cluster of the Gates under PATH, by default the current folder,
what its merged values hold at KEY, and which layers set it, the weakest first:
defaults of subcharts, defaults of the chart, then each values file in order,
with file, line and column, and which of them won. Clusters that come to the
same value by the same layers are told together.

KEY is a key path as in a Gate: ingress.host, env[name=LOG_LEVEL].value, and
with stars for what is not known: **.version. Values under secret-like keys are
redacted.

Exit codes: 0 a cluster holds a value there, 1 none does (the nearest key paths
are named), 2 could not tell (unreadable, malformed, a limit hit, no Gate
found).`,
		Example: `  syncgate explain mattermostCR.spec.version
  syncgate explain 'env[name=LOG_LEVEL].value' apps/web
  syncgate explain '**.image.tag' --gate web --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.Usage(fmt.Errorf("expected KEY and at most one PATH, found %d arguments", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runExplain(cmd, args, &opts, log) },
	}
	f := cmd.Flags()
	opts.Flags(f, report.ExplanationFormats())
	return cmd
}

func runExplain(cmd *cobra.Command, args []string, opts *cli.Selection, log *cli.LogOptions) error {
	logger, err := log.Logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	key, err := keypath.Parse(args[0])
	if err != nil {
		return cli.Usage(fmt.Errorf("KEY: %w", err))
	}
	if err := opts.Check(report.ExplanationFormats()); err != nil {
		return err
	}
	repo, paths, err := cli.OpenRepository(opts.Root, args[1:])
	if err != nil {
		return err
	}
	defer repo.Close()
	logger.Debug("looking for gates", "root", repo.Name(), "paths", paths)
	e := survey.Explain(cmd.Context(), repo.FS(), key, survey.Options{
		Paths: paths, Gate: opts.Gate, Version: readBuildInfo().Version,
		Policies: policies.Options{Workers: opts.Workers},
	})
	logger.Info("looked at gates", "gates", len(e.Gates), "answer", e.Answer())
	e.Style = cli.Style(cmd.OutOrStdout())
	if err := report.WriteExplanation(cmd.OutOrStdout(), opts.Output, e); err != nil {
		return err
	}
	switch e.Answer() {
	case report.Found:
		return nil
	case report.Unset:
		return exitError(exitNo)
	default:
		return exitError(exitUnknown)
	}
}
