package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/provenance"
)

func explain(t *testing.T, fsys fstest.MapFS, key string) provenance.Explanation {
	t.Helper()
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	glob, err := keypath.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policies.Explain(t.Context(), fsys, g, glob, policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// chains writes an Explanation down: a line a chain, a line a step.
func chains(e provenance.Explanation) string {
	var b strings.Builder
	for _, p := range e.Paths {
		for _, c := range p.Chains {
			held := c.Value
			if c.Missing {
				held = "not set"
			}
			fmt.Fprintf(&b, "%s in %s: %s\n", p.Path, strings.Join(c.Clusters, ","), held)
			for _, s := range c.Steps {
				var at []string
				for _, p := range s.Places {
					at = append(at, p.Position.String())
				}
				fmt.Fprintf(&b, "  %s%s%s %s %s %s\n", s.Layer, prefix(" ", s.Subchart), prefix(" above ", s.Above),
					s.Value, s.Outcome, strings.Join(at, " "))
			}
		}
		if len(p.Unset) > 0 {
			fmt.Fprintf(&b, "%s unset in %s\n", p.Path, strings.Join(p.Unset, ","))
		}
	}
	return b.String()
}

func prefix(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// chartFleet is a chart with a subchart and two clusters that share a file.
func chartFleet(common, eu, us string) fstest.MapFS {
	return tree(`-- syncgate.yaml --
apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: app}
spec:
  source: {helm: {chart: chart}}
  listKeys:
  - {path: env, key: name}
  clusters:
  - {name: eu, values: [common.yaml, eu.yaml]}
  - {name: us, values: [common.yaml, us.yaml]}
-- chart/Chart.yaml --
apiVersion: v2
name: app
version: 1.0.0
dependencies:
- {name: db, version: 1.0.0, condition: db.enabled, import-values: [{child: shared, parent: imported}]}
-- chart/values.yaml --
tag: "1"
limits: {cpu: 1, memory: 2}
global: {region: none}
env:
- {name: A, value: chart}
db:
  port: 1
-- chart/charts/db/Chart.yaml --
apiVersion: v2
name: db
version: 1.0.0
-- chart/charts/db/values.yaml --
port: 5432
host: localhost
shared:
  size: 7
-- common.yaml --
` + common + "-- eu.yaml --\n" + eu + "-- us.yaml --\n" + us)
}

func TestExplain(t *testing.T) {
	tests := []struct {
		name, key, common, eu, us, want string
	}{
		{"a file wins over the chart", "tag", "tag: \"2\"\n", "tag: \"3\"\n", "a: 1\n", `tag in eu: "3"
  chart default "1" overridden chart/values.yaml:1:6
  values file "2" overridden common.yaml:1:6
  values file "3" won eu.yaml:1:6
tag in us: "2"
  chart default "1" overridden chart/values.yaml:1:6
  values file "2" won common.yaml:1:6
`},
		{"one chain, two files", "tag", "a: 1\n", "tag: x\n", "b: 1\ntag: x\n", `tag in eu,us: "x"
  chart default "1" overridden chart/values.yaml:1:6 chart/values.yaml:1:6
  values file "x" won eu.yaml:1:6 us.yaml:2:6
`},
		{"the same value set again", "tag", "tag: x\n", "tag: x\n", "a: 1\n", `tag in eu: "x"
  chart default "1" overridden chart/values.yaml:1:6
  values file "x" overridden common.yaml:1:6
  values file "x" won eu.yaml:1:6
tag in us: "x"
  chart default "1" overridden chart/values.yaml:1:6
  values file "x" won common.yaml:1:6
`},
		{"null takes a default away", "tag", "a: 1\n", "tag: null\n", "a: 1\n", `tag in eu: not set
  chart default "1" overridden chart/values.yaml:1:6
  values file null removes eu.yaml:1:6
tag in us: "1"
  chart default "1" won chart/values.yaml:1:6
`},
		{"null above takes a default away", "limits.cpu", "limits: null\n", "a: 1\n", "limits: {cpu: 3}\n", `limits.cpu in eu: not set
  chart default 1 overridden chart/values.yaml:2:15
  values file above limits null removes common.yaml:1:9
limits.cpu in us: 3
  chart default 1 overridden chart/values.yaml:2:15
  values file above limits null overridden common.yaml:1:9
  values file 3 won us.yaml:1:15
`},
		{"a map is merged", "limits", "limits: {cpu: 3}\n", "a: 1\n", "limits: {gpu: 1}\n", `limits in eu: {"cpu":3,"memory":2}
  chart default {"cpu":1,"memory":2} merged chart/values.yaml:2:1
  values file {"cpu":3} merged common.yaml:1:1
limits in us: {"cpu":3,"gpu":1,"memory":2}
  chart default {"cpu":1,"memory":2} merged chart/values.yaml:2:1
  values file {"cpu":3} merged common.yaml:1:1
  values file {"gpu":1} merged us.yaml:1:1
`},
		{"a list is replaced as a whole", "env[name=A].value", "a: 1\n", "env:\n- {name: B, value: b}\n", "env:\n- {name: A, value: us}\n", `env[name=A].value in eu: not set
  chart default "chart" overridden chart/values.yaml:5:20
  values file above env [1 items] removes eu.yaml:1:1
env[name=A].value in us: "us"
  chart default "chart" overridden chart/values.yaml:5:20
  values file "us" won us.yaml:2:20
`},
		{"subchart, chart, file", "db.port", "a: 1\n", "db: {port: 2}\n", "a: 1\n", `db.port in eu: 2
  subchart default db 5432 overridden chart/charts/db/values.yaml:1:7
  chart default 1 overridden chart/values.yaml:7:9
  values file 2 won eu.yaml:1:12
db.port in us: 1
  subchart default db 5432 overridden chart/charts/db/values.yaml:1:7
  chart default 1 won chart/values.yaml:7:9
`},
		{"a subchart that is switched off", "db.host", "a: 1\n", "db: {enabled: false}\n", "a: 1\n", `db.host in us: "localhost"
  subchart default db "localhost" won chart/charts/db/values.yaml:2:7
db.host unset in eu
`},
		{"a global is handed down", "db.global.region", "a: 1\n", "global: {region: eu}\n", "a: 1\n", `db.global.region in eu: "eu"
  handed on "eu" won eu.yaml:1:18
db.global.region in us: "none"
  handed on "none" won chart/values.yaml:3:18
`},
		{"a value is imported", "imported.size", "a: 1\n", "imported: {size: 8}\n", "a: 1\n", `imported.size in eu: 8
  values file 8 won eu.yaml:1:18
imported.size in us: 7
  handed on 7 won chart/charts/db/values.yaml:4:9
`},
		{"secrets of one text in the answer stay apart", "password", "a: 1\n", "password: one\n", "password: two\n", `password in eu: <redacted>
  values file <redacted> won eu.yaml:1:11
password in us: <redacted>
  values file <redacted> won us.yaml:1:11
`},
		{"one layer names the secret of another", "x.value", "x: {name: DB_PASSWORD}\n", "x: {value: hunter2}\n", "x: {value: hunter2}\n", `x.value in eu,us: <redacted>
  values file <redacted> won eu.yaml:1:12 us.yaml:1:12
`},
		{"a secret that was overridden", "url", "url: postgres://u:hunter2@h/d\n", "url: plain\n", "url: plain\n", `url in eu,us: "plain"
  values file <redacted> overridden common.yaml:1:6 common.yaml:1:6
  values file "plain" won eu.yaml:1:6 us.yaml:1:6
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := chains(explain(t, chartFleet(tt.common, tt.eu, tt.us), tt.key))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestExplainTellsWhatIsMerged holds the answer for every key path against the
// values as Helm merges them: no leaf may lack a layer that won.
func TestExplainTellsWhatIsMerged(t *testing.T) {
	fsys := chartFleet("limits: {cpu: 5}\nglobal: {deep: {a: 1}}\n", "db: {x: {y: 1}, global: {deep: {b: 2}}}\nlimits: null\n", "env: []\ntag: null\n")
	for _, p := range explain(t, fsys, "**").Paths {
		for _, c := range p.Chains {
			decided := 0
			for _, s := range c.Steps {
				if s.Outcome != provenance.Overridden {
					decided++
				}
				if len(s.Places) != len(c.Clusters) {
					t.Errorf("%s: %d places for %d clusters", p.Path, len(s.Places), len(c.Clusters))
				}
				if s.Outcome == provenance.Won && s.Value != c.Value {
					t.Errorf("%s: %s won, but the value is %s", p.Path, s.Value, c.Value)
				}
			}
			if decided == 0 {
				t.Errorf("%s in %v: no layer decides: %+v", p.Path, c.Clusters, c.Steps)
			}
		}
	}
}

func TestExplainSuggests(t *testing.T) {
	fsys := chartFleet("limits: {cpu: 5}\n", "a: 1\n", "a: 1\n")
	for key, want := range map[string][]string{
		"cpu":         {"limits.cpu"},
		"limit.cpu":   {"limits.cpu"},
		"LIMITS.CPU":  {"limits.cpu"},
		"unheardof.x": nil,
	} {
		e := explain(t, fsys, key)
		if e.Found() {
			t.Fatalf("%s is found", key)
		}
		if diff := cmp.Diff(want, e.Nearest); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// TestExplainIsBounded asks for more key paths than are told; those that are
// told are told of every cluster.
func TestExplainIsBounded(t *testing.T) {
	var eu, us strings.Builder
	for i := range 200 {
		fmt.Fprintf(&eu, "e%03d: 1\n", i)
		fmt.Fprintf(&us, "e%03d: 1\nd%03d: 2\n", i, i)
	}
	e := explain(t, chartFleet("a: 1\n", eu.String(), us.String()), "*")
	if len(e.Paths) != 64 || e.More < 300 {
		t.Fatalf("%d paths and %d more", len(e.Paths), e.More)
	}
	for _, p := range e.Paths {
		told := len(p.Unset)
		for _, c := range p.Chains {
			told += len(c.Clusters)
		}
		if told != 2 || strings.HasPrefix(p.Path, "d0") != (len(p.Unset) == 1) {
			t.Errorf("%s: %d clusters told, unset in %v", p.Path, told, p.Unset)
		}
	}
}
