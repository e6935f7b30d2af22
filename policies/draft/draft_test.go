package draft

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

func files(list ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i+1 < len(list); i += 2 {
		fsys[list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return fsys
}

func application(name, cluster, tag string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nspec:\n  destination: {name: " + cluster +
		"}\n  source: {repoURL: https://charts.example.com, chart: app, targetRevision: 1.0.0, helm: {valuesObject: {tag: " + tag + "}}}\n"
}

func twoSources(name, cluster string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nspec:\n  destination: {name: " + cluster +
		"}\n  sources: [{repoURL: https://charts.example.com, chart: app, targetRevision: 1.0.0}, {repoURL: https://git.example.com, path: extra-" + cluster + "}]\n"
}

// helmApplication has its values in the file of its cluster.
func helmApplication(name, cluster string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "-" + cluster +
		"}\nspec:\n  destination: {server: https://kubernetes.default.svc}\n" +
		"  source: {repoURL: https://git.example.com/a.git, path: charts/shop, helm: {valueFiles: [/clusters/" + cluster + "/values.yaml]}}\n"
}

// fluxItself is what `flux bootstrap` writes into the folder of a cluster.
const fluxItself = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux-system, namespace: flux-system}\nspec: {url: ssh://git.example.com/a}\n" +
	"---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux-system, namespace: flux-system}\n"

func helmRelease(cluster string) string {
	return "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: shop, namespace: shop}\nspec:\n" +
		"  chart: {spec: {chart: shop, sourceRef: {kind: HelmRepository, name: charts}}}\n  values: {host: " + cluster + "}\n"
}

func TestMake(t *testing.T) {
	tests := []struct {
		name     string
		fs       fstest.MapFS
		clusters string
		paths    string
		left     string // part of what is said beside it
	}{
		{"Applications in files of their own", files("a/shop-eu.yaml", application("shop-eu", "eu", "v1"), "a/shop-us.yaml", application("shop-us", "us", "v2")),
			"eu us", "tag", ""},
		{"Applications in one file, of two applications", files("apps.yaml", application("shop-eu", "eu", "v1")+"---\n"+application("shop-us", "us", "v1")+"---\n"+application("mail-eu", "eu", "v1")),
			"eu us", "", ""},
		{"Applications with a source beside the chart", files("a/shop-eu.yaml", twoSources("shop-eu", "eu"), "a/shop-us.yaml", twoSources("shop-us", "us")),
			"eu us", "$source.after[0].path", ""},
		{"Applications that go to their own cluster, before the values that they read",
			files(append(charts("shop"), "clusters/eu/app.yaml", helmApplication("shop", "eu"), "clusters/us/app.yaml", helmApplication("shop", "us"),
				"clusters/eu/values.yaml", "a: 1\n", "clusters/us/values.yaml", "a: 2\n")...),
			"eu us", "a", "also there, and not used: folders clusters/${cluster} with values.yaml"},
		{"HelmReleases beside Flux itself",
			files("clusters/eu/flux-system/gotk-sync.yaml", fluxItself, "clusters/eu/flux-system/gotk-components.yaml", "kind: Namespace\nmetadata: {name: flux-system}\n",
				"clusters/us/flux-system/gotk-sync.yaml", fluxItself, "clusters/us/flux-system/gotk-components.yaml", "kind: Namespace\nmetadata: {name: flux-system}\n",
				"clusters/eu/shop.yaml", helmRelease("eu"), "clusters/us/shop.yaml", helmRelease("us")),
			"eu us", "host", ""},
		{"values files with a prefix", files("values.yaml", "a: 1\n", "values-eu.yaml", "b: 1\n", "values-us.yaml", "b: 2\n"), "eu us", "b", ""},
		{"folders", files("eu/values.yaml", "list: [{name: a, v: 1}, {name: b}]\n", "us/values.yaml", "list: [{name: b}, {name: a, v: 2}]\n"),
			"eu us", "list[name=a].v", ""},
		{"a file that cannot be read", files("eu.yaml", "a: 1\n", "us.yaml", "a: 1\n", "other.yaml", "a: [\n"), "eu us", "", "not read: other.yaml:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Make(t.Context(), tt.fs, ".", "shop")
			if err != nil {
				t.Fatal(err)
			}
			g, err := gate.Decode(d.Text, d.File)
			if err != nil {
				t.Fatalf("%v in\n%s", err, d.Text)
			}
			if g, err = policies.Expand(t.Context(), tt.fs, g, policies.Options{}); err != nil {
				t.Fatal(err)
			}
			var clusters, paths []string
			for _, c := range g.Spec.Clusters {
				clusters = append(clusters, c.Name)
			}
			for _, p := range g.Spec.PerCluster {
				paths = append(paths, p.Path)
			}
			if d := cmp.Diff([]string{tt.clusters, tt.paths}, []string{strings.Join(clusters, " "), strings.Join(paths, " ")}); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			found, err := policies.Validate(t.Context(), tt.fs, g, policies.Options{})
			if err != nil || len(found) > 0 {
				t.Errorf("the draft does not hold: %v, %v", found, err)
			}
			if !strings.Contains(strings.Join(d.Left, "\n"), tt.left) {
				t.Errorf("expected %q among %q", tt.left, d.Left)
			}
		})
	}
}

func umbrella(name, version string) string {
	return "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\ndependencies: [{name: web, version: " + version + ", repository: \"https://charts.example.com\"}]\n"
}

// TestMakeLayouts drafts a Gate for layouts of repositories, with the values of
// each cluster and the chart.
func TestMakeLayouts(t *testing.T) {
	tests := []struct {
		name string
		fs   fstest.MapFS
		dir  string
		want []string // the chart, each cluster with its values, files and what differs in them
		left []string // all that is said beside it
	}{
		{
			"a file that one cluster has",
			files("env/prod-eu/values.yaml", "a: 1\n", "env/prod-us/values.yaml", "a: 1\n", "env/prod-us/extra.yaml", "b: 1\n"), ".",
			[]string{"", "prod-eu env/prod-eu/values.yaml", "prod-us env/prod-us/values.yaml"},
			[]string{"to confirm: no source, only values, since there is no chart below .", "not covered: env/prod-us/extra.yaml"},
		},
		{
			"files that every cluster has",
			files("env/eu/values.yaml", "a: 1\n", "env/eu/extra.yaml", "a: 1\n", "env/us/values.yaml", "a: 1\n", "env/us/extra.yaml", "b: 1\n"), ".",
			[]string{"", "eu env/eu/values.yaml env/eu/extra.yaml", "us env/us/values.yaml env/us/extra.yaml"},
			[]string{"to confirm: the values of a cluster are values.yaml, extra.yaml, the last one wins", "to confirm: no source, only values, since there is no chart below ."},
		},
		{
			"a folder without the others' file",
			files("env/eu/values.yaml", "a: 1\n", "env/us/values.yaml", "a: 1\n", "env/notes/todo.yaml", "b: 1\n"), ".",
			[]string{"", "eu env/eu/values.yaml", "us env/us/values.yaml"},
			[]string{"not covered: folder env/notes, which has no values.yaml", "to confirm: no source, only values, since there is no chart below .", "not covered: env/notes/todo.yaml"},
		},
		{
			"a chart with its values files, from the root",
			files("charts/web/Chart.yaml", "name: web\nversion: 1.0.0\n", "charts/web/values.yaml", "a: 1\n", "charts/web/templates/a.yaml", "b: {{ .Values.b }}\n",
				"charts/web/values-eu.yaml", "b: 1\n", "charts/web/values-us.yaml", "b: 2\n", "charts/web/ci/values-x.yaml", "b: 3\n"), ".",
			[]string{"charts/web", "eu charts/web/values-eu.yaml", "us charts/web/values-us.yaml"},
			nil,
		},
		{
			"a chart with its values files, its folder named",
			files("charts/web/Chart.yaml", "name: web\nversion: 1.0.0\n", "charts/web/values.yaml", "a: 1\n",
				"charts/web/values-eu.yaml", "b: 1\n", "charts/web/values-us.yaml", "b: 2\n"), "charts/web",
			[]string{".", "eu values-eu.yaml", "us values-us.yaml"},
			nil,
		},
		{
			"a chart at the root",
			files("Chart.yaml", "name: web\nversion: 1.0.0\n", "values.yaml", "a: 1\n", "values-common.yaml", "a: 2\n", "values-eu.yaml", "b: 1\n", "values-us.yaml", "b: 2\n",
				"mkdocs.yaml", "site: a\n", "codecov.yaml", "b: 1\n"), ".",
			[]string{".", "eu values-common.yaml values-eu.yaml", "us values-common.yaml values-us.yaml"},
			[]string{"to confirm: the first values of every cluster are values-common.yaml", "not covered: codecov.yaml", "not covered: mkdocs.yaml"},
		},
		{
			"a chart at the root, dots in names",
			files("Chart.yaml", "name: web\nversion: 1.0.0\n", "values.yaml", "a: 1\n", "values.eu.yaml", "b: 1\n", "values.us.yaml", "b: 2\n"), ".",
			[]string{".", "eu values.eu.yaml", "us values.us.yaml"},
			nil,
		},
		{
			"a chart at the root, values in a folder",
			files("Chart.yaml", "name: web\nversion: 1.0.0\n", "values.yaml", "a: 1\n", "values/eu.yaml", "b: 1\n", "values/us.yaml", "b: 2\n"), ".",
			[]string{".", "eu values/eu.yaml", "us values/us.yaml"},
			nil,
		},
		{
			"a chart at the root, folders of clusters",
			files("Chart.yaml", "name: web\nversion: 1.0.0\n", "values.yaml", "a: 1\n", "clusters/eu/values.yaml", "b: 1\n", "clusters/us/values.yaml", "b: 2\n"), ".",
			[]string{".", "eu clusters/eu/values.yaml", "us clusters/us/values.yaml"},
			nil,
		},
		{
			"a chart for each cluster",
			files("eu/Chart.yaml", umbrella("eu", "1.0.0"), "eu/values.yaml", "b: 1\n", "us/Chart.yaml", umbrella("us", "1.0.1"), "us/values.yaml", "b: 2\n"), ".",
			[]string{"", "eu eu/values.yaml", "us us/values.yaml", "file ${cluster}/Chart.yaml", "$files.chart.dependencies[name=web].version", "$files.chart.name", "b"},
			[]string{
				"to confirm: these are clusters; nothing but how alike they are says so",
				"not covered: the defaults of the dependencies, and rendering: each cluster has a chart of its own, and source.helm.chart names one; compared are values.yaml, Chart.yaml",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Make(t.Context(), tt.fs, tt.dir, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, told(t, tt.fs, d)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.left, d.Left, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("beside it (-want +got):\n%s", d)
			}
		})
	}
}

// grid has two applications on two clusters, at paths made of both names.
func grid(at string, more ...string) fstest.MapFS {
	var list []string
	for _, cluster := range []string{"eu", "us"} {
		for _, app := range []string{"shop", "blog"} {
			list = append(list, strings.NewReplacer("C", cluster, "A", app).Replace(at), "a: "+cluster+"\n")
		}
	}
	return files(append(list, more...)...)
}

func charts(names ...string) []string {
	var list []string
	for _, name := range names {
		list = append(list, "charts/"+name+"/Chart.yaml", "name: "+name+"\nversion: 1.0.0\n", "charts/"+name+"/values.yaml", "a: 1\n", "charts/"+name+"/templates/a.yaml", "a: 1\n")
	}
	return list
}

// TestMakeSeveral names each of several applications, and drafts the one that is
// called for.
func TestMakeSeveral(t *testing.T) {
	releases := func(c string) string {
		r := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: NAME}\nspec: {chart: {spec: {chart: NAME, version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}, values: {a: " + c + "}}\n"
		return strings.ReplaceAll(r, "NAME", "shop") + "---\n" + strings.ReplaceAll(r, "NAME", "blog")
	}
	tests := []struct {
		name string
		fs   fstest.MapFS
		apps []string // the applications, and what to call
		dir  string   // what is called, and its draft
		want []string
	}{
		{
			"folders of clusters, with charts", grid("clusters/C/A/values.yaml", charts("shop", "blog")...),
			[]string{"blog: syncgate init charts/blog", "shop: syncgate init charts/shop"}, "charts/shop",
			[]string{".", "eu ../../clusters/eu/shop/values.yaml", "us ../../clusters/us/shop/values.yaml"},
		},
		{
			"files of clusters, with charts", grid("clusters/C/A.yaml", charts("shop", "blog")...),
			[]string{"blog: syncgate init charts/blog", "shop: syncgate init charts/shop"}, "charts/blog",
			[]string{".", "eu ../../clusters/eu/blog.yaml", "us ../../clusters/us/blog.yaml"},
		},
		{
			"folders of clusters", grid("clusters/C/A/values.yaml", "gates/shop/README.md", ""),
			[]string{"blog: mkdir -p gates/blog && syncgate init gates/blog", "shop: mkdir -p gates/shop && syncgate init gates/shop"}, "gates/shop",
			[]string{"", "eu ../../clusters/eu/shop/values.yaml", "us ../../clusters/us/shop/values.yaml"},
		},
		{
			"folders of applications", grid("apps/A/C.yaml"),
			[]string{"blog: syncgate init apps/blog", "shop: syncgate init apps/shop"}, "apps/shop",
			[]string{"", "eu eu.yaml", "us us.yaml"},
		},
		{
			"values files beside charts", grid("charts/A/values-C.yaml", charts("shop", "blog")...),
			[]string{"blog: syncgate init charts/blog", "shop: syncgate init charts/shop"}, "charts/shop",
			[]string{".", "eu values-eu.yaml", "us values-us.yaml"},
		},
		{
			"folders of applications, with charts elsewhere", grid("values/A/C.yaml", charts("shop", "blog")...),
			[]string{"blog: syncgate init charts/blog", "shop: syncgate init charts/shop"}, "charts/shop",
			[]string{".", "eu ../../values/shop/eu.yaml", "us ../../values/shop/us.yaml"},
		},
		{
			"which folders are of clusters nothing says", grid("A/C/values.yaml"),
			[]string{
				"blog: syncgate init blog", "eu: mkdir -p gates/eu && syncgate init gates/eu",
				"shop: syncgate init shop", "us: mkdir -p gates/us && syncgate init gates/us",
			}, "blog",
			[]string{"", "eu eu/values.yaml", "us us/values.yaml"},
		},
		{
			"Applications", files("shop.yaml", application("shop-eu", "eu", "v1")+"---\n"+application("shop-us", "us", "v1"),
				"blog.yaml", application("blog-eu", "eu", "v1")+"---\n"+application("blog-us", "us", "v1"), "gates/blog/README.md", ""),
			[]string{"blog: mkdir -p gates/blog && syncgate init gates/blog", "shop: mkdir -p gates/shop && syncgate init gates/shop"}, "gates/blog",
			[]string{"", "eu", "us", "from ../../blog.yaml blog-${cluster}"},
		},
		{
			"HelmReleases in one file", files("clusters/eu/all.yaml", releases("eu"), "clusters/us/all.yaml", releases("us"), "gates/blog/README.md", ""),
			[]string{"blog: mkdir -p gates/blog && syncgate init gates/blog", "shop: mkdir -p gates/shop && syncgate init gates/shop"}, "gates/blog",
			[]string{"", "eu", "us", "from ../../clusters/${cluster}/*.yaml blog"},
		},
		{
			"HelmReleases that overlays build", files("base/all.yaml", releases("all"), "base/kustomization.yaml", "resources: [all.yaml]\n",
				"clusters/eu/kustomization.yaml", "resources: [../../base]\n", "clusters/us/kustomization.yaml", "resources: [../../base]\n", "gates/blog/README.md", ""),
			[]string{"blog: mkdir -p gates/blog && syncgate init gates/blog", "shop: mkdir -p gates/shop && syncgate init gates/shop"}, "gates/blog",
			[]string{"", "eu", "us", "from ../../clusters/${cluster} blog"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Make(t.Context(), tt.fs, ".", "")
			var several *SeveralError
			if !errors.As(err, &several) {
				t.Fatalf("expected several applications, got %v", err)
			}
			var apps []string
			for _, app := range several.Apps {
				name, rest, _ := strings.Cut(app, ": ")
				apps = append(apps, name+": "+rest[strings.LastIndex(rest, "; ")+2:])
			}
			if d := cmp.Diff(tt.apps, apps); d != "" {
				t.Errorf("applications (-want +got):\n%s", d)
			}
			d, err := Make(t.Context(), tt.fs, tt.dir, "")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, told(t, tt.fs, d)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if name := d.Gate.Metadata.Name; name != path.Base(tt.dir) {
				t.Errorf("the Gate is called %s", name)
			}
		})
	}
}

// told is the chart of a draft and the values of its clusters. The draft must
// hold as it is written.
func told(t *testing.T, fsys fstest.MapFS, d Draft) []string {
	t.Helper()
	g, err := gate.Decode(d.Text, d.File)
	if err != nil {
		t.Fatalf("%v in\n%s", err, d.Text)
	}
	if found, err := policies.Validate(t.Context(), fsys, g, policies.Options{}); err != nil || len(found) > 0 {
		t.Errorf("the draft does not hold: %v, %v", found, err)
	}
	chart := ""
	if g.Spec.Source.Helm != nil {
		chart = g.Spec.Source.Helm.Chart
	}
	all := []string{chart}
	for _, c := range g.Spec.Clusters {
		all = append(all, strings.Join(append([]string{c.Name}, c.Values...), " "))
	}
	for _, f := range g.Spec.ClustersFrom {
		all = append(all, strings.Join(slices.Concat([]string{"from"}, f.Files, f.Kustomizations, []string{f.Name}), " "))
	}
	for _, f := range g.Spec.Files {
		all = append(all, "file "+f.Path)
	}
	if len(g.Spec.Files) > 0 {
		for _, p := range g.Spec.PerCluster {
			all = append(all, p.Path)
		}
	}
	return all
}

// TestMakeNothing says what was found and is of no use.
func TestMakeNothing(t *testing.T) {
	fsys := files("app.yaml", application("shop-eu", "eu", "v1"), "set.yaml",
		"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all}\nspec: {generators: [{pullRequest: {}}], template: {metadata: {name: x}}}\n")
	_, err := Make(t.Context(), fsys, ".", "")
	var nothing *NothingError
	if !errors.As(err, &nothing) || !strings.Contains(strings.Join(nothing.Left, "\n"), `uses the generator "pullRequest"`) {
		t.Errorf("got %v", err)
	}
}

// TestMakeElsewhere says where the Gate of what is installed belongs.
func TestMakeElsewhere(t *testing.T) {
	app := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec: {source: {repoURL: x, path: apps/shop, plugin: {name: syncgate}}}\n"
	fsys := files("argocd/shop.yaml", app, "apps/shop/overlays/eu/kustomization.yaml", "resources: []\n")
	_, err := Make(t.Context(), fsys, "argocd", "")
	if err == nil || !strings.HasSuffix(err.Error(), "; but Application shop installs apps/shop: call syncgate init apps/shop") {
		t.Errorf("got %v", err)
	}
}

// TestQuoted holds that what is written is read as the same text.
func TestQuoted(t *testing.T) {
	for _, text := range []string{"a", "1", "1.5", "true", "no", "", "a: b", "- a", "#a", "${cluster}", "*a", "a b", " a", "0x10", "1e3", "~", "null", "$files.a", `["a.b"].c`, "2026-01-02", "a #b"} {
		g := &gate.Gate{}
		g.Metadata.Name = "shop"
		g.Spec.Clusters = []gate.Cluster{{Name: "eu"}, {Name: "us"}}
		g.Spec.PerCluster = []gate.PerCluster{{Path: "x", Reason: text}}
		out, err := gate.Decode(write(g, nil, nil), "syncgate.yaml")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := out.Spec.PerCluster[0].Reason; got != text {
			t.Errorf("wrote %q, read %q", text, got)
		}
	}
}

// TestMakeNoClusters holds that applications, and files that only lie together,
// are no clusters.
func TestMakeNoClusters(t *testing.T) {
	library := "dependencies: [{name: common, version: 1.0.0}]\n"
	tests := []struct {
		name string
		fs   fstest.MapFS
		left []string
	}{
		{
			"charts of applications",
			files("shop/Chart.yaml", "name: shop\n"+library, "shop/values.yaml", "a: 1\n", "shop/templates/a.yaml", "a: 1\n",
				"blog/Chart.yaml", "name: blog\n"+library, "blog/values.yaml", "a: 1\n", "blog/templates/a.yaml", "a: 1\n"),
			nil,
		},
		{
			"folders of applications", files("apps/shop/values.yaml", "a: 1\n", "apps/blog/values.yaml", "a: 1\n"),
			[]string{"not used: folders apps/${cluster} with values.yaml: these are applications, by their charts' or their folder's name"},
		},
		{
			"folders of applications on one cluster", files(append(charts("shop", "blog"), "prod/shop/values.yaml", "a: 1\n", "prod/blog/values.yaml", "a: 1\n")...),
			[]string{"not used: folders prod/${cluster} with values.yaml: these are applications, by their charts' or their folder's name"},
		},
		{"files that only lie together", files("mkdocs.yaml", "site: a\n", "codecov.yaml", "coverage: 1\n"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Make(t.Context(), tt.fs, ".", "")
			var nothing *NothingError
			if !errors.As(err, &nothing) {
				t.Fatalf("got %v\n%s", err, d.Text)
			}
			if d := cmp.Diff(tt.left, nothing.Left, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
