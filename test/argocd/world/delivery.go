package world

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// PluginAway is a second plugin. It is as the first one, called "syncgate", but
// that its hook Jobs reach the gate server by World.Away.
const PluginAway = "away"

// startArgo starts Argo CD in the first cluster, the plugins on its plugins
// folder, and makes the second cluster and the repositories known to it.
func (w *World) startArgo(ctx context.Context, opts Options) (err error) {
	if w.Argo, err = harness.StartArgoCD(ctx, w.EU.ControlPlane, opts.Major, harness.Options{Dir: w.stage.Path("argocd")}); err != nil {
		return err
	}
	w.stops = append(w.stops, w.Argo.Stop)
	if w.Away, err = harness.StartRelay(strings.TrimPrefix(w.hooks.server, "https://")); err != nil {
		return err
	}
	w.stops = append(w.stops, w.Away.Stop)
	if err := w.startPlugin(ctx, "syncgate", w.hooks.server); err != nil {
		return err
	}
	if err := w.startPlugin(ctx, PluginAway, "https://"+w.Away.Address, "--discover=false"); err != nil {
		return err
	}
	if err := w.Argo.AddCluster(ctx, w.US.Name, w.US.Config); err != nil {
		return err
	}
	for _, name := range opts.Sites {
		if err := w.Argo.AddRepository(ctx, name, w.sites[name].URL, Person, password); err != nil {
			return err
		}
	}
	return nil
}

// startPlugin starts a plugin whose hook Jobs ask a server.
func (w *World) startPlugin(ctx context.Context, name, server string, flags ...string) error {
	socket := filepath.Join(w.Argo.Plugins, name+".sock")
	_, err := w.stage.Start(ctx, harness.Command{
		Name: "plugin-" + name, Path: filepath.Join(w.programs, product.PluginProgram),
		Args:  append([]string{"--plugins-dir", w.Argo.Plugins, "--name", name}, flags...),
		Env:   environment("SYNCGATE_HOOK_IMAGE="+HookImage, "SYNCGATE_SERVER_URL="+server, "SYNCGATE_SERVER_CA_FILE="+w.hooks.caFile),
		Ready: func(context.Context) error { _, err := os.Stat(socket); return err },
	})
	return err
}
