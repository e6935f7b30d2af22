package policies_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
)

var update = flag.Bool("update", false, "write what is wanted in testdata/delivery anew")

// TestDelivery reads every repository in testdata/delivery: what each cluster
// gets, from which layers, and where each leaf stands. The file "want" says it.
func TestDelivery(t *testing.T) {
	files, err := filepath.Glob("testdata/delivery/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("find scenarios: %v, %d found", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			scenario, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsys, want := fstest.MapFS{}, -1
			for i, f := range scenario.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			got := tell(t, fsys)
			if *update {
				if want < 0 {
					want = len(scenario.Files)
					scenario.Files = append(scenario.Files, txtar.File{Name: "want"})
				}
				scenario.Files[want].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(scenario), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want < 0 {
				t.Fatalf("it has no file \"want\"; got\n%s", got)
			}
			if d := cmp.Diff(string(scenario.Files[want].Data), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// tell is what a repository's Gate comes to, or the error.
func tell(t *testing.T, fsys fstest.MapFS) string {
	t.Helper()
	var b bytes.Buffer
	g, err := gate.Load(fsys, "syncgate.yaml")
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	if g, err = policies.Expand(t.Context(), fsys, g, policies.Options{}); err != nil {
		return "error: " + err.Error() + "\n"
	}
	for _, c := range g.Spec.Clusters {
		if r := c.Release; r != nil {
			fmt.Fprintf(&b, "%s: %s at %s, release %s/%s, chart %q\n", c.Name, r.Object, r.Position, r.Namespace, r.Name, r.Chart)
		}
		v, err := policies.ClusterValues(t.Context(), fsys, g, c.Name, policies.Options{})
		if err != nil {
			return b.String() + "error: " + err.Error() + "\n"
		}
		for _, o := range v.Opaque {
			fmt.Fprintf(&b, "  not known: %s\n", o)
		}
	}
	everything, err := keypath.Parse("**")
	if err != nil {
		t.Fatal(err)
	}
	e, err := policies.Explain(t.Context(), fsys, g, everything, policies.Options{})
	if err != nil {
		return b.String() + "error: " + err.Error() + "\n"
	}
	if e.More > 0 {
		t.Errorf("%d key paths are not told: make the scenario smaller", e.More)
	}
	for _, p := range e.Paths {
		for _, c := range p.Chains {
			if strings.HasPrefix(c.Value, "{") && c.Value != "{}" {
				continue
			}
			value := c.Value
			if c.Missing {
				value = "not set"
			}
			fmt.Fprintf(&b, "%s %s = %s\n", strings.Join(c.Clusters, ","), p.Path, value)
			for _, s := range c.Steps {
				fmt.Fprintf(&b, "  %s %s: %s", s.Outcome, s.Layer, s.Value)
				for _, at := range s.Places {
					fmt.Fprintf(&b, " %s", at.Position)
				}
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}
