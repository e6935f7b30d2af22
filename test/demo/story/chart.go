package story

import (
	"context"

	"github.com/syncgate/syncgate/test/product"
)

// installAccount puts on a cluster what Syncgate's chart installs where the server
// does not run, and returns a kubeconfig with the access that it gives.
func (s *Story) installAccount(ctx context.Context, k *standIn) (kubeconfig string, err error) {
	if err := product.Install(ctx, k.ControlPlane, map[string]any{
		"server": map[string]any{"enabled": false},
		"hooks":  map[string]any{"namespaces": []any{namespace}},
		"rbac": map[string]any{
			"namespaces": []any{namespace},
			"resources": []any{map[string]any{
				"apiGroups": []any{mattermosts().Group}, "resources": []any{mattermosts().Resource},
			}},
		},
	}); err != nil {
		return "", err
	}
	file := s.stage.Path("server", k.Name+".kubeconfig")
	return file, product.WriteAccess(ctx, k.ControlPlane, product.Access{File: file, Cluster: k.Name})
}
