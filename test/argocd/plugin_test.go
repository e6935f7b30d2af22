package argocd

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/reposerver/apiclient"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// application is what an Application asks of its repo-server.
type application struct {
	name string
	// path is the source's, parameters are the plugin's.
	path       string
	parameters map[string]string
	// variables are the plugin's.
	variables map[string]string
	// annotation is the value of manifest-generate-paths.
	annotation string
	// sources is true when it is one source of several.
	sources bool
	// drift asks for the branch on which values drift.
	drift bool

	// want lists objects that must be there, as "Kind name" or, for a hook,
	// "Kind name phase". err must be in the error.
	want []string
	err  string
	// never must be in no object.
	never string
}

func applications() []application {
	cluster := func(name string) map[string]string { return map[string]string{"cluster": name} }
	jobs := func(gate, cluster string) []string {
		var list []string
		for _, phase := range []string{"PreSync", "PostSync", "SyncFail"} {
			list = append(list, fmt.Sprintf("Job syncgate-%s-%s-%s-* %s", strings.ToLower(phase), gate, cluster, phase))
		}
		return list
	}
	crd := "CustomResourceDefinition widgets.example.com"
	return []application{
		{name: "mattermost eu", path: "examples/mattermost-operator", parameters: cluster("eu"), want: append(jobs("mattermost", "eu"), "Mattermost mattermost")},
		{name: "mattermost us", path: "examples/mattermost-operator", parameters: cluster("us"), want: jobs("mattermost", "us")},
		{name: "cluster by variable", path: "examples/mattermost-operator", variables: map[string]string{"CLUSTER": "us"}, want: jobs("mattermost", "us")},
		{name: "image and server by variable", path: "hooks", parameters: cluster("us"), want: jobs("hooks", "us"), never: "evil.example.com",
			variables: map[string]string{"SYNCGATE_HOOK_IMAGE": "evil.example.com/i", "SYNCGATE_SERVER_URL": "https://evil.example.com"}},
		{name: "drift", path: "examples/mattermost-operator", parameters: cluster("eu"), drift: true,
			err: "syncgate: 1 finding in gate mattermost: mattermostCR.spec.replicas differs: us=3 eu=5"},
		{name: "no cluster", path: "examples/mattermost-operator", err: "eu, us"},
		{name: "layered chart", path: "examples/helm-deployment", parameters: cluster("ap"), want: append(jobs("shop", "ap"), "Deployment shop")},
		{name: "value by parameter", path: "examples/helm-deployment", parameters: map[string]string{"cluster": "ap", "values.replicas": "7"}, want: []string{"Deployment shop"}},
		{name: "value that must not differ", path: "examples/helm-deployment", parameters: map[string]string{"cluster": "ap", "values.image.tag": "v9"},
			err: "(Application parameter values.image.tag)"},
		{name: "value that is not offered", path: "examples/helm-deployment", parameters: map[string]string{"cluster": "ap", "values.region": "eu"},
			err: "Application parameter values.region: gate shop does not let an Application set it"},
		{name: "Helm hooks, CRDs and a list", path: "hooks", parameters: cluster("eu"), want: append(jobs("hooks", "eu"),
			crd, "ConfigMap app", "ConfigMap app-sub", "Job app-migrate", "Job app-warm PostSync", "ConfigMap item-1", "ConfigMap item-2")},
		{name: "kustomize by folder", path: "examples/kustomize/overlays/us", want: []string{"Deployment mailer", "Job syncgate-postsync-mailer-us-* PostSync"}},
		{name: "kustomize", path: "examples/kustomize", parameters: cluster("ap"), want: []string{"Deployment mailer"}},
		{name: "plain", path: "examples/plain", parameters: cluster("eu"), want: []string{"StatefulSet *"}},
		{name: "sealed and encrypted", path: "sealed", parameters: cluster("eu"), want: []string{"SealedSecret db", "Secret sops", "ConfigMap json"}},
		{name: "gate elsewhere, by name", path: "other", parameters: map[string]string{"gate": "sealed", "cluster": "us"}, want: []string{"ConfigMap us"}},
		{name: "one of several sources", path: "hooks", parameters: cluster("us"), sources: true, want: jobs("hooks", "us")},
		{name: "all that is needed is sent", path: "narrow/app", parameters: cluster("eu"), annotation: ".;/narrow/clusters", want: []string{"ConfigMap narrow"}},
		{name: "a sibling's values are not sent", path: "narrow/app", parameters: cluster("eu"), annotation: ".",
			err: "gate narrow reads what Argo CD did not send: add /narrow/clusters/eu;/narrow/clusters/us to the annotation argocd.argoproj.io/manifest-generate-paths (only narrow/app was sent)"},
		{name: "a dependency that is not vendored", path: "unvendored", err: "postgresql 16.0.0 (none there); run `helm dependency build unvendored`"},
		{name: "no such parameter", path: "hooks", parameters: map[string]string{"clutser": "eu"}, err: `there is no parameter "clutser"`},
	}
}

