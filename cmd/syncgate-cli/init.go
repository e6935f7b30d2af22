package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies/draft"
)

// initOptions are the flags of "syncgate init".
type initOptions struct {
	root, name    string
	force, dryRun bool
}

// newInitCommand is "syncgate init".
func newInitCommand() *cobra.Command {
	var opts initOptions
	cmd := &cobra.Command{
		Use:   "init [PATH]",
		Short: "Write a first syncgate.yaml for what is there",
		Long: `Look under PATH, by default the current folder, for what delivers an application
to several clusters: Argo CD's Applications and ApplicationSets, Flux's
HelmReleases, Kustomize overlays that build them, folders and values files of
clusters. Write PATH/syncgate.yaml with the clusters and with the key paths that
differ today under perCluster, for a person to confirm. What was found, and what
was not understood, is said on stderr.

A Gate guards one application. When there are several nothing is written, and
stderr lists them with what to call for each: "syncgate init" with the folder
that has one alone, or with a folder of the application's name, its chart's for
one. When a PATH has no clusters, those of the application of that name are
looked for in the whole repository.

Only what holds is written: "syncgate validate" passes right after. A file that is
there is not overwritten without --force.

Exit codes: 0 written, 1 nothing found that delivers to two clusters or more, 2
could not tell (several applications, unreadable, a limit hit, the file is there
already).`,
		Example: `  syncgate init
  syncgate init apps/shop --dry-run
  syncgate init charts/shop
  syncgate init apps/shop --name shop --force`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usage(fmt.Errorf("expected at most one PATH, found %d", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runInit(cmd, args, &opts) },
	}
	f := cmd.Flags()
	f.StringVar(&opts.root, "root", "", "the repository's root (default: the nearest folder above PATH with .git, else the current folder)")
	f.StringVar(&opts.name, "name", "", "the Gate's name (default: made of the folder's, at the root of the application's)")
	f.BoolVar(&opts.force, "force", false, "overwrite a syncgate.yaml that is there")
	f.BoolVar(&opts.dryRun, "dry-run", false, "print what would be written on stdout, and write nothing")
	return cmd
}

func runInit(cmd *cobra.Command, args []string, opts *initOptions) error {
	repo, paths, err := cli.OpenRepository(opts.root, args)
	if err != nil {
		return err
	}
	defer repo.Close()
	if info, err := repo.Stat(filepath.FromSlash(paths[0])); err != nil || !info.IsDir() {
		return cli.Usage(fmt.Errorf("PATH: expected a folder, found %s", paths[0]))
	}
	stderr := cmd.ErrOrStderr()
	d, err := draft.Make(cmd.Context(), repo.FS(), paths[0], opts.name)
	var nothing *draft.NothingError
	if errors.As(err, &nothing) {
		lines(stderr, "  ", nothing.Left)
		fmt.Fprintf(stderr, "syncgate: %v\n", err)
		return exitError(exitNo)
	}
	var several *draft.SeveralError
	if errors.As(err, &several) {
		lines(stderr, "found: ", several.Apps)
		lines(stderr, "  ", several.Left)
	}
	if err != nil {
		return err
	}
	lines(stderr, "found: ", d.Found)
	lines(stderr, "  ", d.Left)
	if opts.dryRun {
		_, err := cmd.OutOrStdout().Write(d.Text)
		return err
	}
	if err := writeNew(repo.Root, d.File, d.Text, opts.force); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "wrote %s with %d key paths to confirm\n", d.File, len(d.Gate.Spec.PerCluster))
	return nil
}

func lines(w io.Writer, before string, list []string) {
	for _, line := range list {
		fmt.Fprintf(w, "%s%s\n", before, line)
	}
}

// writeNew writes a file of the repository; one that is there only by force.
func writeNew(repo *os.Root, name string, text []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := repo.OpenFile(filepath.FromSlash(name), flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: it is there already; --force overwrites it, --dry-run shows what would be written", name)
	}
	if err != nil {
		return fmt.Errorf("write gate: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
