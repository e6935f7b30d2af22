package story

import (
	"context"
	"fmt"
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

// installAccount puts on a cluster what Syncgate's chart installs where the server
// does not run, and returns a kubeconfig with the account's access: what the
// chart allows, and nothing else.
func (s *Story) installAccount(ctx context.Context, k *standIn) (kubeconfig string, err error) {
	objects, err := s.chart(map[string]any{
		"server": map[string]any{"enabled": false},
		"hooks":  map[string]any{"namespaces": []any{namespace}},
		"rbac": map[string]any{
			"namespaces": []any{namespace},
			"resources": []any{map[string]any{
				"apiGroups": []any{mattermosts().Group}, "resources": []any{mattermosts().Resource},
			}},
		},
	})
	if err != nil {
		return "", err
	}
	if err := k.Namespace(ctx, account); err != nil {
		return "", err
	}
	if err := k.ApplyYAML(ctx, []byte(objects), harness.ApplyOptions{Namespace: account}); err != nil {
		return "", fmt.Errorf("install the chart: %w", err)
	}
	token, err := k.Token(ctx, account, account, "", 24*time.Hour)
	if err != nil {
		return "", err
	}
	file := s.stage.Path("server", k.Name+".kubeconfig")
	return file, harness.WriteKubeconfig(file, k.Name, &rest.Config{
		Host: k.Config.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: k.Config.CAData},
	})
}

// chart renders charts/syncgate as `helm template` does.
func (s *Story) chart(values map[string]any) (string, error) {
	c, err := loader.LoadDir(filepath.Join(s.opts.Root, "charts", "syncgate"))
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
