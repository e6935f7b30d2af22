package fix_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/gate"
)

var update = flag.Bool("update", false, "write the wanted diffs and reasons of testdata anew")

// evaluate asks the Gate of a tree.
func evaluate(t testing.TB, tree fs.FS) (fix.Gate, fix.Outcome) {
	t.Helper()
	g, err := gate.Load(tree, "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if g, err = policies.Expand(t.Context(), tree, g, policies.Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := policies.Evaluate(t.Context(), tree, g, policies.Options{})
	if err != nil {
		return fix.Gate{Gate: g}, fix.Outcome{Problems: 1}
	}
	return fix.Gate{Gate: g, Findings: r.Findings}, fix.Outcome{Findings: r.Findings}
}

// plan makes the Plan of a tree.
func plan(t testing.TB, tree fs.FS) (fix.Gate, fix.Plan) {
	t.Helper()
	g, _ := evaluate(t, tree)
	p, err := fix.New(t.Context(), fix.Options{
		Tree: tree, Gates: []fix.Gate{g},
		Evaluate: func(_ context.Context, tree fs.FS) fix.Outcome {
			_, o := evaluate(t, tree)
			return o
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

// changed is a tree with a Plan carried out.
func changed(tree fstest.MapFS, p fix.Plan) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range tree {
		out[name] = f
	}
	for _, c := range p.Changes {
		out[c.File] = &fstest.MapFile{Data: c.After}
	}
	return out
}

// TestPlan holds the diff and the reasons of each tree in testdata against
// those wanted, and sees by the evaluator that the diff does what it says.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %d trees: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { checkPlan(t, file) })
	}
}

func checkPlan(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	want := ""
	kept := archive.Files[:0:0]
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		kept = append(kept, f)
		tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	g, p := plan(t, tree)
	var b strings.Builder
	for i, a := range p.Answers[0] {
		f := g.Findings[i]
		switch {
		case a.Reason != "":
			fmt.Fprintf(&b, "%s %s: %s\n", f.Rule, f.Path, a.Reason)
		case a.Diff != "":
			fmt.Fprintf(&b, "%s %s: has a diff\n", f.Rule, f.Path)
			applies(t, tree, a.Diff)
		default:
			fmt.Fprintf(&b, "%s %s: nothing\n", f.Rule, f.Path)
		}
	}
	whole := ""
	for _, c := range p.Changes {
		whole += c.Diff
	}
	b.WriteString(whole)
	if *update {
		kept = append(kept, txtar.File{Name: "want", Data: []byte(b.String())})
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: kept}), 0o600); err != nil {
			t.Fatal(err)
		}
		want = b.String()
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkChanges(t, tree, g, p, whole)
}

// checkChanges sees that fixed findings are gone, that git makes the same of the
// diff, and that there is nothing left to be fixed.
func checkChanges(t *testing.T, tree fstest.MapFS, g fix.Gate, p fix.Plan, whole string) {
	t.Helper()
	after := changed(tree, p)
	if whole != "" && !strings.Contains(whole, "<redacted>") {
		for name, data := range applies(t, tree, whole) {
			if diff := cmp.Diff(string(after[name].Data), data); diff != "" {
				t.Errorf("git makes another %s of the diff (-fix +git):\n%s", name, diff)
			}
		}
	}
	left, again := plan(t, after)
	open := map[string]bool{}
	for _, f := range left.Findings {
		open[f.Rule+" "+f.Path] = true
	}
	for i, a := range p.Answers[0] {
		if f := g.Findings[i]; a.Diff != "" && open[f.Rule+" "+f.Path] {
			t.Errorf("%s is still there after its diff", f.Path)
		}
	}
	if len(again.Changes) > 0 {
		t.Errorf("a second fix changes %s", again.Changes[0].File)
	}
}

// applies has git apply a diff to a tree, and returns all files.
func applies(t *testing.T, tree fstest.MapFS, diff string) map[string]string {
	t.Helper()
	if strings.Contains(diff, "<redacted>") {
		return nil
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", "apply", "-p1", "--whitespace=nowarn", "-")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_DIR="+filepath.Join(dir, "none"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	cmd.Stdin = strings.NewReader(diff)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\n%s", err, out, diff)
	}
	files := map[string]string{}
	for name := range tree {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}
