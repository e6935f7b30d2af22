package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/validate"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// newValidateCommand is "syncgate validate".
func newValidateCommand(log *cli.LogOptions) *cobra.Command {
	var opts validate.Options
	cmd := &cobra.Command{
		Use:   "validate [PATH...]",
		Short: "Say where the values of the clusters do not agree",
		Long: `Find every Gate (syncgate.yaml) under the PATHs, by default the current folder,
merge each cluster's values as Helm does, and say where the Gate's rules do not
hold: file, line and column, and which clusters hold which value.

Nothing outside of the repository is read, and no cluster is asked.

Rules over a change (no downgrade, the operator before the server) hold the
values against those that passed before: --base names them, by a revision of the
repository or a folder. Without it they are not asked, and the report says so.

Where one value is right (most clusters hold it, or the Gate's reference cluster)
and the place for it is certain, a finding has a diff that makes it hold: in json
and markdown always, in a table with --diff. --fix writes all of them into the
files, keeps every other byte, and validates again; --fix --dry-run prints them as
one diff for git apply. A diff is only made when the same evaluation, asked again
with it, no longer has the finding and has no other: of the Gates under the PATHs.
Values that may be secrets are never copied or shown.

The answer is kept in a cache of this user, and given again while every file and
folder that was read is what it was, the program and the flags are the same, and it
is the same day. SYNCGATE_CACHE_DIR names its folder; --no-cache does without, and
so does --fix.

Exit codes: 0 every rule holds, 1 findings, 2 could not tell (unreadable,
malformed, a limit hit, no Gate found). With findings and something that could
not be told it is 2, and the report has both.`,
		Example: `  syncgate validate
  syncgate validate apps/mattermost --output json
  syncgate validate --base origin/main
  syncgate validate --fix --dry-run | git apply
  syncgate validate --gate mattermost --output sarif > syncgate.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error { return runValidate(cmd, args, &opts, log) },
	}
	opts.Flags(cmd.Flags())
	return cmd
}

func runValidate(cmd *cobra.Command, args []string, opts *validate.Options, log *cli.LogOptions) error {
	logger, err := log.Logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := opts.Check(); err != nil {
		return err
	}
	repo, paths, err := cli.OpenRepository(opts.Root, args)
	if err != nil {
		return err
	}
	defer repo.Close()
	before, err := openBase(cmd.Context(), repo.Name(), opts.Base)
	if err != nil {
		return err
	}
	defer func() { _ = before.close() }() // a cache that stays behind changes no answer
	rules := policies.Options{Workers: opts.Workers, Now: time.Now()}
	if before.fs == nil {
		rules.Baseline = func(string) policies.Baseline { return policies.Baseline{None: "no --base was given"} }
	}
	look := survey.Options{
		Paths: paths, Gate: opts.Gate, Version: readBuildInfo().Version,
		Base: before.fs, BaseName: before.name, Policies: rules, Diffs: opts.Diffs(),
	}
	logger.Debug("looking for gates", "root", repo.Name(), "paths", paths)
	if opts.Cached() {
		return opts.Write(cmd.OutOrStdout(), collect(cmd.Context(), logger, repo, look, opts.Asked))
	}
	r, changes := survey.Collect(cmd.Context(), repo.FS(), look)
	validate.LogLooked(logger, r)
	switch {
	case opts.DryRun:
		if err := printChanges(cmd.OutOrStdout(), cmd.ErrOrStderr(), r, changes); err != nil {
			return err
		}
		return validate.Verdict(r.Verdict())
	case opts.Fix && len(changes) > 0:
		if err := writeChanges(cmd.ErrOrStderr(), repo.Root, changes); err != nil {
			return err
		}
		r, _ = survey.Collect(cmd.Context(), repo.FS(), look)
		validate.LogLooked(logger, r)
	}
	return opts.Write(cmd.OutOrStdout(), r)
}

// writeChanges writes the files and tells which.
func writeChanges(w io.Writer, repo *os.Root, changes []fix.Change) error {
	written, err := fix.Write(repo, changes)
	for _, file := range written {
		fmt.Fprintf(w, "fixed %q\n", file)
	}
	return err
}

// printChanges prints what would be written. A secret beside it is taken out,
// and that is told: no tool can apply the diff then.
func printChanges(w, warnings io.Writer, r report.Report, changes []fix.Change) error {
	if n := r.Findings(); n > 0 && len(changes) == 0 {
		fmt.Fprintln(warnings, "nothing can be fixed by itself; syncgate validate --diff says why not")
	}
	for _, c := range changes {
		if _, err := io.WriteString(w, c.Diff); err != nil {
			return fmt.Errorf("write diff: %w", err)
		}
		if c.Redacted {
			fmt.Fprintf(warnings, "the diff of %q has a secret beside the change, which is redacted: it cannot be applied; --fix can\n", c.File)
		}
	}
	return nil
}
