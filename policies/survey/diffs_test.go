package survey_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies/survey"
)

// TestCollectFixesInSteps: the map that sa lacks is copied from eu, whose x is
// the odd one out. Only once that is corrected can it be written.
func TestCollectFixesInSteps(t *testing.T) {
	tree := fstest.MapFS{
		"syncgate.yaml": {Data: []byte(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: web}
spec:
  clusters:
    - {name: eu, values: [eu.yaml]}
    - {name: us, values: [us.yaml]}
    - {name: ap, values: [ap.yaml]}
    - {name: sa, values: [sa.yaml]}
`)},
		"eu.yaml": {Data: []byte("m:\n  x: 2\n  y: 1\nz: 1\n")},
		"us.yaml": {Data: []byte("m:\n  x: 1\n  y: 1\nz: 1\n")},
		"ap.yaml": {Data: []byte("m:\n  x: 1\n  y: 1\nz: 1\n")},
		"sa.yaml": {Data: []byte("z: 1\n")},
	}
	r, changes := survey.Collect(t.Context(), tree, survey.Options{Diffs: true})
	got := map[string]string{}
	for _, c := range changes {
		got[c.File] = string(c.After)
	}
	if got["eu.yaml"] != "m:\n  x: 1\n  y: 1\nz: 1\n" || got["sa.yaml"] != "z: 1\nm:\n  x: 1\n  y: 1\n" || len(got) != 2 {
		t.Errorf("changes: %q", got)
	}
	diffs := 0
	for _, f := range r.Gates[0].Findings {
		if f.Diff != "" {
			diffs++
		} else if !strings.Contains(f.Fix, "; no diff: with it ") {
			t.Errorf("%s: fix %q", f.Path, f.Fix)
		}
	}
	if diffs != 1 || len(r.Gates[0].Findings) != 2 {
		t.Errorf("%d of %d findings have a diff by themselves", diffs, len(r.Gates[0].Findings))
	}
	plain, more := survey.Collect(t.Context(), tree, survey.Options{})
	for _, f := range plain.Gates[0].Findings {
		if f.Diff != "" || strings.Contains(f.Fix, "no diff") || len(more) > 0 {
			t.Errorf("%s has a diff that nobody wanted", f.Path)
		}
	}
}

// TestCollectFixesForAllGates: a file of one cluster that two Gates read is
// changed when that is well for both, and left when it is not.
func TestCollectFixesForAllGates(t *testing.T) {
	gate := func(name, more string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: ` + name + `}
spec:
` + more + `  clusters:
    - {name: eu, values: [../eu.yaml]}
    - {name: us, values: [../us.yaml]}
    - {name: ap, values: [../ap.yaml]}
`)}
	}
	all := &fstest.MapFile{Data: []byte("a: 1\nb: 1\n")}
	tree := fstest.MapFS{
		"one/syncgate.yaml": gate("one", ""),
		"two/syncgate.yaml": gate("two", "  perCluster: [{path: a, reason: x}, {path: b, reason: x}]\n"+
			"  rules: [{name: b, expr: 'clusters[\"ap\"].b == 2', message: b is 2 in ap}]\n"),
		"eu.yaml": all, "us.yaml": all, "ap.yaml": {Data: []byte("a: 2\nb: 2\n")},
	}
	r, changes := survey.Collect(t.Context(), tree, survey.Options{Diffs: true})
	if len(changes) != 1 || string(changes[0].After) != "a: 1\nb: 2\n" {
		t.Fatalf("changes: %+v", changes)
	}
	b := r.Gates[0].Findings[1]
	if b.Path != "b" || b.Diff != "" || !strings.Contains(b.Fix, "no diff: with it another rule would not hold: cel/b") {
		t.Errorf("%+v", b)
	}
}
