package product

import (
	"cmp"
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
	"github.com/syncgate/syncgate/test/tools"
)

// Release is the name of the chart's release here, of its namespace and, as the
// chart names it, of Syncgate's own ServiceAccount.
const Release = "syncgate"

// Install renders charts/syncgate with values, as `helm template` does, and
// applies it to a cluster.
func Install(ctx context.Context, cp *harness.ControlPlane, values map[string]any) error {
	objects, err := render(values)
	if err != nil {
		return fmt.Errorf("render the chart: %w", err)
	}
	if err := cp.Namespace(ctx, Release); err != nil {
		return err
	}
	if err := cp.ApplyYAML(ctx, []byte(objects), harness.ApplyOptions{Namespace: Release}); err != nil {
		return fmt.Errorf("install the chart: %w", err)
	}
	return nil
}

// Access says where a kubeconfig is written and what is in it.
type Access struct {
	File string
	// Cluster is what context, cluster and user are called.
	Cluster string
	// URL is another way to the API server than the straight one; may be "".
	URL string
}

// WriteAccess writes a kubeconfig with the access of Syncgate's own account: what
// the installed chart allows, and nothing else.
func WriteAccess(ctx context.Context, cp *harness.ControlPlane, a Access) error {
	token, err := cp.Token(ctx, Release, Release, "", 24*time.Hour)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(a.File), 0o700); err != nil {
		return err
	}
	return harness.WriteKubeconfig(a.File, a.Cluster, &rest.Config{
		Host: cmp.Or(a.URL, cp.Config.Host), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: cp.Config.CAData},
	})
}

func render(values map[string]any) (string, error) {
	root, err := tools.Root()
	if err != nil {
		return "", err
	}
	c, err := loader.LoadDir(filepath.Join(root, "charts", "syncgate"))
	if err != nil {
		return "", err
	}
	options := chartutil.ReleaseOptions{Name: Release, Namespace: Release, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return "", err
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
