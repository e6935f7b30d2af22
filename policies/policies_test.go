package policies_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// tree makes a file system of a text with "-- name --" lines before each file.
func tree(text string) fstest.MapFS {
	fsys := fstest.MapFS{}
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(strings.TrimSpace(n), " --")
			fsys[name] = &fstest.MapFile{}
			continue
		}
		fsys[name].Data = append(fsys[name].Data, line...)
	}
	return fsys
}

// header is a Gate of the clusters eu, us and ap with a values file each.
const header = `-- syncgate.yaml --
apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: app}
spec:
  clusters:
  - {name: eu, values: [common.yaml, eu.yaml]}
  - {name: us, values: [common.yaml, us.yaml]}
  - {name: ap, values: [common.yaml, ap.yaml]}
`

// fleet is a tree with the Gate's further fields and the values of clusters.
func fleet(spec, common, eu, us, ap string) fstest.MapFS {
	return tree(header + spec + "-- common.yaml --\n" + common + "-- eu.yaml --\n" + eu + "-- us.yaml --\n" + us + "-- ap.yaml --\n" + ap)
}

func validate(t *testing.T, fsys fstest.MapFS) ([]finding.Finding, error) {
	t.Helper()
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return policies.Validate(t.Context(), fsys, g, policies.Options{})
}

// brief writes findings as "rule path: message".
func brief(found []finding.Finding) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, strings.TrimSpace(f.Rule+" "+f.Path)+": "+f.Message)
	}
	return out
}

