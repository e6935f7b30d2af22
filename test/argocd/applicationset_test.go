package argocd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

const argoNamespace = "argocd"

// TestApplicationSets has the real ApplicationSet controllers make Applications
// of the examples, and renders each through the plugin: it must be the
// cluster's own.
func TestApplicationSets(t *testing.T) {
	harness.Real(t)
	t.Setenv("ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS", "true")
	programs := product.Programs(t)
	repo := serveRepository(t)
	for _, major := range []int{2, 3} {
		t.Run(fmt.Sprintf("Argo CD %d", major), func(t *testing.T) {
			cp, err := harness.StartControlPlane(t.Context(), harness.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, cp.Stop()) })
			if err := harness.InstallArgoSettings(t.Context(), cp, major, argoNamespace); err != nil {
				t.Fatal(err)
			}
			server, err := harness.StartRepoServer(t.Context(), major, harness.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, server.Stop()) })
			startNative(t, programs, server.Plugins)
			controller, err := harness.StartApplicationSetController(t.Context(), harness.ApplicationSetOptions{
				Major: major, Home: cp, Namespace: argoNamespace, RepoServer: server.Address,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, controller.Stop()) })
			applySets(t, cp, repo)
			want := []string{"mailer-ap", "mailer-eu", "mailer-us", "shop-eu", "shop-us"}
			apps := awaitApplications(t, cp, controller, want)
			c := client(t, server.Address)
			for _, app := range apps {
				t.Run(app.Name, func(t *testing.T) { rendersItsCluster(t, c, repo, app) })
			}
			t.Run("an unknown cluster", func(t *testing.T) {
				app := apps[slices.Index(want, "shop-eu")].DeepCopy()
				mars := "mars"
				app.Spec.Source.Plugin.Parameters[0].String_ = &mars
				_, err := render(t, c, repo, *app)
				if err == nil || !strings.Contains(err.Error(), `gate shop has no cluster "mars"; expected one of ap, eu, us`) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// applySets applies the cluster Secrets, of which ap does not carry the label,
// and the ApplicationSets of the example, with the repository of this test.
func applySets(t *testing.T, cp *harness.ControlPlane, repo repository) {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"ap", "eu", "us"} {
		label := ""
		if name != "ap" {
			label = `, example.com/shop: "true"`
		}
		fmt.Fprintf(&all, `---
apiVersion: v1
kind: Secret
metadata: {name: cluster-%s, labels: {argocd.argoproj.io/secret-type: cluster%s}}
stringData: {name: %s, server: "https://%s.example.com", config: "{}"}
`, name, label, name, name)
	}
	for _, file := range []string{"clusters.yaml", "folders.yaml"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "examples", "applicationset", file))
		if err != nil {
			t.Fatal(err)
		}
		const url = "https://git.example.com/platform/gitops.git"
		if !strings.Contains(string(data), url) {
			t.Fatalf("%s does not name %s", file, url)
		}
		all.WriteString("---\n" + strings.ReplaceAll(string(data), url, repo.url))
	}
	if err := cp.ApplyYAML(t.Context(), []byte(all.String()), harness.ApplyOptions{Namespace: argoNamespace}); err != nil {
		t.Fatal(err)
	}
}

// awaitApplications waits until there are the Applications that are wanted, and
// gives them in the order of their names.
func awaitApplications(t *testing.T, cp *harness.ControlPlane, controller *harness.ApplicationSetController, want []string) []v1alpha1.Application {
	t.Helper()
	kind := schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var apps []v1alpha1.Application
	err := harness.Eventually(ctx, func(ctx context.Context) error {
		list, err := cp.Dynamic.Resource(kind).Namespace(argoNamespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		apps = nil
		var names []string
		for _, o := range list.Items {
			data, err := o.MarshalJSON()
			if err != nil {
				return err
			}
			var app v1alpha1.Application
			if err := json.Unmarshal(data, &app); err != nil {
				return err
			}
			apps, names = append(apps, app), append(names, app.Name)
		}
		if d := cmp.Diff(want, names); d != "" {
			return fmt.Errorf("applications (-want +got):\n%s", d)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, controller.Process.Tail())
	}
	return apps
}

// rendersItsCluster expects the hook Jobs, and what else there is, to be those
// of the cluster in the Application's name.
func rendersItsCluster(t *testing.T, c apiclient.RepoServerServiceClient, repo repository, app v1alpha1.Application) {
	t.Helper()
	got, err := render(t, c, repo, app)
	if err != nil {
		t.Fatal(err)
	}
	gate, cluster, _ := strings.Cut(app.Name, "-")
	if app.Spec.Destination.Name != cluster {
		t.Errorf("its destination is %q", app.Spec.Destination.Name)
	}
	want := fmt.Sprintf("Job syncgate-postsync-%s-%s-%s PostSync", gate, cluster, repo.good[:8])
	if found := heads(t, got); !slices.Contains(found, want) {
		t.Errorf("expected %q among %q", want, found)
	}
}

// render asks for what an Application's own source renders to, as the
// application controller does.
func render(t *testing.T, c apiclient.RepoServerServiceClient, repo repository, app v1alpha1.Application) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := c.GenerateManifest(ctx, &apiclient.ManifestRequest{
		Repo: &v1alpha1.Repository{Repo: repo.url}, Revision: app.Spec.Source.TargetRevision, NoCache: true,
		AppName: app.Name, Namespace: app.Spec.Destination.Namespace, ApplicationSource: app.Spec.Source, KubeVersion: "1.34.4",
		ProjectName: "default", ProjectSourceRepos: []string{"*"},
		AnnotationManifestGeneratePaths: app.Annotations["argocd.argoproj.io/manifest-generate-paths"],
	})
	return out.GetManifests(), err
}
