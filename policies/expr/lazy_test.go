package expr_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/expr"
)

// TestLazy holds that a lazy map answers as an ordinary one does.
func TestLazy(t *testing.T) {
	plain := map[string]any{
		"eu": map[string]any{"tag": "1.2.3", "n": 1.0, "list": []any{"a"}},
		"us": map[string]any{"tag": "1.2.3", "n": 2.0},
	}
	lazy := expr.Lazy([]string{"eu", "us"}, func(key string) map[string]any { return plain[key].(map[string]any) })
	env, err := expr.NewEnv("clusters", "other")
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{
		"clusters.all(c, clusters[c].n > 0)", "clusters.exists(c, clusters[c].n > 1)", "clusters.map(c, c + clusters[c].tag).size()",
		"clusters.eu.tag", `clusters["us"].n`, "clusters.none.tag", `clusters["none"]`, "clusters[1]", "has(clusters.eu)", "has(clusters.none)",
		"has(clusters.eu.list)", `"eu" in clusters`, `"none" in clusters`, "1 in clusters", "size(clusters)", "clusters.?eu.?tag.orValue('x')",
		"clusters.?none.?tag.orValue('x')", "clusters == other", "other == clusters", "clusters == clusters", "clusters != other",
		"type(clusters) == map", "string(clusters)", "clusters", `{"x": clusters}`, "clusters.filter(c, clusters[c].n == 2)",
		"clusters.all(a, clusters.all(b, clusters[a].tag == clusters[b].tag))", "[clusters].exists(m, m.eu.n == 1)", "clusters.exists_one(c, c == 'eu')",
		"[clusters, other][0] == [clusters, other][1]", "clusters + clusters", "clusters.eu == other.eu", "true ? clusters.eu.list[0] : ''",
	} {
		p, err := env.Compile(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		want, wantErr := p.Eval(t.Context(), map[string]any{"clusters": plain, "other": plain})
		got, gotErr := p.Eval(t.Context(), map[string]any{"clusters": lazy, "other": plain})
		if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
			t.Errorf("%s: error %v, want %v", src, gotErr, wantErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-ordinary +lazy):\n%s", src, diff)
		}
	}
}
