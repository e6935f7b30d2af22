package argocd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

// printed is what the chart of testdata/values.txtar prints.
type printed struct {
	Release string
	Values  map[string]any
}

// TestValuesAreArgoCDs has the real ApplicationSet controllers and repo-servers
// of both majors make and render Applications of a chart that prints its values,
// and holds what they print against what policies makes of the same files.
func TestValuesAreArgoCDs(t *testing.T) {
	harness.Real(t)
	withHelm(t)
	url, revision, tree := serveValues(t)
	want := expected(t, tree)
	var names []string
	for name := range maps.Keys(want) {
		names = append(names, name)
	}
	slices.Sort(names)
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
			controller, err := harness.StartApplicationSetController(t.Context(), harness.ApplicationSetOptions{
				Major: major, Home: cp, Namespace: argoNamespace, RepoServer: server.Address,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { noError(t, controller.Stop()) })
			applyValues(t, cp, tree)
			c := client(t, server.Address)
			for _, app := range awaitApplications(t, cp, controller, names) {
				t.Run(app.Name, func(t *testing.T) {
					if d := cmp.Diff(printValues(t, c, source{url, revision}, app), want[app.Name]); d != "" {
						t.Errorf("(-Argo CD +policies):\n%s", d)
					}
				})
			}
		})
	}
}

// withHelm puts the helm program where a repo-server looks for it.
func withHelm(t *testing.T) {
	t.Helper()
	helm, err := harness.Tool(t.Context(), "helm", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(helm, filepath.Join(bin, "helm")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// source is a repository at a revision.
type source struct{ url, revision string }

// serveValues serves the files of testdata/values.txtar as a repository.
func serveValues(t *testing.T) (url, revision string, tree map[string]string) {
	t.Helper()
	parsed, err := txtar.ParseFile(filepath.Join("testdata", "values.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "gitops.git")
	if err := harness.InitBare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	server, err := harness.StartGit(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, server.Stop()) })
	url = server.URL + "/gitops.git"
	tree = map[string]string{}
	for _, f := range parsed.Files {
		tree[f.Name] = strings.ReplaceAll(string(f.Data), "REPO", url)
	}
	revision, err = harness.CommitTo(t.Context(), dir, harness.Commit{Branch: "main", Message: "Install", Files: tree})
	if err != nil {
		t.Fatal(err)
	}
	return url, revision, tree
}

// expected is what policies makes of the tree, by the Application's name.
func expected(t *testing.T, tree map[string]string) map[string]printed {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range tree {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	all := map[string]printed{}
	for name := range tree {
		if path.Dir(name) != "sets" {
			continue
		}
		set := strings.TrimSuffix(path.Base(name), ".yaml")
		g, err := gate.Decode([]byte(fmt.Sprintf(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: %[1]s}
spec:
  clustersFrom:
    - files: [sets/%[1]s.yaml]
      name: %[1]s-${cluster}
      argoClusters:
        - {name: in-cluster, server: "https://kubernetes.default.svc"}
        - {name: eu, server: "https://eu.example.com", labels: {app: print, tier: gold}}
        - {name: us, server: "https://us.example.com", labels: {app: print, tier: iron}}
        - {name: ap, server: "https://ap.example.com", labels: {app: other}}
`, set)), "syncgate.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if g, err = policies.Expand(t.Context(), fsys, g, policies.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Spec.Clusters {
			v, err := policies.ClusterValues(t.Context(), fsys, g, c.Name, policies.Options{})
			if err != nil {
				t.Fatal(err)
			}
			all[set+"-"+c.Name] = printed{Release: c.Release.Namespace + "/" + c.Release.Name, Values: v.Merged}
		}
	}
	return all
}

// applyValues applies the clusters and the ApplicationSets.
func applyValues(t *testing.T, cp *harness.ControlPlane, tree map[string]string) {
	t.Helper()
	var all strings.Builder
	for name, labels := range map[string]string{"eu": "app: print, tier: gold", "us": "app: print, tier: iron", "ap": "app: other"} {
		fmt.Fprintf(&all, `---
apiVersion: v1
kind: Secret
metadata: {name: cluster-%[1]s, labels: {argocd.argoproj.io/secret-type: cluster, %[2]s}}
stringData: {name: %[1]s, server: "https://%[1]s.example.com", config: "{}"}
`, name, labels)
	}
	for name, text := range tree {
		if path.Dir(name) == "sets" {
			all.WriteString("---\n" + text)
		}
	}
	if err := cp.ApplyYAML(t.Context(), []byte(all.String()), harness.ApplyOptions{Namespace: argoNamespace}); err != nil {
		t.Fatal(err)
	}
}

// printValues has a repo-server render an Application, as the application
// controller asks for it.
func printValues(t *testing.T, c apiclient.RepoServerServiceClient, src source, app v1alpha1.Application) printed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	repo := v1alpha1.Repository{Repo: src.url}
	req := &apiclient.ManifestRequest{
		Repo: &repo, Revision: src.revision, NoCache: true, AppName: app.Name, Namespace: app.Spec.Destination.Namespace,
		ApplicationSource: app.Spec.Source, KubeVersion: "1.34.4", ProjectName: "default", ProjectSourceRepos: []string{"*"},
	}
	if sources := app.Spec.Sources; len(sources) > 0 {
		req.ApplicationSource, req.HasMultipleSources = &sources[0], true
		req.RefSources = map[string]*v1alpha1.RefTarget{}
		for _, s := range sources[1:] {
			req.RefSources["$"+s.Ref] = &v1alpha1.RefTarget{Repo: repo, TargetRevision: s.TargetRevision}
		}
	}
	out, err := c.GenerateManifest(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	var got printed
	for _, m := range out.GetManifests() {
		var o unstructured.Unstructured
		if err := o.UnmarshalJSON([]byte(m)); err != nil {
			t.Fatal(err)
		}
		text, _, _ := unstructured.NestedString(o.Object, "data", "values")
		got.Release, _, _ = unstructured.NestedString(o.Object, "data", "release")
		if err := json.Unmarshal([]byte(text), &got.Values); err != nil {
			t.Fatalf("read %q: %v", text, err)
		}
	}
	return got
}
