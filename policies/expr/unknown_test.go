package expr_test

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/expr"
)

// TestUnknown: an expression that needs what cannot be read fails, and no other
// does. CEL itself takes an error in a map or list for equal or for different.
func TestUnknown(t *testing.T) {
	const needs = "it needs <from Secret s, key k>, which cannot be read in Git"
	tests := map[string]any{
		`has(v.secret)`:                   true,
		`"secret" in v`:                   true,
		`size(v)`:                         int64(4),
		`v.plain == "x"`:                  true,
		`v.secret == "x" || true`:         true,
		`v.secret == "x" && false`:        false,
		`v.all(k, k != "")`:               true,
		`v.plain == "y" ? v.secret : "z"`: "z",
		`v.of == {"a": 1.0}`:              true,

		`v.secret == "x"`:                               needs,
		`v.secret != "x"`:                               needs,
		`"x" == v.secret`:                               needs,
		`v == v`:                                        needs,
		`v != {"secret": "x"}`:                          needs,
		`{"secret": "x"} == v`:                          needs,
		`v.list == ["x"]`:                               needs,
		`["x"] != v.list`:                               needs,
		`"x" in v.list`:                                 needs,
		`!("x" in v.list)`:                              needs,
		`v.list.exists(i, i == "x")`:                    needs,
		`v.secret + "x" == "y"`:                         needs,
		`v.secret.startsWith("x")`:                      needs,
		`"%s".format([v.list]) == "x"`:                  needs,
		`v.list.join() == "x"`:                          needs,
		`sets.contains(v.list, ["x"])`:                  needs,
		`v.list.distinct().size() == 1`:                 needs,
		`size(v.secret) > 3`:                            needs,
		`[v.secret][0] == "x"`:                          needs,
		`v.secret`:                                      needs,
		`v.map(k, v[k]).exists(x, x == "absent")`:       needs,
		`optional.of(v.secret).orValue("") == "x"`:      needs,
		`v[?"secret"].orValue("") == "x"`:               needs,
		`type(v.secret) == string`:                      needs,
		`v.?of == optional.of({"a": 1.0})`:              true,
		`optional.none() == v.?absent`:                  true,
		`optional.of(v) == optional.of({"a": "x"})`:     needs,
		`v.?list == optional.of(["x"])`:                 needs,
		`v[?"list"] != v[?"list"]`:                      needs,
		`[optional.of(v.list)] == [optional.of(["x"])]`: needs,
		`optional.of(v.list) in [optional.of(["x"])]`:   needs,
	}
	for src, want := range tests {
		t.Run(src, func(t *testing.T) {
			p, err := expr.Compile(src, "v")
			if err != nil {
				t.Fatal(err)
			}
			secret := expr.Unknown("<from Secret s, key k>")
			got, err := p.Eval(t.Context(), map[string]any{expr.HasUnknown: true, "v": map[string]any{
				"secret": secret, "list": []any{secret}, "plain": "x", "of": map[string]any{"a": 1.0},
			}})
			switch {
			case want == needs && (err == nil || !strings.Contains(err.Error(), needs)):
				t.Errorf("got %v, %v; want it to fail", got, err)
			case want != needs && (err != nil || got != want):
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
}
