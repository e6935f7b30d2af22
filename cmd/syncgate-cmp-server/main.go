// Command syncgate-cmp-server is the Argo CD config-management plugin as a
// server of its own, in place of the stock plugin server: it answers the
// repo-server on a Unix socket, from memory, without running anything.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/plugin/cmpserver"
	"github.com/syncgate/syncgate/plugin/inject"
)

// The exit codes.
const (
	exitOK    = 0
	exitBroke = 2
)

// version is set by the linker.
var version = "devel"

// defaultPlugins is where the repo-server looks for plugin sockets.
const defaultPlugins = "/home/argocd/cmp-server/plugins"

// memoryGoal is the soft limit of what Go takes, well below what a sidecar is
// given: garbage of large archives goes before the kernel has to act. What is
// kept between requests is less (docs/plugin.md), and the program itself takes
// some 50 MiB beside.
const memoryGoal = 60 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand() //nolint:contextcheck // cobra hands ctx to RunE
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintf(stderr, "syncgate-cmp-server: %v\n", err)
		return exitBroke
	}
	return exitOK
}

// serveOptions are the flags.
type serveOptions struct {
	dir, name, tag, level string
	concurrency, archives int
	discover              bool
}

func newCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "syncgate-cmp-server",
		Short: "Serve the Argo CD config-management plugin",
		Long: `Serve the Argo CD config-management plugin on a Unix socket in the folder where
the repo-server looks for plugins. Applications name the plugin
<name>-<plugin-version>, or <name> when there is no version.

What hook Jobs run, and whom they ask, comes from the environment:
SYNCGATE_HOOK_IMAGE and SYNCGATE_SERVER_URL (both needed),
SYNCGATE_HOOK_SERVICE_ACCOUNT, SYNCGATE_HOOK_NAMESPACE,
SYNCGATE_HOOK_PULL_SECRET, SYNCGATE_SERVER_CA_FILE and
SYNCGATE_PUBLIC_URL.

Exit codes: 0 ended when asked, 2 could not start or broke.`,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "plugins-dir", defaultPlugins, "the folder of the repo-server's plugin sockets")
	f.StringVar(&o.name, "name", "syncgate", "the plugin's name")
	f.StringVar(&o.tag, "plugin-version", "", "the plugin's version; empty for none")
	f.StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&o.discover, "discover", true, "claim folders with a Gate for Applications that name no plugin; costs every Application one more copy of its repository")
	f.IntVar(&o.concurrency, "concurrency", 0, "how many requests are worked on at once (default 8)")
	f.IntVar(&o.archives, "archives-mib", 0, "how many MiB the archives of all requests hold in memory together, one of them at most half; requests for which there is no room wait (default 1024)")
	return cmd
}

// serve answers on the socket until ctx ends.
func serve(ctx context.Context, o serveOptions, stderr io.Writer) error {
	hooks, err := inject.FromEnv(os.Getenv)
	if err != nil {
		return err
	}
	var at slog.Level
	if err := at.UnmarshalText([]byte(o.level)); err != nil {
		return fmt.Errorf("read --log-level: expected debug, info, warn or error, found %q", o.level)
	}
	if o.archives < 0 {
		return fmt.Errorf("read --archives-mib: expected a number from 0, found %d", o.archives)
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: at}))
	service, err := cmpserver.New(cmpserver.Options{Hooks: hooks, NoDiscovery: !o.discover, Concurrency: o.concurrency, ArchivesBytes: int64(o.archives) << 20, Log: log})
	if err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	return cmpserver.Serve(ctx, filepath.Join(o.dir, cmpserver.SocketName(o.name, o.tag)), service)
}
