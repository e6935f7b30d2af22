package draft

import (
	"errors"
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
			[]string{"not covered: env/prod-us/extra.yaml"},
		},
		{
			"files that every cluster has",
			files("env/eu/values.yaml", "a: 1\n", "env/eu/extra.yaml", "a: 1\n", "env/us/values.yaml", "a: 1\n", "env/us/extra.yaml", "b: 1\n"), ".",
			[]string{"", "eu env/eu/values.yaml env/eu/extra.yaml", "us env/us/values.yaml env/us/extra.yaml"},
			[]string{"to confirm: the values of a cluster are values.yaml, extra.yaml, the last one wins"},
		},
		{
			"a folder without the others' file",
			files("env/eu/values.yaml", "a: 1\n", "env/us/values.yaml", "a: 1\n", "env/notes/todo.yaml", "b: 1\n"), ".",
			[]string{"", "eu env/eu/values.yaml", "us env/us/values.yaml"},
			[]string{"not covered: folder env/notes, which has no values.yaml", "not covered: env/notes/todo.yaml"},
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
				"to confirm: eu, us are clusters, since their charts have the same dependencies and no templates",
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

// TestMakeCharts holds that charts of applications are no clusters.
func TestMakeCharts(t *testing.T) {
	library := "dependencies: [{name: common, version: 1.0.0}]\n"
	fsys := files("shop/Chart.yaml", "name: shop\n"+library, "shop/values.yaml", "a: 1\n", "shop/templates/a.yaml", "a: 1\n",
		"blog/Chart.yaml", "name: blog\n"+library, "blog/values.yaml", "a: 1\n", "blog/templates/a.yaml", "a: 1\n")
	d, err := Make(t.Context(), fsys, ".", "")
	var nothing *NothingError
	if !errors.As(err, &nothing) {
		t.Errorf("got %v\n%s", err, d.Text)
	}
}
