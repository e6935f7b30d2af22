package policies_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/provenance"
)

const matrixGate = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: web}
spec:
  source: {helm: {chart: chart}}
  listKeys: [{path: env, key: name}]
  perCluster:
  - {path: host, reason: each its own}
  unique: [{path: bucket}]
  clusters:
  - {name: eu, values: [eu.yaml]}
  - {name: us, values: [us.yaml]}
  - {name: ap, values: [ap.yaml]}
`

func matrixTree() fstest.MapFS {
	return fstest.MapFS{
		"syncgate.yaml":     {Data: []byte(matrixGate)},
		"chart/Chart.yaml":  {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"chart/values.yaml": {Data: []byte("tag: \"1\"\nport: 80\n")},
		"eu.yaml":           {Data: []byte("tag: \"2\"\nhost: eu\nbucket: a\nenv: [{name: X, value: one}]\ndb: {password: hunter2}\n")},
		"us.yaml":           {Data: []byte("tag: \"2\"\nhost: us\nbucket: a\nenv: [{name: X, value: two}]\ndb: {password: hunter22}\n")},
		"ap.yaml":           {Data: []byte("host: ap\nbucket: b\nenv: [{name: X, value: one}]\ndb: {password: hunter2}\n\"odd.name\": here\n")},
	}
}

func differ(t *testing.T, fsys fstest.MapFS) provenance.Matrix {
	t.Helper()
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := policies.Differ(t.Context(), fsys, g, policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// grid writes a Matrix down: a line a path.
func grid(m provenance.Matrix) string {
	var b strings.Builder
	for _, r := range m.Rows {
		var held []string
		for _, c := range r.Chains {
			last := c.Steps[len(c.Steps)-1]
			held = append(held, fmt.Sprintf("%s %s %s:%s", strings.Join(c.Clusters, "+"), c.Value, last.Layer, last.Outcome))
		}
		if len(r.Unset) > 0 {
			held = append(held, strings.Join(r.Unset, "+")+" unset")
		}
		fmt.Fprintf(&b, "%s | %s | %s%s%s\n", r.Path, strings.Join(held, ", "), strings.Join(r.Broken, ","), r.Allowed, prefix(" ", r.Reason))
	}
	return b.String()
}

func TestDiffer(t *testing.T) {
	want := `["odd.name"] | ap "here" values file:won, eu+us unset | identical
bucket | eu+us "a" values file:won, ap "b" values file:won | unique
db.password | eu+ap <redacted> values file:won, us <redacted> values file:won | identical
env[name=X].value | eu+ap "one" values file:won, us "two" values file:won | identical
host | eu "eu" values file:won, us "us" values file:won, ap "ap" values file:won | perCluster: host each its own
tag | eu+us "2" values file:won, ap "1" chart default:won | identical
`
	m := differ(t, matrixTree())
	if diff := cmp.Diff(want, grid(m)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(m.Clusters, []string{"eu", "us", "ap"}) {
		t.Errorf("clusters %q", m.Clusters)
	}
	if text := fmt.Sprintf("%+v", m); strings.Contains(text, "hunter2") {
		t.Error("a password is shown")
	}
}

// Where every difference is allowed there is no finding, and the other way
// round: a path is broken in the matrix exactly when validate finds it.
func TestDifferAgreesWithValidate(t *testing.T) {
	for _, allow := range []string{"host", "**", "tag", "db.**"} {
		fsys := matrixTree()
		text := strings.Replace(matrixGate, "{path: host,", "{path: '"+allow+"',", 1)
		fsys["syncgate.yaml"] = &fstest.MapFile{Data: []byte(text)}
		g, err := gate.Load(fsys, "syncgate.yaml")
		if err != nil {
			t.Fatal(err)
		}
		found, err := policies.Validate(t.Context(), fsys, g, policies.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]bool{}, map[string]bool{}
		for _, f := range found {
			want[f.Path] = true
		}
		for _, r := range differ(t, fsys).Rows {
			if len(r.Broken) > 0 {
				got[r.Path] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s may differ: -findings +broken:\n%s", allow, diff)
		}
	}
}

func TestDifferCountsWhatIsOverTheBound(t *testing.T) {
	var eu, us strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&eu, "k%04d: 1\n", i)
		fmt.Fprintf(&us, "k%04d: 2\n", i)
	}
	m := differ(t, fstest.MapFS{
		"syncgate.yaml": {Data: []byte("apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: web}\nspec:\n  clusters: [{name: eu, values: [eu.yaml]}, {name: us, values: [us.yaml]}]\n")},
		"eu.yaml":       {Data: []byte(eu.String())}, "us.yaml": {Data: []byte(us.String())},
	})
	if len(m.Rows) != 1000 || m.More == 0 {
		t.Errorf("%d rows and %d more", len(m.Rows), m.More)
	}
}

func TestDifferCouldNotTell(t *testing.T) {
	fsys := matrixTree()
	delete(fsys, "us.yaml")
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Differ(t.Context(), fsys, g, policies.Options{}); err == nil || !strings.Contains(err.Error(), "us.yaml") {
		t.Errorf("got %v, want an error that names us.yaml", err)
	}
}
