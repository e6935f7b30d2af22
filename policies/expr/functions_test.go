package expr_test

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/expr"
)

func TestVersionsAndQuantities(t *testing.T) {
	in := map[string]any{"x": map[string]any{"tag": "11.7.4@sha256:ab", "mem": "512Mi", "bad": "latest"}}
	for src, want := range map[string]any{
		`semver(x.tag).isGreaterThan(semver("11.7.3"))`:                   true,
		`semver(x.tag).isLessThan(semver("11.7.4"))`:                      false,
		`semver(x.tag) == semver("v11.7.4")`:                              true,
		`semver(x.tag) != semver("11.7.5")`:                               true,
		`semver("1.2.3").compareTo(semver("1.3"))`:                        int64(-1),
		`[semver(x.tag).major(), semver(x.tag).minor()] == [11, 7]`:       true,
		`semver(x.tag).patch()`:                                           int64(4),
		`isSemver(x.bad)`:                                                 false,
		`isSemver(x.tag)`:                                                 true,
		`quantity(x.mem).isLessThan(quantity("1Gi"))`:                     true,
		`quantity("1Gi") == quantity("1024Mi")`:                           true,
		`quantity("1500m").asApproximateFloat()`:                          1.5,
		`isQuantity("12 apples")`:                                         false,
		`quantity("2").compareTo(quantity("1"))`:                          int64(1),
		`type(semver("1.0.0")) == type(quantity("1"))`:                    false,
		`dyn(semver("1.0.0")) == dyn(quantity("1"))`:                      false,
		`[x.tag, "1.0.0"].all(v, semver(v).isGreaterThan(semver("0.9")))`: true,
	} {
		p, err := expr.Compile(src, "x")
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := p.Eval(t.Context(), in); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", src, got, err, want)
		}
	}
	for _, src := range []string{`semver(x.bad).major()`, `quantity(x.bad).compareTo(quantity("1"))`} {
		p, err := expr.Compile(src, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Eval(t.Context(), in); err == nil || strings.Contains(err.Error(), "latest") {
			t.Errorf("%s: want an error without the value, got %v", src, err)
		}
	}
	if _, err := expr.Compile(`semver("1").isLessThan(quantity("1"))`); err == nil {
		t.Error("a version is compared with a quantity")
	}
}

func TestUses(t *testing.T) {
	p, err := expr.Compile(`clusters.all(c, has(clusters[c].old)) && old.tag == new.tag`, "clusters", "old", "new", "gate")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"clusters": true, "old": true, "new": true, "gate": false} {
		if p.Uses(name) != want {
			t.Errorf("%s: got %t", name, !want)
		}
	}
	p, err = expr.Compile(`clusters.all(c, has(clusters[c].old))`, "clusters", "old")
	if err != nil || p.Uses("old") {
		t.Errorf("a field of that name counts as the variable: %v", err)
	}
}
