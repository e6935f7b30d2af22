// Package plugincmd is "syncgate cmp": what Argo CD's plugin sidecar runs, and what
// people look with at what it would render.
package plugincmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/inject"
)

// New is the command with those below it.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cmp",
		// The program is syncgate-cmp, and people call it through syncgate.
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "syncgate cmp"},
		Short:       "Render as an Argo CD config-management plugin",
		Long: `The commands of the config-management plugin that plugin.yaml names.

They read what Argo CD puts into the environment. On a laptop, flags say the
same. Objects, paths and parameters go to stdout; all else goes to stderr.

Exit codes: 0 done, 1 refused, 2 could not tell.`,
		Args: cobra.NoArgs,
	}
	cmd.CompletionOptions.DisableDefaultCmd = true // syncgate completes for all
	cmd.AddCommand(newGenerate(), newDiscover(), newParameters(), newServe())
	return cmd
}

func newGenerate() *cobra.Command {
	var opts options
	var noHooks bool
	cmd := &cobra.Command{
		Use:   "generate [PATH]",
		Short: "Validate the Gate, render one cluster and add the hook Jobs",
		Example: `  # what cluster eu would get, without hook Jobs
  syncgate cmp generate --cluster eu --no-hooks apps/mattermost`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			notes := captureLog()
			err := answer(cmd, &opts, args, func(ctx context.Context, tree fs.FS, req plugin.Request, w io.Writer) error {
				if noHooks {
					fmt.Fprintln(notes, "note: --no-hooks: the hook Jobs are left out; nothing would hold a sync of this")
				} else {
					config, err := inject.FromEnv(os.Getenv)
					if err != nil {
						return err
					}
					req.Hooks = &config
				}
				return plugin.Generate(ctx, tree, req, w)
			})
			// After the message, whose first line is what Argo CD shows.
			_, _ = notes.WriteTo(cmd.ErrOrStderr())
			return err
		},
	}
	opts.addFlags(cmd)
	opts.addRenderFlags(cmd)
	cmd.Flags().BoolVar(&noHooks, "no-hooks", false, "leave the hook Jobs out, to look at what is rendered")
	return cmd
}

func newDiscover() *cobra.Command {
	// Argo CD says of a plugin that does not want a folder that there is none,
	// and not what is wrong with the parameters.
	opts := options{anyParameters: true}
	cmd := &cobra.Command{
		Use:   "discover [PATH]",
		Short: "Print the path of the Gate file if the folder has one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(cmd, &opts, args, func(_ context.Context, tree fs.FS, req plugin.Request, w io.Writer) error {
				return plugin.Discover(tree, req, w)
			})
		},
	}
	opts.addFlags(cmd)
	return cmd
}

func newParameters() *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:   "parameters [PATH]",
		Short: "Print the parameters an Application may set, as JSON",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(cmd, &opts, args, plugin.Parameters)
		},
	}
	opts.addFlags(cmd)
	return cmd
}

// answer opens the repository, has do write its answer, and prints it only
// when all went well. What went wrong is on stderr when it returns.
func answer(cmd *cobra.Command, opts *options, args []string, do func(context.Context, fs.FS, plugin.Request, io.Writer) error) error {
	var out bytes.Buffer
	err := func() error {
		tree, req, err := opts.request(args)
		if err != nil {
			return err
		}
		defer tree.Close()
		return do(cmd.Context(), plugin.Mount(tree.FS(), req.Root), req, &out)
	}()
	if err != nil {
		fmt.Fprint(cmd.ErrOrStderr(), plugin.Explain(err))
		var refused *plugin.RefusedError
		if errors.As(err, &refused) {
			return cli.ExitError(cli.No)
		}
		return cli.ExitError(cli.Unknown)
	}
	if _, err := out.WriteTo(cmd.OutOrStdout()); err != nil {
		return fmt.Errorf("write to stdout: %w", err)
	}
	return nil
}

// captureLog gathers what Helm and Kustomize log, which would otherwise come
// before the first line of a message.
func captureLog() *bytes.Buffer {
	var notes bytes.Buffer
	log.SetFlags(0)
	log.SetPrefix("note: ")
	log.SetOutput(&notes)
	return &notes
}