// ask asks a repo-server for an Application's objects.
func (a application) ask(t *testing.T, c apiclient.RepoServerServiceClient, repo repository) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	plugin := &v1alpha1.ApplicationSourcePlugin{Name: "syncgate"}
	for name, value := range a.parameters {
		plugin.Parameters = append(plugin.Parameters, v1alpha1.ApplicationSourcePluginParameter{Name: name, String_: &value})
	}
	for name, value := range a.variables {
		plugin.Env = append(plugin.Env, &v1alpha1.EnvEntry{Name: name, Value: value})
	}
	revision := repo.good
	if a.drift {
		revision = repo.drift
	}
	source := v1alpha1.ApplicationSource{RepoURL: repo.url, Path: a.path, TargetRevision: revision, Plugin: plugin}
	out, err := c.GenerateManifest(ctx, &apiclient.ManifestRequest{
		Repo: &v1alpha1.Repository{Repo: repo.url}, Revision: revision, NoCache: true,
		AppName: "app", Namespace: "prod", ApplicationSource: &source, KubeVersion: "1.34.4", ApiVersions: []string{"example.com/v1/Widget"},
		ProjectName: "default", ProjectSourceRepos: []string{"*"},
		HasMultipleSources: a.sources, AnnotationManifestGeneratePaths: a.annotation,
	})
	return out.GetManifests(), err
}

// check holds an answer against what is wanted.
func (a application) check(t *testing.T, got []string, err error) {
	t.Helper()
	if a.err != "" {
		if err == nil || !strings.Contains(err.Error(), a.err) {
			t.Errorf("expected an error with %q, found %v", a.err, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if a.never != "" && strings.Contains(strings.Join(got, "\n"), a.never) {
		t.Errorf("%q is in what was rendered", a.never)
	}
	found := heads(t, got)
	for _, want := range a.want {
		if !slices.ContainsFunc(found, func(have string) bool { return matches(want, have) }) {
			t.Errorf("expected %q among %q", want, found)
		}
	}
}

// heads are the objects as application.want names them.
func heads(t *testing.T, manifests []string) []string {
	t.Helper()
	var list []string
	for _, m := range manifests {
		var o unstructured.Unstructured
		if err := o.UnmarshalJSON([]byte(m)); err != nil {
			t.Fatal(err)
		}
		list = append(list, strings.TrimSpace(o.GetKind()+" "+o.GetName()+" "+o.GetAnnotations()["argocd.argoproj.io/hook"]))
	}
	return list
}

// matches compares word by word; a star stands for the rest of a word.
func matches(want, have string) bool {
	w, h := strings.Fields(want), strings.Fields(have)
	return slices.EqualFunc(w, h, func(w, h string) bool {
		ok, err := path.Match(w, h)
		return err == nil && ok
	})
}

// TestPluginInRealRepoServer has unmodified repo-servers of both majors render
// through the native plugin server, with and without discovery, and through the
// stock one with plugin.yaml. The objects must be the same to the byte, and what
// one refuses the others must refuse.
func TestPluginInRealRepoServer(t *testing.T) {
	harness.Real(t)
	t.Setenv("ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS", "true")
	programs := product.Programs(t)
	repo := serveRepository(t)
	for _, major := range []int{2, 3} {
		t.Run(fmt.Sprintf("Argo CD %d", major), func(t *testing.T) {
			outputs := map[string]map[string][]string{}
			for _, mode := range []string{"stock", "native", "native without discovery"} {
				t.Run(mode, func(t *testing.T) {
					server, err := harness.StartRepoServer(t.Context(), major, harness.Options{})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { noError(t, server.Stop()) })
					switch mode {
					case "stock":
						startStock(t, programs, server.Plugins, fmt.Sprintf("argocd%d", major))
					case "native":
						startNative(t, programs, server.Plugins)
					default:
						startNative(t, programs, server.Plugins, "--discover=false")
					}
					outputs[mode] = askAll(t, client(t, server.Address), repo)
					for name, got := range outputs[mode] {
						if d := cmp.Diff(outputs["stock"][name], got); d != "" {
							t.Errorf("%s: the native server and the stock one differ (-stock +native):\n%s", name, d)
						}
					}
				})
			}
		})
	}
}

// askAll asks for every Application, and gives the objects of those that render.
func askAll(t *testing.T, c apiclient.RepoServerServiceClient, repo repository) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, a := range applications() {
		t.Run(a.name, func(t *testing.T) {
			got, err := a.ask(t, c, repo)
			a.check(t, got, err)
			if err == nil {
				all[a.name] = got
			}
		})
	}
	return all
}
