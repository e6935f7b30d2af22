package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// TestUnread: what a Secret holds is not known, but where it sets something is.
// No rule may hold by what the chart has there, or by what stands for it.
func TestUnread(t *testing.T) {
	const (
		at    = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: a}]"
		below = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: db.host}]"
		tag   = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: image.tag}]"
		name  = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: image.repository}]"
		whole = "valuesFrom: [{kind: Secret, name: s, valuesKey: k}]"
		on    = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: sub.enabled}]"
		tags  = "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: tags.t}]"
	)
	rule := func(expr string) string { return "rules: [{name: r, expr: '" + expr + "'}]" }
	tests := []struct {
		name, gate, eu, us string
		findings           []string // rule, path and message, by a part
		skipped, fail      string
	}{
		{name: "the same reference", eu: at, us: at},
		{name: "other values over it", eu: at, us: at + "\n  values: {a: 1}", findings: []string{`identical a: expected the same value in all 2 clusters, found no majority: 1 in us; <from Secret s, key k> in eu`}},
		{name: "the text that stands for it", eu: at, us: at + "\n  values: {a: '<from Secret s, key k>'}", findings: []string{"identical a"}},
		{name: "in another cluster's values", eu: at, us: "values: {a: 1}", findings: []string{"identical $source.valuesFrom", "identical a"}},
		{name: "another key", eu: at, us: strings.Replace(at, "valuesKey: k", "valuesKey: l", 1), findings: []string{"identical $source.valuesFrom[0].entry", "identical a"}},
		{name: "values under it do not matter", eu: "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: a, literal: true}]", us: "valuesFrom: [{kind: Secret, name: s, valuesKey: k, targetPath: a, literal: true}]"},

		{name: "required", gate: "required: [db.host]", eu: below, us: below},
		{name: "unique", gate: "unique: [{path: db.host}]", eu: below, us: below, findings: []string{"unique db.host: expected a value of its own in every cluster, found what cannot be read in Git: <from Secret s, key k> in eu, us"}},
		{name: "unique in one of them", gate: "unique: [{path: a}]\n  perCluster: [{path: $source.valuesFrom}, {path: $source.valuesFrom.**}]", eu: at, us: "values: {a: 2}", findings: []string{"unique a: expected a value of its own in every cluster, found what cannot be read in Git: <from Secret s, key k> in eu"}},
		{name: "skew", gate: "skew: [{path: a, versions: 2}]", eu: at, us: at, findings: []string{"skew a: expected at most 2 neighbouring versions (minor), found <from Secret s, key k> in eu, us, which cannot be read in Git"}},
		{name: "latest by tag", gate: "forbidden: [{what: latest}]", eu: tag, us: tag, findings: []string{"forbidden/latest image.tag: expected a tag that stays, found <from Secret s, key k>, which cannot be read in Git"}},
		{name: "unpinned by name", gate: "forbidden: [{what: unpinned}]", eu: name, us: name, findings: []string{"forbidden/unpinned image.tag: expected an image with its digest, found <from Secret s, key k>, which cannot be read"}},
		{name: "secrets", gate: "forbidden: [{what: secrets}]", eu: strings.Replace(at, "targetPath: a", "targetPath: password", 1), us: strings.Replace(at, "targetPath: a", "targetPath: password", 1)},
		{name: "schema", gate: "matches: [{schema: schema.json}]", eu: at, us: at, skipped: "matches: a is <from Secret s, key k>, which cannot be read in Git"},

		{name: "CEL finds it", gate: rule("has(new.db.host) && !has(new.db.port)"), eu: below, us: below},
		{name: "CEL does not miss it", gate: rule("!has(new.db)"), eu: below, us: below, findings: []string{"cel/r"}},
		{name: "CEL needs it", gate: rule("new.a == 1"), eu: at, us: at, fail: "evaluate expression: it needs <from Secret s, key k>, which cannot be read in Git"},
		{name: "CEL needs it not", gate: rule("new.a == 1 || true"), eu: at, us: at},
		{name: "CEL denies it", gate: rule("new.a != 1"), eu: at, us: at, fail: "it needs <from Secret s"},
		{name: "CEL compares maps", gate: rule("new.db != {\"host\": \"x\"}"), eu: below, us: below, fail: "it needs <from Secret s"},
		{name: "CEL compares clusters", gate: rule("clusters.eu == clusters.us"), eu: at, us: at, fail: "it needs <from Secret s"},
		{name: "CEL looks for an item", gate: rule("!(\"x\" in new.list)"), eu: strings.Replace(at, "targetPath: a", `targetPath: "list[0]"`, 1), us: strings.Replace(at, "targetPath: a", `targetPath: "list[0]"`, 1), fail: "it needs <from Secret s"},
		{name: "CEL looks for a key", gate: rule("\"a\" in new"), eu: at, us: at},
		{name: "CEL calls a function", gate: rule("!new.a.startsWith(\"x\")"), eu: at, us: at, fail: "it needs <from Secret s"},

		{name: "anything", eu: whole, us: whole + "\n  values: {a: 1}", skipped: "identical: Secret s, key k: SealedSecret: what it sets, where stronger values do not, is not known to any rule"},
		{name: "condition of a subchart", eu: on, us: on, fail: `sub.enabled: expected a boolean that switches subchart "sub", found <from Secret s, key k>`},
		{name: "tag of a subchart", eu: tags, us: tags, fail: `tags.t: expected a boolean that switches subchart "sub", found <from Secret s, key k>`},
		{name: "optional and there", eu: strings.Replace(at, "targetPath", "optional: true, targetPath", 1), us: strings.Replace(at, "targetPath", "optional: true, targetPath", 1)},
		{name: "optional and not known", eu: "valuesFrom: [{kind: Secret, name: s, valuesKey: z, optional: true, targetPath: a}]", us: at, fail: "eu.yaml:6:16: HelmRelease shop/shop: valuesFrom takes a from key z of Secret s if it is there, and that is not known here (SealedSecret)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for file, text := range map[string]string{
				"syncgate.yaml":               "apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec:\n  clustersFrom: [{files: [\"${cluster}.yaml\"]}]\n  " + tt.gate + "\n",
				"eu.yaml":                     released(tt.eu),
				"us.yaml":                     released(tt.us),
				"schema.json":                 `{"properties": {"a": {"type": "number"}}}`,
				"chart/Chart.yaml":            "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, condition: sub.enabled, tags: [t]}]\n",
				"chart/values.yaml":           "a: 1\nb: {c: 1}\nimage: {repository: r, tag: v1}\n",
				"chart/charts/sub/Chart.yaml": "{apiVersion: v2, name: sub, version: 1.0.0}",
			} {
				fsys[file] = &fstest.MapFile{Data: []byte(text)}
			}
			g, err := gate.Load(fsys, "syncgate.yaml")
			if err != nil {
				t.Fatal(err)
			}
			r, err := policies.Evaluate(t.Context(), fsys, g, policies.Options{})
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("got %v, %v; want %s", r, err, tt.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, f := range r.Findings {
				found = append(found, f.Rule+" "+f.Path+": "+f.Message)
			}
			for i, f := range found {
				if i >= len(tt.findings) || !strings.HasPrefix(f, tt.findings[i]) && !strings.HasPrefix(strings.Replace(f, " :", ":", 1), tt.findings[i]) {
					t.Errorf("got finding %s", f)
				}
			}
			if len(found) < len(tt.findings) {
				t.Errorf("got findings %q; want %q", found, tt.findings)
			}
			var skipped []string
			for _, s := range r.Skipped {
				skipped = append(skipped, s.Rule+": "+s.Reason)
			}
			if got := strings.Join(skipped, "\n"); got != tt.skipped {
				t.Errorf("got skipped %q; want %q", got, tt.skipped)
			}
		})
	}
}

// released is a HelmRelease of the chart, and a SealedSecret.
func released(spec string) string {
	return `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: shop}
spec:
  chart: {spec: {chart: ./chart, sourceRef: {kind: GitRepository, name: p}}}
  ` + spec + `
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: s, namespace: shop}
spec: {encryptedData: {k: AgB}}
`
}
