package delivery

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

func TestGlobs(t *testing.T) {
	tests := []struct {
		glob, sep, name, cluster string
		ok                       bool
	}{
		{"apps/*.yaml", "/", "apps/a.yaml", "", true},
		{"apps/*.yaml", "/", "apps/x/a.yaml", "", false},
		{"apps/**/a.yaml", "/", "apps/a.yaml", "", true},
		{"apps/**/a.yaml", "/", "apps/x/y/a.yaml", "", true},
		{"apps/**", "/", "apps/x/y/a.yaml", "", true},
		{"clusters/${cluster}/*.yaml", "/", "clusters/eu-1/a.yaml", "eu-1", true},
		{"${cluster}/${cluster}.yaml", "/", "eu/eu.yaml", "eu", true},
		{"${cluster}/${cluster}.yaml", "/", "eu/us.yaml", "", false},
		{"values-[a-e]*.yaml", "/", "values-eu.yaml", "", true},
		{"values-[!a-e]*.yaml", "/", "values-us.yaml", "", false},
		{"a+b?.yaml", "/", "a+bc.yaml", "", true},
		{"shop-${cluster}", ".", "shop-eu", "eu", true},
		{"shop-${cluster}", ".", "other-eu", "", false},
		{"*", ".", "a/b", "", true},
	}
	for _, tt := range tests {
		g, err := compile(tt.glob, tt.sep)
		if err != nil {
			t.Fatal(err)
		}
		if cluster, ok := g.match(tt.name); ok != tt.ok || cluster != tt.cluster {
			t.Errorf("%s on %s: got %q, %v; want %q, %v", tt.glob, tt.name, cluster, ok, tt.cluster, tt.ok)
		}
	}
	for _, bad := range []string{"a[", "a[]", "[z-a]"} {
		if _, err := compile(bad, "/"); err == nil {
			t.Errorf("%s: expected an error", bad)
		}
	}
}

// TestPathspecs: Argo CD gives the files of a git generator to Git itself.
func TestPathspecs(t *testing.T) {
	for name, want := range map[string]bool{
		"clusters/eu/config.json": true, "clusters/a/b/config.json": true, "clusters/config.json": false, "other/eu/config.json": false,
	} {
		re, err := pathspec("clusters/*/config.json")
		if err != nil {
			t.Fatal(err)
		}
		if re.MatchString(name) != want {
			t.Errorf("%s: got %v", name, !want)
		}
	}
}

// TestTemplatesAreBounded: a template is read from Git, and must end soon and
// stay small whatever it says.
func TestTemplatesAreBounded(t *testing.T) {
	tests := map[string]string{
		"doubling":          `{{ $s := "0123456789" }}{{ range .l }}{{ range $.l }}{{ $s = print $s $s }}{{ end }}{{ end }}{{ $s }}`,
		"replaced":          `{{ $s := .long }}{{ replace "a" $s $s }}`,
		"indented":          `{{ indent 1000000 .long }}`,
		"printf with width": `{{ printf "%1000000000d" 1 }}`,
		"printf with star":  `{{ printf "%*d" 1000000000 1 }}`,
		"nested lists":      `{{ $l := list "x" }}{{ range .l }}{{ range $.l }}{{ $l = list $l $l $l $l }}{{ end }}{{ end }}{{ toJson $l }}`,
		"endless recursion": `{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}`,
		"loops":             `{{ range .l }}{{ range $.l }}{{ range $.l }}{{ end }}{{ end }}{{ end }}`,
		"environment":       `{{ env "HOME" }}`,
		"chance":            `{{ randAlphaNum 8 }}`,
		"files":             `{{ genCA "a" 1 }}`,
		"huge output":       `{{ range .l }}{{ range $.l }}{{ $.long }}{{ $.long }}{{ end }}{{ end }}`,
	}
	params := map[string]any{"long": strings.Repeat("a", 10_000)}
	var l []any
	for range 100 {
		l = append(l, "x")
	}
	params["l"] = l
	r := &renderer{object: &object{kind: kindApplicationSet, name: "x", node: &values.Node{Kind: values.Map}}, goTemplate: true}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			out, err := r.text(&values.Node{Kind: values.String, Text: text}, params)
			if err == nil {
				t.Errorf("expected an error, got %d bytes", len(out))
			}
			if d := time.Since(start); d > time.Minute {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// FuzzExpand holds that no object whatever makes Expand fall over.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {destination: {name: eu}, source: {repoURL: u, path: chart, helm: {valueFiles: [v.yaml], values: \"a: 1\", parameters: [{name: x, value: y}]}}}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {goTemplate: true, generators: [{list: {elements: [{c: eu}]}}], template: {metadata: {name: 'a-{{.c}}'}, spec: {source: {repoURL: u, chart: c}}}}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {generators: [{matrix: {generators: [{git: {directories: [{path: '*'}]}}, {clusters: {selector: {matchLabels: {a: b}}}}]}}], template: {metadata: {name: '{{name}}'}, spec: {source: {repoURL: u, chart: c}}}}\n",
		"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec: {chart: {spec: {chart: c, sourceRef: {kind: GitRepository, name: g}}}, valuesFrom: [{kind: ConfigMap, name: v, targetPath: a.b}], values: {x: '${y}'}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: v}\ndata: {values.yaml: '1'}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {repoURL: u, path: chart, helm: {valueFiles: ['/*.yaml', '/[v]**/?.yaml', /v.yaml]}}}\n",
		"kind: List\napiVersion: v1\nitems: [{kind: Application, apiVersion: argoproj.io/v1alpha1}]\n",
	} {
		f.Add([]byte(seed), "a: 1\n")
	}
	f.Fuzz(func(t *testing.T, app []byte, file string) {
		fsys := fstest.MapFS{
			"app.yaml": {Data: app}, "v.yaml": {Data: []byte(file)}, "chart/Chart.yaml": {Data: []byte("{apiVersion: v2, name: c, version: 1.0.0}")},
		}
		g := &gate.Gate{File: "syncgate.yaml"}
		g.Spec.ClustersFrom = []gate.ClustersFrom{{
			Files: []string{"app.yaml"}, Variables: map[string]string{"y": "z"},
			ArgoClusters: []gate.ArgoCluster{{Name: "eu", Labels: map[string]string{"a": "b"}}},
		}}
		out, err := Expand(context.Background(), tree.New(fsys), g, values.Limits{FileSize: 1 << 14})
		if err != nil {
			return
		}
		for _, c := range out.Spec.Clusters {
			if c.Release == nil || !clusterName.MatchString(c.Name) {
				t.Errorf("cluster %q without a release or a name", c.Name)
			}
		}
	})
}
