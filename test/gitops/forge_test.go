package gitops_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge"
)

// TestForges holds every Forge to what the interface promises.
func TestForges(t *testing.T) {
	conformance := map[string]func(t *testing.T, w *world){
		"branches":      conformBranches,
		"pull requests": conformPullRequests,
		"merged":        conformMerged,
		"issues":        conformIssues,
		"comments":      conformComments,
	}
	for _, k := range []kind{onGitHub, onEnterprise, onPlain} {
		for name, f := range conformance {
			t.Run(string(k)+"/"+name, func(t *testing.T) { f(t, newWorld(t, k)) })
		}
	}
}

// newBranch is a change of a.yaml on top of main, with one file of each kind.
func (w *world) newBranch(name string) forge.NewBranch {
	w.t.Helper()
	ctx := w.t.Context()
	head := w.src.Commit("base", map[string]string{"a.yaml": "1\n", "gone.yaml": "x\n", "sub/keep.yaml": "k\n"})
	// The tree is made beside, so that the blobs are on no server yet.
	w.src.Write(map[string]string{"a.yaml": "2\n", "gone.yaml": "", "new/bin": "\x00\xff", "new/text": "ä\n", "new/run": "#!\n"})
	if err := os.WriteFile(w.src.Work+"/new/empty", nil, 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(w.src.Work+"/new/run", 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.src.Git("add", "--all")
	tree := w.src.Git("write-tree")
	var changes []forge.FileChange
	for _, path := range []string{"a.yaml", "new/bin", "new/text", "new/run", "new/empty"} {
		content, err := os.ReadFile(w.src.Work + "/" + path)
		if err != nil {
			w.t.Fatal(err)
		}
		f := strings.Fields(w.src.Git("ls-files", "--stage", path))
		changes = append(changes, forge.FileChange{Path: path, Mode: f[0], ID: f[1], Content: content})
	}
	changes = append(changes, forge.FileChange{Path: "gone.yaml"})
	base, err := w.repo.Commit(ctx, head)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.d == nil { // the plain forge makes the commit of a tree that is in the cache
		w.src.Git("push", "--quiet", "origin", w.src.Git("commit-tree", tree, "-m", "tree")+":refs/heads/tree")
		if _, err := w.repo.Tree(ctx, w.src.Bare("rev-parse", "tree")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.src.Git("reset", "--quiet", "--hard")
	return forge.NewBranch{Name: name, Base: head, BaseTree: base.Tree, Tree: tree, Message: "subject\n\nbody\n\nKey: value\n", Changes: changes}
}

func conformBranches(t *testing.T, w *world) {
	ctx := t.Context()
	n := w.newBranch("syncgate/x/1")
	sha, err := w.forge.CreateBranch(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.src.Bare("rev-parse", n.Name); got != sha {
		t.Errorf("branch points at %s, want %s", got, sha)
	}
	if got := w.src.Tree(n.Name); got != n.Tree {
		t.Errorf("tree %s, want %s", got, n.Tree)
	}
	if got := w.src.Bare("log", "-1", "--format=%P%n%B", n.Name); got != n.Base+"\nsubject\n\nbody\n\nKey: value" {
		t.Errorf("parent and message: %q", got)
	}
	if _, err := w.forge.CreateBranch(ctx, n); !errors.Is(err, forge.ErrExists) {
		t.Errorf("the same again: %v, want ErrExists", err)
	}
	if got := w.src.Bare("rev-parse", n.Name); got != sha {
		t.Errorf("the second try moved the branch to %s", got)
	}
	if err := w.forge.DeleteBranch(ctx, n.Name, n.Base); err != nil || !w.hasBranch(n.Name) {
		t.Errorf("delete of another commit: %v, and the branch is there: %v", err, w.hasBranch(n.Name))
	}
	for range 2 {
		if err := w.forge.DeleteBranch(ctx, n.Name, sha); err != nil || w.hasBranch(n.Name) {
			t.Errorf("delete: %v, and the branch is there: %v", err, w.hasBranch(n.Name))
		}
	}
}

func conformPullRequests(t *testing.T, w *world) {
	ctx := t.Context()
	n := w.newBranch("syncgate/x/1")
	none, err := w.forge.FindPullRequests(ctx, n.Name)
	if err != nil || len(none) != 0 {
		t.Fatalf("before: %v, %v", none, err)
	}
	want := forge.NewPullRequest{Head: n.Name, Base: "main", Title: "title: \"x\" # y", Body: "line\n---\nmore <b>\n", Labels: []string{"syncgate", "ä b"}}
	if _, err := w.forge.OpenPullRequest(ctx, want); !errors.Is(err, forge.ErrRefused) {
		t.Errorf("of no branch: %v, want ErrRefused", err)
	}
	sha, err := w.forge.CreateBranch(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.forge.OpenPullRequest(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.forge.OpenPullRequest(ctx, want); !errors.Is(err, forge.ErrExists) {
		t.Errorf("the same again: %v, want ErrExists", err)
	}
	if err := w.forge.AddLabels(ctx, made.Number, []string{"more"}); err != nil {
		t.Error(err)
	}
	found, err := w.forge.FindPullRequests(ctx, n.Name)
	if err != nil || len(found) != 1 {
		t.Fatalf("after: %v, %v", found, err)
	}
	got := found[0]
	got.Body = strings.TrimSpace(got.Body)
	slices.Sort(got.Labels)
	if d := cmp.Diff(forge.PullRequest{
		Number: made.Number, URL: made.URL, State: forge.Open, Head: n.Name, Base: "main", HeadSHA: sha,
		Body: strings.TrimSpace(want.Body), Labels: []string{"more", "syncgate", "ä b"},
	}, got); d != "" {
		t.Errorf("found (-want +got):\n%s", d)
	}
	for range 2 {
		if err := w.forge.Close(ctx, made.Number); err != nil {
			t.Error(err)
		}
	}
	again, err := w.forge.OpenPullRequest(ctx, want)
	if err != nil || again.Number == made.Number || again.URL == made.URL {
		t.Errorf("after it was closed: %+v, %v, want another one", again, err)
	}
	found, err = w.forge.FindPullRequests(ctx, n.Name)
	if err != nil || len(found) != 2 || found[0].State != forge.Open || found[1].State != forge.Closed {
		t.Errorf("two: %+v, %v", found, err)
	}
	if err := w.forge.DeleteBranch(ctx, n.Name, sha); err != nil {
		t.Error(err)
	}
	if found, err = w.forge.FindPullRequests(ctx, n.Name); err != nil || found[0].State != forge.Closed {
		t.Errorf("without its branch: %+v, %v, want closed", found, err)
	}
}

func conformMerged(t *testing.T, w *world) {
	ctx := t.Context()
	n := w.newBranch("syncgate/x/1")
	if _, err := w.forge.CreateBranch(ctx, n); err != nil {
		t.Fatal(err)
	}
	if _, err := w.forge.OpenPullRequest(ctx, forge.NewPullRequest{Head: n.Name, Base: "main", Title: "t", Body: "b"}); err != nil {
		t.Fatal(err)
	}
	w.src.Git("fetch", "--quiet")
	w.src.Git("merge", "--quiet", "--no-ff", "-m", "merge", "origin/"+n.Name)
	w.src.Push()
	for _, when := range []string{"with its branch", "without it"} {
		found, err := w.forge.FindPullRequests(ctx, n.Name)
		if err != nil || len(found) != 1 || found[0].State != forge.Merged {
			t.Errorf("%s: %+v, %v, want merged", when, found, err)
		}
		if w.hasBranch(n.Name) {
			w.src.Git("push", "--quiet", "origin", ":"+n.Name)
		}
	}
}

func conformIssues(t *testing.T, w *world) {
	ctx := t.Context()
	w.src.Commit("base", map[string]string{"a": "1\n"})
	n := forge.NewIssue{Marker: "<!-- m 1 -->", Title: "title", Body: "body", Labels: []string{"syncgate", "x"}}
	if found, err := w.forge.FindIssue(ctx, n.Marker, "syncgate"); err != nil || found != nil {
		t.Errorf("before: %v, %v", found, err)
	}
	made, err := w.forge.FindOrOpenIssue(ctx, n)
	if err != nil || !made.New || made.State != forge.Open || made.URL == "" {
		t.Fatalf("made %+v, %v", made, err)
	}
	again, err := w.forge.FindOrOpenIssue(ctx, n)
	if err != nil || again.New || again.Number != made.Number {
		t.Errorf("again %+v, %v, want %d", again, err, made.Number)
	}
	other := n
	other.Marker = "<!-- m 2 -->"
	if o, err := w.forge.FindOrOpenIssue(ctx, other); err != nil || !o.New || o.Number == made.Number || o.URL == made.URL {
		t.Errorf("other %+v, %v", o, err)
	}
	if err := w.forge.Close(ctx, made.Number); err != nil {
		t.Fatal(err)
	}
	found, err := w.forge.FindIssue(ctx, n.Marker, "syncgate")
	if err != nil || found == nil || found.Number != made.Number || found.State != forge.Closed || !strings.HasPrefix(found.Body, n.Marker+"\nbody") {
		t.Errorf("closed: %+v, %v", found, err)
	}
}

func conformComments(t *testing.T, w *world) {
	ctx := t.Context()
	w.src.Commit("base", map[string]string{"a": "1\n"})
	is, err := w.forge.FindOrOpenIssue(ctx, forge.NewIssue{Marker: "<!-- m -->", Title: "t", Body: "<!-- c -->", Labels: []string{"syncgate"}})
	if err != nil {
		t.Fatal(err)
	}
	has := func(marker string) bool {
		t.Helper()
		said, err := w.forge.HasComment(ctx, is.Number, marker)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	if has("<!-- c -->") {
		t.Error("the body was taken for a comment")
	}
	for range 2 {
		if err := w.forge.Comment(ctx, is.Number, "<!-- c -->", "text\n\n---\n\n<!-- d -->\nmore"); err != nil {
			t.Fatal(err)
		}
	}
	if !has("<!-- c -->") || has("<!-- d -->") {
		t.Errorf("comments: c %v, d %v, want c alone", has("<!-- c -->"), has("<!-- d -->"))
	}
	if _, err := w.forge.HasComment(ctx, 999, "x"); err == nil {
		t.Error("comments of no issue: no error")
	}
}
