package fix_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies/fix"
)

// sites is a tree of clusters whose files a function writes.
func sites(clusters int, spec string, write func(cluster int) string) fstest.MapFS {
	gate := "apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec:\n" + spec + "  clusters:\n"
	tree := fstest.MapFS{}
	for i := range clusters {
		gate += fmt.Sprintf("    - {name: c%d, values: [c%d.yaml]}\n", i, i)
		tree[fmt.Sprintf("c%d.yaml", i)] = &fstest.MapFile{Data: []byte(write(i))}
	}
	tree["syncgate.yaml"] = &fstest.MapFile{Data: []byte(gate)}
	return tree
}

// counts counts the diffs of a Plan, and the reasons with a text.
func counts(p fix.Plan, reason string) (diffs, refused int) {
	for _, a := range p.Answers[0] {
		if a.Diff != "" {
			diffs++
		}
		if strings.Contains(a.Reason, reason) {
			refused++
		}
	}
	return diffs, refused
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name           string
		tree           fstest.MapFS
		reason         string
		diffs, refused int
	}{
		{
			name: "findings",
			tree: sites(3, "", func(c int) string {
				var b strings.Builder
				for i := range 205 {
					fmt.Fprintf(&b, "k%d: %d\n", i, c/2)
				}
				return b.String()
			}),
			reason: "limit diffs=200 hit", diffs: 200, refused: 5,
		},
		{
			name:   "places",
			tree:   sites(102, "  reference: c0\n", func(c int) string { return fmt.Sprintf("a: %d\nb: %d\n", min(c, 1), c/101) }),
			reason: "limit places=100 hit", diffs: 1, refused: 1,
		},
		{
			name:   "edits",
			tree:   sites(100, "  reference: c0\n", func(c int) string { return keys(12, min(c, 1)) }),
			reason: "limit edits=1000 hit", diffs: 10, refused: 2,
		},
		{
			name: "length of a value",
			tree: sites(3, "", func(c int) string { return "a: " + strings.Repeat("x", 5000+c/2) + "\n" }),
			// The finding shows it shortened; the change must not.
			reason: "longer than 4096 bytes", refused: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, p := plan(t, tt.tree)
			if diffs, refused := counts(p, tt.reason); diffs != tt.diffs || refused != tt.refused {
				t.Errorf("want %d diffs and %d refused, got %d and %d: %+v", tt.diffs, tt.refused, diffs, refused, p.Answers[0][len(p.Answers[0])-1])
			}
		})
	}
}

func keys(n, value int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: %d\n", i, value)
	}
	return b.String()
}

// TestEvaluationsAreBounded: when every diff breaks something, each is looked for
// so long, and none is told.
func TestEvaluationsAreBounded(t *testing.T) {
	tree := sites(3, "", func(c int) string { return keys(40, c/2) })
	g, _ := evaluate(t, tree)
	asked := 0
	p, err := fix.New(t.Context(), fix.Options{
		Tree: tree, Gates: []fix.Gate{g},
		Evaluate: func(context.Context, fs.FS) fix.Outcome {
			asked++
			return fix.Outcome{Problems: 1}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if asked != 16 {
		t.Errorf("evaluated %d times, want 16", asked)
	}
	if diffs, refused := counts(p, "limit evaluations=16 hit"); diffs != 0 || refused == 0 || len(p.Changes) > 0 {
		t.Errorf("%d diffs, %d refused, %d changes", diffs, refused, len(p.Changes))
	}
}

// TestNothingCostsNothing: without findings nobody is asked.
func TestNothingCostsNothing(t *testing.T) {
	tree := sites(3, "", func(int) string { return "a: 1\n" })
	g, _ := evaluate(t, tree)
	p, err := fix.New(t.Context(), fix.Options{Gates: []fix.Gate{g}})
	if err != nil || len(p.Changes) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestCanceled: a plan that could not be proved is an error.
func TestCanceled(t *testing.T) {
	tree := sites(3, "", func(c int) string { return keys(3, c/2) })
	g, _ := evaluate(t, tree)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := fix.New(ctx, fix.Options{
		Tree: tree, Gates: []fix.Gate{g},
		Evaluate: func(context.Context, fs.FS) fix.Outcome {
			cancel()
			return fix.Outcome{}
		},
	})
	if err == nil {
		t.Error("want an error")
	}
}