func TestValidate(t *testing.T) {
	const keys = "  listKeys:\n  - {path: \"**.env\", key: name}\n"
	tests := []struct {
		name, spec, common, eu, us, ap string
		want                           []string
	}{
		{name: "equal", common: "a: 1\n", eu: "b: x\n", us: "b: x\n", ap: "b: 'x'\n"},
		{name: "one is odd", eu: "image: {tag: 1.1.0}\n", us: "image: {tag: 1.0.0}\n", ap: "image: {tag: 1.1.0}\n",
			want: []string{`identical image.tag: expected the same value in all 3 clusters, found "1.1.0" in ap, eu, but "1.0.0" in us`}},
		{name: "no majority", eu: "a: 1\n", us: "a: 2\n", ap: "a: 3\n",
			want: []string{`identical a: expected the same value in all 3 clusters, found no majority: 1 in eu; 2 in us; 3 in ap`}},
		{name: "text is no number", eu: "a: '1'\n", us: "a: 1\n", ap: "a: 1\n",
			want: []string{`identical a: expected the same value in all 3 clusters, found 1 in ap, us, but "1" in eu`}},
		{name: "booleans of YAML 1.1", eu: "a: yes\n", us: "a: true\n", ap: "a: on\n"},
		{name: "missing", eu: "a: 1\n", us: "", ap: "a: 1\n",
			want: []string{`identical a: expected the same value in all 3 clusters, found 1 in ap, eu, but not set in us`}},
		{name: "only one has it", eu: "a: 1\n", us: "", ap: "",
			want: []string{`identical a: expected the same value in all 3 clusters, found not set in ap, us, but 1 in eu`}},
		{name: "null is a value", eu: "a: null\n", us: "a: 1\n", ap: "a: 1\n",
			want: []string{`identical a: expected the same value in all 3 clusters, found 1 in ap, us, but null in eu`}},
		{name: "missing map is one finding", eu: "m: {a: 1, b: {c: 2}}\n", us: "", ap: "m: {a: 1, b: {c: 2}}\n",
			want: []string{`identical m: expected the same value in all 3 clusters, found {"a":1,"b":{"c":2}} in ap, eu, but not set in us`}},
		{name: "map against scalar is one finding", eu: "m: {a: 1, b: 2}\n", us: "m: x\n", ap: "m: {a: 1, b: 2}\n",
			want: []string{`identical m: expected the same value in all 3 clusters, found {"a":1,"b":2} in ap, eu, but "x" in us`}},
		{name: "empty map against nothing", eu: "m: {}\n", us: "", ap: "m: {}\n",
			want: []string{`identical m: expected the same value in all 3 clusters, found {} in ap, eu, but not set in us`}},
		{name: "leaf of a map that is empty elsewhere", eu: "m: {}\n", us: "m: {a: 1}\n", ap: "m: {a: 1}\n",
			want: []string{`identical m.a: expected the same value in all 3 clusters, found 1 in ap, us, but not set in eu`}},
		{name: "list by position", eu: "l: [a, b]\n", us: "l: [a, c]\n", ap: "l: [a, b]\n",
			want: []string{`identical l[1]: expected the same value in all 3 clusters, found "b" in ap, eu, but "c" in us`}},
		{name: "longer list is one finding", eu: "l: [a, b]\n", us: "l: [x, a, b]\n", ap: "l: [a, b]\n",
			want: []string{`identical l: expected the same value in all 3 clusters, found ["a","b"] in ap, eu, but ["x","a","b"] in us`}},
		{name: "list by key, order means nothing", spec: keys,
			eu: "env:\n- {name: A, value: 1}\n- {name: B, value: 2}\n", us: "env:\n- {name: B, value: 2}\n- {name: A, value: 1}\n",
			ap:   "env:\n- {name: A, value: 1}\n- {name: B, value: 3}\n",
			want: []string{`identical env[name=B].value: expected the same value in all 3 clusters, found 2 in eu, us, but 3 in ap`}},
		{name: "item missing", spec: keys, eu: "env:\n- {name: A, value: 1}\n", us: "env: []\n", ap: "env:\n- {name: A, value: 1}\n",
			want: []string{`identical env[name=A]: expected the same value in all 3 clusters, found {"name":"A","value":1} in ap, eu, but not set in us`}},
		{name: "item twice and item without key", spec: keys, eu: "env:\n- {name: A}\n- {name: A}\n", us: "env:\n- {name: A}\n- {value: 1}\n", ap: "env:\n- {name: A}\n",
			want: []string{
				`listKeys env: expected items that name tells apart, found in eu that two items have the same name`,
				`listKeys env: expected items that name tells apart, found in us that an item has no field name that is a text, a number or a boolean`,
			}},
		{name: "per cluster", spec: "  perCluster:\n  - path: ingress.*\n", eu: "ingress: {host: a}\n", us: "ingress: {host: b}\n", ap: ""},
		{name: "per cluster does not reach below", spec: "  perCluster:\n  - path: ingress\n", eu: "ingress: {host: a}\n", us: "ingress: {host: b}\n", ap: "ingress: {host: b}\n",
			want: []string{`identical ingress.host: expected the same value in all 3 clusters, found "b" in ap, us, but "a" in eu`}},
		{name: "per cluster by item", spec: keys + "  perCluster:\n  - path: env[name=URL].value\n",
			eu: "env:\n- {name: URL, value: a}\n", us: "env:\n- {name: URL, value: b}\n", ap: "env:\n- {name: URL, value: b}\n"},
		{name: "per cluster items of a list", spec: "  perCluster:\n  - path: hosts[*]\n", eu: "hosts: [a]\n", us: "hosts: [b, c]\n", ap: "hosts: []\n"},
		{name: "kind may differ, what is in it may not", spec: "  perCluster:\n  - path: m\n", eu: "m: x\n", us: "m: {a: 1}\n", ap: "m: {a: 2}\n",
			want: []string{`identical m.a: expected the same value in all 2 clusters, found no majority: 1 in us; 2 in ap`}},
		{name: "map missing where its strict leaf is", spec: "  perCluster:\n  - path: m.host\n", eu: "m: {host: a, num: 1}\n", us: "", ap: "m: {host: b, num: 1}\n",
			want: []string{`identical m: expected the same value in all 3 clusters, found {"host":…,"num":1} in ap, eu, but not set in us`}},
		{name: "required", spec: "  perCluster:\n  - path: \"**\"\n  required: [a.b, c, l]\n",
			eu: "a: {b: 1}\nc: ''\nl: [1]\n", us: "a: {}\nc: x\nl: []\n", ap: "a: {b: false}\nc: x\nl: [0]\n",
			want: []string{
				"required a.b: expected a value in every cluster, found not set in us",
				"required c: expected a value in every cluster, found \"\" in eu",
				"required l: expected a value in every cluster, found [] in us",
			}},
		{name: "required, and each has something else", spec: "  perCluster: [{path: \"**\"}]\n  listKeys: [{path: e, key: name}]\n  required: [a, \"d[0]\", e]\n",
			eu: "a: ''\nd: [null]\ne: []\n", us: "a: {}\nd: [{}]\ne: [{name: x}]\n", ap: "a: []\nd: [1]\ne: [{name: x}]\n",
			want: []string{
				`required a: expected a value in every cluster, found "" in eu; [] in ap; {} in us`,
				`required d[0]: expected a value in every cluster, found null in eu; {} in us`,
				`required e: expected a value in every cluster, found [] in eu`,
			}},
		{name: "rules", spec: `  perCluster:
  - path: "**"
  rules:
  - {name: holds, expr: "clusters.size() == 3"}
  - {name: broken, expr: "clusters.all(c, clusters[c].num > 1)", message: raise n}
  - {name: says, expr: "clusters.filter(c, clusters[c].num < 2).map(c, c + ' has n ' + string(clusters[c].num))"}
  - {name: silent, expr: "''"}
`, eu: "num: 1\n", us: "num: 2\n", ap: "num: 1\n",
			want: []string{
				"cel/broken: expected rule cel/broken to hold, found that it does not",
				"cel/says: ap has n 1", "cel/says: eu has n 1",
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := validate(t, fleet(tt.spec, tt.common, tt.eu, tt.us, tt.ap))
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, brief(found)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range found {
				if f.Fix == "" || f.GateFile != "syncgate.yaml" || f.Gate != "app" || strings.Contains(f.Message+f.Fix, "\n") {
					t.Errorf("not whole: %+v", f)
				}
			}
		})
	}
}

