package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// newMatrixCommand is "syncgate matrix".
func newMatrixCommand(log *cli.LogOptions) *cobra.Command {
	var opts cli.Selection
	var file string
	cmd := &cobra.Command{
		Use:   "matrix [PATH...]",
		Short: "Show where clusters differ, and by which layers",
		Long: `Show for every Gate under the PATHs, by default the current folder, the key paths
at which its clusters differ, against the clusters: those at which they may
differ, by an entry of the Gate, and those at which they may not. Values under
secret-like keys are redacted.

-o html writes one page that needs no other file and no network: search by path,
value or cluster, and for every value the layers that set it, with file, line
and column. -o json has all of it for programs, -o markdown is for pull requests.

Exit codes: 0 clusters differ only where they may, 1 also where they may not,
2 could not tell (unreadable, malformed, a limit hit, no Gate found).`,
		Example: `  syncgate matrix apps/mattermost
  syncgate matrix -o html --output-file matrix.html`,
		RunE: func(cmd *cobra.Command, args []string) error { return runMatrix(cmd, args, &opts, file, log) },
	}
	f := cmd.Flags()
	opts.Flags(f, report.MatrixFormats())
	f.StringVar(&file, "output-file", "", "write there instead of to standard output; a file that is there is replaced")
	return cmd
}

func runMatrix(cmd *cobra.Command, args []string, opts *cli.Selection, file string, log *cli.LogOptions) error {
	logger, err := log.Logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := opts.Check(report.MatrixFormats()); err != nil {
		return err
	}
	repo, paths, err := cli.OpenRepository(opts.Root, args)
	if err != nil {
		return err
	}
	defer repo.Close()
	logger.Debug("looking for gates", "root", repo.Name(), "paths", paths)
	m := survey.Differ(cmd.Context(), repo.FS(), survey.Options{
		Paths: paths, Gate: opts.Gate, Version: readBuildInfo().Version,
		Policies: policies.Options{Workers: opts.Workers, Now: time.Now()},
	})
	logger.Info("looked at gates", "gates", len(m.Gates), "verdict", m.Verdict())
	if file == "" {
		m.Style = cli.Style(cmd.OutOrStdout())
		err = report.WriteMatrix(cmd.OutOrStdout(), opts.Output, m)
	} else {
		err = replaceFile(file, func(w io.Writer) error { return report.WriteMatrix(w, opts.Output, m) })
	}
	if err != nil {
		return err
	}
	switch m.Verdict() {
	case report.Holds:
		return nil
	case report.Finds:
		return exitError(exitNo)
	default:
		return exitError(exitUnknown)
	}
}

// replaceFile writes a file that is either whole or as it was.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err = write(f); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = os.Chmod(f.Name(), 0o644); err != nil { //nolint:gosec // a report is to be read
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
