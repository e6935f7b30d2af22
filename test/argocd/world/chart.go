package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/client-go/rest"

	"github.com/syncgate/syncgate/test/harness"
)

// account is Syncgate's own ServiceAccount on a cluster, as its chart names it.
const account = "syncgate"

// installAccount puts on a cluster what Syncgate's chart installs where the
// server does not run, and writes the account's kubeconfig: the gate server may
// do what the chart allows, and nothing else.
func (w *World) installAccount(ctx context.Context, c *Cluster, namespaces []string) error {
	var list []any
	for _, ns := range namespaces {
		list = append(list, ns)
	}
	objects, err := w.chart(map[string]any{
		"server": map[string]any{"enabled": false},
		"hooks":  map[string]any{"namespaces": list},
		"rbac": map[string]any{
			"namespaces": list,
			"resources": []any{map[string]any{
				"apiGroups": []any{mattermosts().Group}, "resources": []any{mattermosts().Resource},
			}},
		},
	})
	if err != nil {
		return err
	}
	if err := c.Namespace(ctx, account); err != nil {
		return err
	}
	if err := c.ApplyYAML(ctx, []byte(objects), harness.ApplyOptions{Namespace: account}); err != nil {
		return fmt.Errorf("install the chart: %w", err)
	}
	token, err := c.Token(ctx, account, account, "", 24*time.Hour)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.access), 0o700); err != nil {
		return err
	}
	return harness.WriteKubeconfig(c.access, c.Name, &rest.Config{
		Host: c.Config.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: c.Config.CAData},
	})
}

// chart renders charts/syncgate as `helm template` does.
func (w *World) chart(values map[string]any) (string, error) {
	c, err := loader.LoadDir(filepath.Join(w.root, "charts", "syncgate"))
	if err != nil {
		return "", fmt.Errorf("load chart: %w", err)
	}
	release := chartutil.ReleaseOptions{Name: account, Namespace: account, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return "", fmt.Errorf("render chart: %w", err)
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return "", fmt.Errorf("render chart: %w", err)
	}
	var documents []string
	for name, text := range files {
		if !strings.HasSuffix(name, "NOTES.txt") {
			documents = append(documents, text)
		}
	}
	sort.Strings(documents)
	return strings.Join(documents, "\n---\n"), nil
}
