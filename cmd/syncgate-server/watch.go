package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/syncgate/syncgate/gitops/argocd"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/explain"
)

// What Applications are called where the configuration does not say.
const (
	argoNamespace = "argocd"
	argoPlugin    = "syncgate"
)

// watch has the engine see the syncs of every Argo CD that the configuration
// names, until ctx ends.
func (a *app) watch(ctx context.Context, list []config.Applications) error {
	if len(list) > 0 {
		if err := a.engine.Watching(ctx); err != nil {
			return fmt.Errorf("watch Applications: %w", err)
		}
	}
	for _, o := range list {
		c, err := a.known.registry.Get(o.Cluster)
		if err != nil {
			return fmt.Errorf("watch Applications: %w", err)
		}
		namespace := cmp.Or(o.Namespace, argoNamespace)
		log := a.log.With("component", "applications", "cluster", o.Cluster)
		opts := argocd.WatchOptions{
			Kube: c.Kube, Dynamic: c.Dynamic, Namespace: namespace, Plugin: cmp.Or(o.Plugin, argoPlugin),
			Seen: a.engine.Observe, Log: log,
		}
		a.watchers.Go(func() {
			if err := argocd.Watch(ctx, opts); err != nil {
				log.ErrorContext(ctx, "Applications are not watched", "namespace", namespace, "error", err)
			}
		})
	}
	return nil
}

// explain has hook Jobs say why they fail, until ctx ends. It is called before
// the server takes requests.
func (a *app) explain(ctx context.Context) {
	e := explain.New(explain.Options{Clusters: a.known, Log: a.log.With("component", "explain")})
	a.server.EnableExplaining(e)
	a.watchers.Go(func() { e.Run(ctx) })
}
