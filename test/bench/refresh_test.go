package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/syncgate/syncgate/test/harness"
)

// refreshRounds is how often each plugin server has all Applications refreshed.
const refreshRounds = 3

// refreshAnnotation asks Argo CD for a refresh, and is gone when it is done.
const refreshAnnotation = "argocd.argoproj.io/refresh"

// BenchmarkRefresh is a hard refresh of 64 Applications, one for each cluster of the
// Gate, by a whole Argo CD: what a person waits for who asks all of them again. Once
// with the stock plugin server, which runs `helm template`, and once with `syncgate
// cmp serve`, in turn; neither is root, and neither is asked whether it feels meant
// (discovery). Argo CD's own part, Git among it, is the same in both. Nothing is
// synced.
func BenchmarkRefresh(b *testing.B) {
	for _, major := range []int{2, 3} {
		b.Run(fmt.Sprintf("argocd=%d", major), func(b *testing.B) {
			shape := serveShapes()[0]
			repository := serveRepository(b, shape, serveClusters)
			url := serveGit(b, repository)
			home := controlPlane(b)
			// As many at once as Argo CD does unless told otherwise, and none but
			// those that are asked for.
			argo, err := harness.StartArgoCD(b.Context(), home, major, harness.Options{}, "--status-processors", "20", "--app-resync", "86400")
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = argo.Stop() })
			var sides []refreshed
			for _, s := range []*served{newStock(b, repository), newNative(b, repository, "--discover=false")} {
				if err := os.Symlink(s.socket, filepath.Join(argo.Plugins, s.process.Name+".sock")); err != nil {
					b.Fatal(err)
				}
				sides = append(sides, refreshed{
					name: s.process.Name, objects: shape.templates + shape.crds/(59<<10), apps: argoApplications(home.Dynamic),
					plugin: s.process, argo: []*harness.Process{argo.Process, argo.Controller},
				})
			}
			for _, s := range sides {
				s.create(b, home, url)
				s.refresh(b) // and every cluster was seen once
			}
			for b.Loop() {
				reportRefreshes(b, sides)
			}
		})
	}
}

// reportRefreshes refreshes in turn and tells the medians.
func reportRefreshes(b *testing.B, sides []refreshed) {
	b.Helper()
	took, plugin, argo := map[string][]time.Duration{}, map[string]time.Duration{}, map[string]time.Duration{}
	for range refreshRounds {
		for _, s := range sides {
			pluginBefore, argoBefore := processorTime(b, s.plugin), processorTime(b, s.argo...)
			took[s.name] = append(took[s.name], s.refresh(b))
			plugin[s.name] += (processorTime(b, s.plugin) - pluginBefore) / refreshRounds
			argo[s.name] += (processorTime(b, s.argo...) - argoBefore) / refreshRounds
		}
	}
	stock, native := cmpMedian(took["stock"]), cmpMedian(took["native"])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(stock.Seconds(), "stock-s")
	b.ReportMetric(native.Seconds(), "native-s")
	b.ReportMetric(stock.Seconds()/native.Seconds(), "times-faster")
	b.Logf("hard refresh of %d Applications: stock %v, native %v, %.2f times faster", serveClusters, took["stock"], took["native"], stock.Seconds()/native.Seconds())
	for _, s := range sides {
		b.ReportMetric(plugin[s.name].Seconds(), s.name+"-cpu-s")
		b.Logf("processor time of one with %s: the plugin server and its children %v, Argo CD's repo-server with git and its controller %v", s.name, plugin[s.name], argo[s.name])
	}
	if native > stock {
		b.Errorf("a hard refresh takes %v with the native plugin server and %v with the stock one", native, stock)
	}
}

// controlPlane is one for b alone.
func controlPlane(b *testing.B) *harness.ControlPlane {
	b.Helper()
	cp, err := harness.StartControlPlane(b.Context(), harness.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cp.Stop() })
	return cp
}

// serveGit serves a folder as the branch main of a repository.
func serveGit(b *testing.B, folder string) (url string) {
	b.Helper()
	files, err := harness.ReadFolder(folder)
	if err != nil {
		b.Fatal(err)
	}
	root := b.TempDir()
	dir := filepath.Join(root, "gitops.git")
	if err := harness.InitBare(b.Context(), dir); err != nil {
		b.Fatal(err)
	}
	if _, err := harness.CommitTo(b.Context(), dir, harness.Commit{Branch: "main", Message: "Install", Files: files}); err != nil {
		b.Fatal(err)
	}
	server, err := harness.StartGit(b.Context(), root)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	return server.URL + "/gitops.git"
}

func argoApplications(client dynamic.Interface) dynamic.ResourceInterface {
	kind := schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
	return client.Resource(kind).Namespace(harness.ArgoNamespace)
}

// refreshed are the Applications of one plugin server.
type refreshed struct {
	name    string
	objects int // of each Application
	apps    dynamic.ResourceInterface
	plugin  *harness.Process
	argo    []*harness.Process // what it shares with the other
}

func (s refreshed) app(i int) string { return s.name + "-" + serveCluster(i) }

// create makes an Application for each cluster.
func (s refreshed) create(b *testing.B, home *harness.ControlPlane, url string) {
	b.Helper()
	for i := range serveClusters {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
			"metadata": map[string]any{"name": s.app(i), "labels": map[string]any{"side": s.name}},
			"spec": map[string]any{
				"project":     "default",
				"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": s.app(i)},
				"source": map[string]any{
					"repoURL": url, "path": "apps/shop", "targetRevision": "main",
					"plugin": map[string]any{"name": s.name, "parameters": []any{map[string]any{"name": "cluster", "string": serveCluster(i)}}},
				},
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := home.ApplyYAML(b.Context(), text, harness.ApplyOptions{Namespace: harness.ArgoNamespace}); err != nil {
			b.Fatal(err)
		}
	}
}

// refresh asks for a hard refresh of all, and says how long it took until the last
// was done.
func (s refreshed) refresh(b *testing.B) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	started := time.Now()
	patch := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: "hard"}}}`, refreshAnnotation)
	for i := range serveClusters {
		if _, err := s.apps.Patch(ctx, s.app(i), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	for {
		list, err := s.apps.List(ctx, metav1.ListOptions{LabelSelector: "side=" + s.name})
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(started)
		if problem := s.done(list.Items, started); problem == nil {
			return took
		} else if ctx.Err() != nil || !errors.Is(problem, errWaiting) {
			b.Fatal(problem)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

var errWaiting = errors.New("not refreshed yet")

// done is an error until all were refreshed after a time, and another one when a
// refresh failed.
func (s refreshed) done(list []unstructured.Unstructured, since time.Time) error {
	if len(list) != serveClusters {
		return fmt.Errorf("expected %d Applications, found %d", serveClusters, len(list))
	}
	for _, app := range list {
		if app.GetAnnotations()[refreshAnnotation] != "" {
			return fmt.Errorf("%s: %w", app.GetName(), errWaiting)
		}
		text, _, _ := unstructured.NestedString(app.Object, "status", "reconciledAt")
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Before(since.Truncate(time.Second)) {
			return fmt.Errorf("%s, reconciled at %q: %w", app.GetName(), text, errWaiting)
		}
		conditions, _, _ := unstructured.NestedSlice(app.Object, "status", "conditions")
		resources, _, _ := unstructured.NestedSlice(app.Object, "status", "resources")
		if len(conditions) > 0 || len(resources) != s.objects {
			return fmt.Errorf("%s: expected %d objects, found %d with %v", app.GetName(), s.objects, len(resources), conditions)
		}
	}
	return nil
}