func TestFindingSaysEveryPlace(t *testing.T) {
	found, err := validate(t, fleet("  perCluster:\n  - path: image\n", "image:\n  tag: 1.1.0\n", "", "image:\n    tag: 1.0.0\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := []finding.Finding{{
		Gate: "app", GateFile: "syncgate.yaml", Rule: "identical", Path: "image.tag",
		Message: `expected the same value in all 3 clusters, found "1.1.0" in ap, eu, but "1.0.0" in us`,
		Fix: `set us (us.yaml:2:10) to "1.1.0"; or, if it may differ, add image.tag to spec.perCluster in syncgate.yaml` +
			` (its entry image covers that path alone, image.** would cover what is below)`,
		Holdings: []finding.Holding{
			{Value: `"1.1.0"`, Places: []finding.Place{
				{Cluster: "eu", Position: finding.Position{File: "common.yaml", Line: 2, Column: 8}},
				{Cluster: "ap", Position: finding.Position{File: "common.yaml", Line: 2, Column: 8}},
			}},
			{Value: `"1.0.0"`, Places: []finding.Place{{Cluster: "us", Position: finding.Position{File: "us.yaml", Line: 2, Column: 10}}}},
		},
	}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoSecretLeaves(t *testing.T) {
	const hidden = "hunter2"
	spec := "  listKeys:\n  - {path: env, key: name}\n  rules:\n" +
		"  - {name: leaks, expr: \"clusters.map(c, c + ' has ' + clusters[c].db.password + ' and ' + string(clusters[c].pin))\"}\n"
	values := func(s string) string {
		return fmt.Sprintf(`db: {password: %[1]s, url: "postgres://u:%[1]s@h/db", existingSecret: ref%[2]d, map: {secretToken: {inner: %[1]s}}}
env:
- {name: MM_SQLSETTINGS_DATASOURCE, value: %[1]s}
list:
- {name: API_KEY, value: %[1]s}
pin: 4711%[2]d
dsn: "u:%[1]s@tcp(h)/db"
whole: {apiToken: %[1]s}
`, s, len(s))
	}
	found, err := validate(t, fleet(spec, "", values(hidden), values(hidden+"x"), values(hidden)))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", found)
	for _, s := range []string{hidden, "47117"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in the findings:\n%s", s, strings.Join(brief(found), "\n"))
		}
	}
	if !strings.Contains(text, `"ref7"`) {
		t.Error("the name of a Secret is no secret, and is not shown")
	}
	if n := len(found); n != 9+3 {
		t.Errorf("found %d, want 9 differences and 3 complaints of the rule:\n%s", n, strings.Join(brief(found), "\n"))
	}
}

func TestValidateErrors(t *testing.T) {
	base := func() fstest.MapFS { return fleet("", "a: 1\n", "b: 1\n", "b: 1\n", "b: 1\n") }
	change := func(name, text string) fstest.MapFS {
		fsys := base()
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
		return fsys
	}
	missing := base()
	delete(missing, "us.yaml")
	deep := strings.Repeat("{a: ", 200) + "1" + strings.Repeat("}", 200)
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat("*"+string(c-1)+", ", 9)+"*"+string(c-1))
	}
	tests := []struct {
		name string
		fsys fstest.MapFS
		want []string
	}{
		{"missing file", missing, []string{"cluster us", "us.yaml: no such file", "correct its path"}},
		{"malformed", change("us.yaml", "a: [1\n"), []string{"cluster us", "us.yaml:", "malformed YAML"}},
		{"shared file is told once", change("common.yaml", "a: [1\n"), []string{"clusters eu, us, ap", "common.yaml:"}},
		{"duplicate key", change("us.yaml", "b: 1\nc:\n  d: 1\n  d: 2\n"), []string{"us.yaml:4:3: c.d", "there twice, first at line 3"}},
		{"not a map", change("us.yaml", "- b\n"), []string{"us.yaml:1:1", "expected a map of values, found a list"}},
		{"two documents", change("us.yaml", "b: 1\n---\nb: 2\n"), []string{"us.yaml:2:1", "one YAML document"}},
		{"too deep", change("us.yaml", "x: "+deep+"\n"), []string{"us.yaml", "limit depth=100"}},
		{"aliases that explode", change("us.yaml", bomb), []string{"us.yaml", "limit aliases=100000"}},
		{"too large", change("us.yaml", "#"+strings.Repeat("x", 4<<20)), []string{"us.yaml", "limit fileSize=4194304"}},
		{"key too long", change("us.yaml", "? "+strings.Repeat("k", 1025)+"\n: 1\n"), []string{"us.yaml:1:3", "limit keyLength=1024"}},
		{"not a number", change("us.yaml", "b: .nan\n"), []string{"us.yaml:1:4: b", "not a number"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := validate(t, tt.fsys)
			if err == nil {
				t.Fatalf("no error, %d findings", len(found))
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q; want %q in it", err, w)
				}
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("error of more than one line: %q", err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		fsys := base()
		g, err := gate.Load(fsys, "syncgate.yaml")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := policies.Validate(ctx, fsys, g, policies.Options{}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("rule costs too much", func(t *testing.T) {
		spec := "  rules:\n  - {name: huge, expr: \"lists.range(3000).all(a, lists.range(3000).all(b, a + b >= 0))\"}\n"
		_, err := validate(t, fleet(spec, "", "", "", ""))
		if err == nil || !strings.Contains(err.Error(), "cel/huge") || !strings.Contains(err.Error(), "limit cost=") {
			t.Errorf("error %v; want the rule and the limit", err)
		}
	})
}

func TestSymlinkThatLeavesIsRefused(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "repo")
	if err := os.CopyFS(root, fleet("", "", "a: 1\n", "a: 1\n", "a: 1\n")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "out.yaml"), []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "us.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../out.yaml", filepath.Join(root, "us.yaml")); err != nil {
		t.Fatal(err)
	}
	fsys := os.DirFS(root)
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Validate(t.Context(), fsys, g, policies.Options{}); err == nil || !strings.Contains(err.Error(), "leaves the repository") {
		t.Errorf("error %v", err)
	}
}

func TestClusterValues(t *testing.T) {
	fsys := tree(`-- apps/syncgate.yaml --
apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: app}
spec:
  source: {helm: {chart: ../chart}}
  clusters:
  - {name: eu, values: [common.yaml, eu.yaml]}
-- chart/Chart.yaml --
apiVersion: v2
name: app
version: 1.0.0
-- chart/values.yaml --
image: {repository: r, tag: "1"}
gone: {a: 1}
kept: true
-- apps/common.yaml --
image: {tag: "2"}
-- apps/eu.yaml --
gone: null
replicas: 2
`)
	g, err := gate.Load(fsys, "apps/syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := policies.ClusterValues(t.Context(), fsys, g, "eu", policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := policies.Values{
		Merged: map[string]any{"image": map[string]any{"repository": "r", "tag": "2"}, "kept": true, "replicas": 2.0},
		User:   map[string]any{"image": map[string]any{"tag": "2"}, "gone": nil, "replicas": 2.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := policies.ClusterValues(t.Context(), fsys, g, "nope", policies.Options{}); err == nil || !strings.Contains(err.Error(), "eu") {
		t.Errorf("error %v; want the clusters there are", err)
	}
}

// randomValues makes values with keyed and plain lists in them.
func randomValues(r *rand.Rand, depth int) map[string]any {
	m := map[string]any{}
	for i := range 1 + r.IntN(4) {
		key := fmt.Sprintf("k%d", i)
		switch n := r.IntN(7); {
		case depth > 0 && n < 2:
			m[key] = randomValues(r, depth-1)
		case depth > 0 && n == 2:
			m[key] = []any{r.IntN(9), randomValues(r, depth-1)}
		case depth > 0 && n == 3:
			m["env"] = []any{map[string]any{"name": "A", "value": r.IntN(9)}, map[string]any{"name": "B", "value": r.IntN(9)}}
		case n == 4:
			m[key] = nil
		case n == 5:
			m[key] = map[string]any{}
		default:
			m[key] = r.IntN(9)
		}
	}
	return m
}

// leaves lists setters of every leaf that is not an item's name.
func leaves(m map[string]any) []func(any) {
	var out []func(any)
	var visit func(v any, set func(any))
	visit = func(v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				out = append(out, set)
			}
			for k := range v {
				if k != "name" {
					visit(v[k], func(n any) { v[k] = n })
				}
			}
		case []any:
			for i := range v {
				visit(v[i], func(n any) { v[i] = n })
			}
		default:
			out = append(out, set)
		}
	}
	visit(m, nil)
	return out
}

func dump(t *testing.T, v any) string {
	t.Helper()
	data, err := yaml.Dump(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestProperties holds for random values: equal clusters yield no finding, one
// changed leaf exactly one, and the order of clusters changes nothing.
func TestProperties(t *testing.T) {
	const spec = "  listKeys:\n  - {path: \"**.env\", key: name}\n"
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for range 300 {
		v := randomValues(r, 3)
		same := dump(t, v)
		found, err := validate(t, fleet(spec, "", same, same, same))
		if err != nil || len(found) != 0 {
			t.Fatalf("equal clusters: %v, %v\n%s", brief(found), err, same)
		}
		all := leaves(v)
		all[r.IntN(len(all))]([]any{"changed", map[string]any{"c": 100}, 100}[r.IntN(3)])
		odd := dump(t, v)
		found, err = validate(t, fleet(spec, "", same, odd, same))
		if err != nil || len(found) != 1 {
			t.Fatalf("one changed leaf: %q, %v\n%s---\n%s", brief(found), err, same, odd)
		}
		other := dump(t, randomValues(r, 3))
		a, errA := validate(t, fleet(spec, "", same, odd, other))
		reordered := fleet(spec, "", same, odd, other)
		text := string(reordered["syncgate.yaml"].Data)
		lines := strings.SplitAfter(text, "\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "name: eu") })
		lines[i], lines[i+2] = lines[i+2], lines[i]
		reordered["syncgate.yaml"].Data = []byte(strings.Join(lines, ""))
		b, errB := validate(t, reordered)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if diff := cmp.Diff(sortPlaces(a), sortPlaces(b)); diff != "" {
			t.Fatalf("another order of clusters:\n%s", diff)
		}
	}
}

func sortPlaces(found []finding.Finding) []finding.Finding {
	for _, f := range found {
		for _, h := range f.Holdings {
			slices.SortFunc(h.Places, func(a, b finding.Place) int { return strings.Compare(a.Cluster, b.Cluster) })
		}
	}
	return found
}

func TestFindingsAreBounded(t *testing.T) {
	var eu, us strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&eu, "k%d: 1\n", i)
		fmt.Fprintf(&us, "k%d: 2\n", i)
	}
	found, err := validate(t, fleet("", "", eu.String(), us.String(), eu.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1001 || !strings.Contains(found[1000].Message, "limit findings=1000") || !strings.Contains(found[1000].Message, "2000 more") {
		t.Errorf("%d findings, the last %q", len(found), found[len(found)-1].Message)
	}
}

func TestLeavesAreBounded(t *testing.T) {
	fsys := fleet("", "", "a: 1\nb: 2\n", "a: 1\nb: 2\n", "a: 1\nb: 2\n")
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.Validate(t.Context(), fsys, g, policies.Options{Limits: values.Limits{Leaves: 2}})
	if err == nil || !strings.Contains(err.Error(), "limit leaves=2") {
		t.Errorf("error %v", err)
	}
}
