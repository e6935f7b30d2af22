package world

import (
	"context"

	"github.com/syncgate/syncgate/test/product"
)

// installAccount puts on a cluster what Syncgate's chart installs where the
// server does not run, and writes the account's kubeconfig.
func (w *World) installAccount(ctx context.Context, c *Cluster, namespaces []string) error {
	var list []any
	for _, ns := range namespaces {
		list = append(list, ns)
	}
	if err := product.Install(ctx, c.ControlPlane, map[string]any{
		"server": map[string]any{"enabled": false},
		"hooks":  map[string]any{"namespaces": list},
		"rbac": map[string]any{
			"namespaces": list,
			"resources": []any{map[string]any{
				"apiGroups": []any{mattermosts().Group}, "resources": []any{mattermosts().Resource},
			}},
		},
	}); err != nil {
		return err
	}
	return product.WriteAccess(ctx, c.ControlPlane, c.Name, c.access)
}
