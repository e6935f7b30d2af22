package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// validateOptions are the flags of "syncgate validate".
type validateOptions struct {
	selection
	base    string
	diff    bool
	fix     bool
	dryRun  bool
	noCache bool
}

// newValidateCommand is "syncgate validate".
func newValidateCommand(log *logOptions) *cobra.Command {
	var opts validateOptions
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
	f := cmd.Flags()
	opts.flags(f, report.Formats())
	f.StringVar(&opts.base, "base", "", "what passed before: a revision of the repository, or, written with a leading ./, ../ or /, a folder that holds what --root holds now")
	f.BoolVar(&opts.diff, "diff", false, "show the diffs that make findings hold in the table, too")
	f.BoolVar(&opts.fix, "fix", false, "write what makes findings hold into the values files, then validate again")
	f.BoolVar(&opts.dryRun, "dry-run", false, "with --fix: print what would be written as a diff, and write nothing")
	f.BoolVar(&opts.noCache, "no-cache", false, "evaluate anew even when nothing has changed, and keep no answer")
	return cmd
}

func runValidate(cmd *cobra.Command, args []string, opts *validateOptions, log *logOptions) error {
	logger, err := log.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := opts.check(report.Formats()); err != nil {
		return err
	}
	if opts.dryRun && !opts.fix {
		return cli.Usage(errors.New("--dry-run: expected --fix with it"))
	}
	repo, paths, err := openRepository(opts.root, args)
	if err != nil {
		return err
	}
	defer repo.Close()
	before, err := openBase(cmd.Context(), repo.Name(), opts.base)
	if err != nil {
		return err
	}
	defer func() { _ = before.close() }() // a cache that stays behind changes no answer
	rules := policies.Options{Workers: opts.workers, Now: time.Now()}
	if before.fs == nil {
		rules.Baseline = func(string) policies.Baseline { return policies.Baseline{None: "no --base was given"} }
	}
	look := survey.Options{
		Paths: paths, Gate: opts.gate, Version: readBuildInfo().Version,
		Base: before.fs, BaseName: before.name, Policies: rules, Diffs: opts.wantsDiffs(),
	}
	logger.Debug("looking for gates", "root", repo.Name(), "paths", paths)
	var r report.Report
	var changes []fix.Change
	if opts.noCache || opts.fix {
		r, changes = survey.Collect(cmd.Context(), repo.FS(), look)
	} else {
		r = collectCached(cmd.Context(), logger, repo, look)
	}
	logger.Info("looked at gates", "gates", len(r.Gates), "findings", r.Findings(), "verdict", r.Verdict(), "elapsed", r.Elapsed)
	switch {
	case opts.dryRun:
		if err := printChanges(cmd.OutOrStdout(), cmd.ErrOrStderr(), r, changes); err != nil {
			return err
		}
		return verdictError(r.Verdict())
	case opts.fix && len(changes) > 0:
		if err := writeChanges(cmd.ErrOrStderr(), repo.Root, changes); err != nil {
			return err
		}
		r, _ = survey.Collect(cmd.Context(), repo.FS(), look)
		logger.Info("looked at gates again", "findings", r.Findings(), "verdict", r.Verdict(), "elapsed", r.Elapsed)
	}
	r.Style = style(cmd.OutOrStdout())
	r.Style.Diffs = opts.diff
	if err := report.Write(cmd.OutOrStdout(), opts.output, r); err != nil {
		return err
	}
	return verdictError(r.Verdict())
}

// wantsDiffs reports whether the diffs are shown or written: they take as long
// again as the findings.
func (o *validateOptions) wantsDiffs() bool {
	return o.diff || o.fix || o.output == "json" || o.output == "markdown"
}

// verdictError ends the program with the code of a verdict.
func verdictError(v report.Verdict) error {
	switch v {
	case report.Holds:
		return nil
	case report.Finds:
		return exitError(exitNo)
	default:
		return exitError(exitUnknown)
	}
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

// style is how a table looks on w: colors and narrow lines are for terminals.
// NO_COLOR, set to anything, asks for none (no-color.org).
func style(w io.Writer) report.Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return report.Style{}
	}
	var s report.Style
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	return s
}
