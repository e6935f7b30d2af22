package gate_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/gate"
)

const whole = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata:
  name: mattermost
spec:
  namespace: mm
  packs: [mattermost]
  source:
    helm: {chart: ../chart}
  clusters:
    - name: eu
      values: [values/common.yaml, values/eu.yaml]
    - name: us
      namespace: mm-us
      values: [values/common.yaml, values/us.yaml]
  perCluster:
    - path: ingress.host
      reason: each site has its own name
  rules:
    - name: replicas
      expr: clusters.all(c, clusters[c].replicas >= 2)
  preSync:
    deadline: 45m
    checks:
      - name: backup
        backup: {maxAge: 24h, objects: {store: s, prefix: "${cluster}/"}}
  postSync:
    checks:
      - name: settled
        use: mattermost/settled
        resource: {name: "${values.name}"}
  revert:
    paths: ["docs/**/*.md"]
`

func TestDecode(t *testing.T) {
	g, err := gate.Decode([]byte(whole), "apps/mm/syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	settled := g.Spec.PostSync.Checks[0].Resource
	if settled == nil || settled.Kind != "Mattermost" || settled.Name != "${values.name}" || settled.Pass == "" {
		t.Errorf("want the preset with the entry's name, got %+v", settled)
	}
	if d := cmp.Diff(map[string]string{"eu": "mm", "us": "mm-us"}, map[string]string{"eu": g.Namespace("eu"), "us": g.Namespace("us")}); d != "" {
		t.Error(d)
	}
	if got := g.Spec.PreSync.Deadline.Or(0); got != 45*time.Minute {
		t.Errorf("want 45m, got %s", got)
	}
	if dir, err := g.SourcePath("eu"); err != nil || dir != "apps/chart" {
		t.Errorf("want apps/chart, got %q, %v", dir, err)
	}
	if _, err := g.Cluster("asia"); err == nil || !strings.Contains(err.Error(), "eu, us") {
		t.Errorf("want the clusters in the error, got %v", err)
	}
	guarded, err := g.Guarded()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"apps/mm/values/eu.yaml": true, "apps/chart/Chart.yaml": true, "apps/mm/docs/a/b.md": true, "apps/mm/docs/b.md": true,
		"apps/mm/syncgate.yaml": false, "apps/charts/x": false, "apps/mm/values/asia.yaml": false, "docs/a/b.md": false,
	} {
		if got := guarded(name); got != want {
			t.Errorf("guarded(%s): want %v, got %v", name, want, got)
		}
	}
}

func TestDecodeNamesEveryMistake(t *testing.T) {
	change := func(old, text string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("no %q in the example", old)
		}
		return strings.Replace(whole, old, text, 1)
	}
	tests := []struct{ name, in, want string }{
		{"empty", "# nothing\n", "expected a Gate, found an empty file"},
		{"a list", "- a\n", "expected a map, found a list"},
		{"malformed", "a: [\n", "malformed YAML"},
		{"two documents", whole + "---\na: 1\n", "second"},
		{"version", change("v1alpha1", "v2"), `syncgate.yaml:1:13: apiVersion: expected syncgate.dev/v1alpha1, found "syncgate.dev/v2"`},
		{"kind", change("kind: Gate", "kind: Gatte"), "kind: expected Gate"},
		{"name", change("name: mattermost", "name: Mattermost_1"), "metadata.name: expected a DNS label"},
		{"no name", change("  name: mattermost\n", "  {}\n"), "metadata.name: expected this field"},
		{"unknown field", change("  namespace: mm\n", "  nampespace: mm\n"), `syncgate.yaml:6:3: spec.nampespace: unknown field; remove it, or write "namespace"`},
		{"field twice", change("  packs:", "  namespace: x\n  packs:"), "expected the field once, found it at line 6 too"},
		{"cluster twice", change("name: us", "name: eu"), `syncgate.yaml:13:13: spec.clusters[1].name: expected a name of its own, found "eu", which is the name of spec.clusters[0].name at line 11 too`},
		{"no clusters", change("  clusters:\n    - name: eu\n      values: [values/common.yaml, values/eu.yaml]\n    - name: us\n      namespace: mm-us\n      values: [values/common.yaml, values/us.yaml]\n", "  clusters: []\n"), "expected at least one cluster"},
		{"values leave", change("values/eu.yaml", "../../../x.yaml"), "leaves the repository"},
		{"chart leaves", change("../chart", "../../../x"), "spec.source.helm.chart: \"../../../x\": the path leaves the repository"},
		{"two sources", change("helm: {chart: ../chart}", "helm: {chart: a}\n    plain: {path: b}"), "expected one of helm, kustomize and plain, found 2"},
		{"pack", change("[mattermost]", "[nope]"), "expected one of the packs deployment, mattermost"},
		{"glob", change("ingress.host", "ingress..host"), "spec.perCluster[0].path"},
		{"rule", change("clusters.all(c, clusters[c].replicas >= 2)", "cluster.all("), "spec.rules[0].expr: "},
		{"duration", change("45m", "45 minutes"), "spec.preSync.deadline: "},
		{"negative duration", change("45m", "-1m"), "expected no negative length"},
		{"store type", change("store: s", "store: 7"), `expected a string, found "7"; put it in quotes`},
		{"no kind", change("        use: mattermost/settled\n        resource: {name: \"${values.name}\"}\n", ""), "expected exactly one of nodes, pods, resource, images, rollout, http, backup, found none"},
		{"two kinds", change("resource: {name: \"${values.name}\"}", "nodes: {}"), "found nodes, resource"},
		{"preset", change("mattermost/settled", "mattermost/setled"), "mattermost/settled"},
		{"template", change("${cluster}/", "${clusters}/"), "spec.preSync.checks[0].backup.objects.prefix"},
		{"open template", change("${cluster}/", "${cluster/"), "that closes it"},
		{"proof", change("maxAge: 24h,", "maxAge: 24h, proof: queried,"), "expected one of exists, fresh, complete"},
		{"no store", change("objects: {store: s, prefix: \"${cluster}/\"}", "objects: {}"), "store: expected this field"},
		{"no place of backup", change(", objects: {store: s, prefix: \"${cluster}/\"}", ""), "exactly one of objects and snapshots"},
		{"anchor", change("namespace: mm\n", "namespace: &a mm\n"), "expected no anchors and aliases"},
		{"revert glob", change("docs/**/*.md", "docs/["), "spec.revert.paths[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := gate.Decode([]byte(tt.in), "syncgate.yaml")
			if err == nil {
				t.Fatalf("want an error with %q, got %+v", tt.want, g)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v", tt.want, err)
			}
			if !strings.Contains(err.Error(), "syncgate.yaml") {
				t.Errorf("want the file in %v", err)
			}
		})
	}
}

func TestDecodeFindsAllAtOnce(t *testing.T) {
	in := strings.NewReplacer("name: mattermost", "name: MM", "45m", "x", "store: s", "stor: s").Replace(whole)
	_, err := gate.Decode([]byte(in), "syncgate.yaml")
	var all *gate.Errors
	if !errors.As(err, &all) || len(all.List) < 2 {
		t.Fatalf("want every mistake, got %v", err)
	}
	for i := 1; i < len(all.List); i++ {
		if all.List[i].Position.Line < all.List[i-1].Position.Line {
			t.Errorf("want the file's order, got %v", err)
		}
	}
}

func TestFind(t *testing.T) {
	fsys := fstest.MapFS{
		"apps/b/syncgate.yaml": {}, "apps/a/syncgate.yaml": {}, "apps/a/values.yaml": {}, "gate.yaml": {},
		".git/syncgate.yaml": {}, "node_modules/x/syncgate.yaml": {},
	}
	for root, want := range map[string][]string{
		".": {"apps/a/syncgate.yaml", "apps/b/syncgate.yaml"}, "apps/b": {"apps/b/syncgate.yaml"}, "gate.yaml": {"gate.yaml"},
	} {
		got, err := gate.Find(fsys, root)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", root, d)
		}
	}
	if _, err := gate.Find(fsys, "nope"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want os.ErrNotExist, got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := gate.Decode(data, "syncgate.yaml")
		if (g == nil) == (err == nil) {
			t.Errorf("want a Gate or an error, got %v, %v", g, err)
		}
	})
}
