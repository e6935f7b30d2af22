package policies_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// everyRule is a Gate's rules of every kind, over the values of randomValues.
const everyRule = `  packs: [mattermost]
  listKeys: [{path: "**.env", key: name}]
  required: [k0]
  unique: [{path: k0}]
  skew: [{path: k1}]
  forbidden: [{what: secrets}, {what: latest}, {what: unpinned}]
  matches: [{schema: schema.json}]
  waivers: [{rule: required, path: k0, reason: x, until: "2026-12-31"}]
  rules:
  - {name: each, expr: "has(new.k2) ? cluster + ' has k2' : ''"}
  - {name: all, expr: "clusters.size() == 3"}
  - {name: moved, expr: "new == old"}
`

// shuffled is the tree with the clusters of its Gate in another order.
func shuffled(r *rand.Rand, fsys fstest.MapFS) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range fsys {
		out[name] = f
	}
	lines := strings.SplitAfter(string(fsys["syncgate.yaml"].Data), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "name: eu") })
	r.Shuffle(3, func(i, j int) { lines[at+i], lines[at+j] = lines[at+j], lines[at+i] })
	out["syncgate.yaml"] = &fstest.MapFile{Data: []byte(strings.Join(lines, ""))}
	return out
}

func evaluate(t *testing.T, fsys, base fs.FS, workers int) policies.Result {
	t.Helper()
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	opts := policies.Options{Workers: workers}
	if base != nil {
		if opts.Baseline, err = policies.BaselineIn(t.Context(), base, "before", g); err != nil {
			t.Fatal(err)
		}
	}
	r, err := policies.Evaluate(t.Context(), fsys, g, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPropertiesOfEveryRule holds, for random values and rules of every kind:
// neither the order of the clusters nor the number of workers changes what is
// found, and values that stay what they were break no rule over a change.
func TestPropertiesOfEveryRule(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	random := func() string {
		v := randomValues(r, 2)
		v["image"] = map[string]any{"repository": "x/mattermost-team-edition", "tag": fmt.Sprintf("%d.%d.0", 9+r.IntN(3), r.IntN(12))}
		if r.IntN(4) == 0 {
			v["token"] = "t" + fmt.Sprint(r.IntN(3))
		}
		return dump(t, v)
	}
	for range 60 {
		fsys := fleet(everyRule, "", random(), random(), random())
		fsys["schema.json"] = &fstest.MapFile{Data: []byte(`{"properties": {"k0": {"type": "integer"}, "k1": {"maximum": 5}}}`)}
		base := fleet("", "", random(), random(), random())
		before := evaluate(t, fsys, base, 1)
		after := evaluate(t, shuffled(r, fsys), base, 1+r.IntN(4))
		for _, res := range []*policies.Result{&before, &after} {
			sortPlaces(res.Findings)
			for i := range res.Skipped {
				slices.Sort(res.Skipped[i].Clusters)
			}
			for i := range res.Waived {
				res.Waived[i].Finding.Holdings = nil
			}
		}
		if diff := cmp.Diff(before.Findings, after.Findings); diff != "" {
			t.Fatalf("another order of clusters:\n%s", diff)
		}
		if len(before.Skipped) != len(after.Skipped) || len(before.Waived) != len(after.Waived) {
			t.Fatalf("another order of clusters: skipped %+v, %+v", before.Skipped, after.Skipped)
		}
		for _, f := range evaluate(t, fsys, fsys, 2).Findings {
			if f.Rule == "cel/moved" || strings.HasPrefix(f.Rule, "mattermost/") && slices.ContainsFunc(changesOf(t), func(n string) bool { return f.Rule == "mattermost/"+n }) {
				t.Fatalf("nothing has changed: %+v", f)
			}
		}
	}
}
