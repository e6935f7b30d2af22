package policies_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// TestBaselineOfRenamed asks a rule over a change of Gates and clusters that have
// other names than before: at least one of the clusters goes down a version.
func TestBaselineOfRenamed(t *testing.T) {
	const (
		head = "apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: %s}\nspec:\n" +
			"  rules: [{name: up, expr: 'old.v <= new.v'}]\n  perCluster: [{path: v}]\n  clusters: [%s]\n"
		eu, us = "{name: eu, values: [eu.yaml]}", "{name: us, values: [us.yaml]}"
		files  = "-- eu.yaml --\nv: %d\n-- us.yaml --\nv: %d\n-- a.yaml --\nv: 1\n-- b.yaml --\nv: 4\n"
	)
	text := func(name, clusters string, v ...any) string {
		return "-- syncgate.yaml --\n" + fmt.Sprintf(head, name, clusters) + fmt.Sprintf(files, v...)
	}
	base := text("app", eu+", "+us, 3, 3)
	tests := []struct {
		name, base, head string
		want             []string
	}{
		{"nothing is renamed", base, text("app", eu+", "+us, 2, 4), []string{"cel/up in eu"}},
		{"the Gate is", base, text("other", eu+", "+us, 2, 4), []string{"cel/up in eu"}},
		{"one of that name stands elsewhere", base + "-- x/syncgate.yaml --\n" + fmt.Sprintf(head, "other", "{name: eu, values: [../a.yaml]}"),
			text("other", eu, 2, 4), nil},
		{"the Gate is new", "-- x/syncgate.yaml --\n" + fmt.Sprintf(head, "app", "{name: eu}"), text("other", eu, 2, 4),
			[]string{"cel/up not asked: before has no gate other"}},
		{"a cluster is", base, text("app", eu+", {name: ap, values: [us.yaml]}", 4, 2), []string{"cel/up not asked: the cluster is new"}},
		{"all clusters are", base, text("app", "{name: a, values: [us.yaml]}, {name: b, values: [eu.yaml]}", 4, 2), []string{"cel/up in a"}},
		{"all clusters and their files are", base, text("app", "{name: a, values: [a.yaml]}, {name: b, values: [b.yaml]}", 3, 3), []string{"cel/up in a"}},
		{"one is renamed, one is new", base, text("app", "{name: a, values: [a.yaml]}, {name: b, values: [eu.yaml]}", 2, 3),
			[]string{"cel/up in b", "cel/up not asked: the cluster is new"}},
		{"more than there were", text("app", eu, 3, 3), text("app", "{name: a, values: [a.yaml]}, {name: b, values: [b.yaml]}", 3, 3),
			[]string{"cel/up in a", "cel/up not asked: the cluster is new"}},
		{"all are", base, text("other", "{name: a, values: [a.yaml]}, {name: b, values: [b.yaml]}", 3, 3), []string{"cel/up in a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := tree(test.head)
			g, err := gate.Load(fsys, "syncgate.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var opts policies.Options
			if opts.Baseline, err = policies.BaselineIn(t.Context(), tree(test.base), "before", g); err != nil {
				t.Fatal(err)
			}
			r, err := policies.Evaluate(t.Context(), fsys, g, opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Findings {
				for _, p := range f.Holdings {
					got = append(got, f.Rule+" in "+p.Places[0].Cluster)
				}
			}
			for _, s := range r.Skipped {
				got = append(got, s.Rule+" not asked: "+s.Reason)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
