package git_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/test/gitops/source"
)

func newSource(t *testing.T) *source.Repo {
	t.Helper()
	return source.New(t, filepath.Join(t.TempDir(), "repo.git"))
}

func open(t *testing.T, src *source.Repo, change ...func(*git.Options)) *git.Repository {
	t.Helper()
	opts := git.Options{URL: "file://" + src.Dir, Dir: t.TempDir()}
	for _, f := range change {
		f(&opts)
	}
	repo, err := git.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := repo.Close(); err != nil {
			t.Error(err)
		}
	})
	return repo
}

func TestOpenRefuses(t *testing.T) {
	old := t.TempDir()
	script := "#!/bin/sh\necho git version 2.30.2\n"
	if err := os.WriteFile(filepath.Join(old, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		url, path string
		want      string
	}{
		"password in the URL": {url: "https://ada:s3cr3t@example.org/x.git", want: "holds a password"},
		"unknown scheme":      {url: "ext::sh -c id", want: "expected https, http, ssh or file"},
		"option as host":      {url: "ssh://-oProxyCommand=id/x", want: "expected a host name"},
		"option as scp host":  {url: "-oProxyCommand=id:x", want: "expected https, http, ssh or file"},
		"git protocol":        {url: "git://example.org/x", want: `found "git"`},
		"relative path":       {url: "some/where", want: "an absolute path"},
		"control characters":  {url: "https://example.org/x\n", want: "without control characters"},
		"query":               {url: "https://example.org/x?y", want: "no query"},
		"unparsable":          {url: "https://ada:s3cr3t@exa mple/%zz", want: "cannot be parsed"},
		"old git":             {url: "https://example.org/x", path: old, want: "git 2.30 found"},
		"no git":              {url: "https://example.org/x", path: t.TempDir(), want: "install git 2.38 or later"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.path != "" {
				t.Setenv("PATH", tt.path)
			}
			_, err := git.Open(t.Context(), git.Options{URL: tt.url, Dir: t.TempDir()})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error holds the password: %v", err)
			}
		})
	}
}

func TestBranch(t *testing.T) {
	src := newSource(t)
	head := src.Commit("one", map[string]string{"a": "1"})
	src.Git("push", "--quiet", "origin", "HEAD:refs/heads/other/refs/heads/main2")
	repo := open(t, src)
	if got, err := repo.Branch(t.Context(), "main"); err != nil || got != head {
		t.Errorf("Branch(main) = %s, %v, want %s", got, err, head)
	}
	if got, err := repo.Branch(t.Context(), "HEAD"); err != nil || got != head {
		t.Errorf("Branch(HEAD) = %s, %v, want %s", got, err, head)
	}
	for _, name := range []string{"nope", "main2"} {
		if _, err := repo.Branch(t.Context(), name); !errors.Is(err, gitops.ErrNoBranch) {
			t.Errorf("Branch(%s): %v, want ErrNoBranch", name, err)
		}
	}
	for _, name := range []string{"", "-x", "a..b", "a b", "a*", "x.lock", "x/.y", "/x", "x/", "a\x00"} {
		if _, err := repo.Branch(t.Context(), name); err == nil || errors.Is(err, gitops.ErrNoBranch) {
			t.Errorf("Branch(%q): %v, want that the name is refused", name, err)
		}
	}
}

func TestChanged(t *testing.T) {
	src := newSource(t)
	from := src.Commit("one", map[string]string{"a": "1", "b": "1", "c/d": "1"})
	to := src.Commit("two", map[string]string{"b": "2", "e": "1"})
	repo := open(t, src)
	for _, tt := range []struct {
		from, to string
		want     []string
	}{{from, to, []string{"b", "e"}}, {to, from, []string{"b", "e"}}, {to, to, []string{}}} {
		got, err := repo.Changed(t.Context(), tt.from, tt.to)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("Changed(%.7s, %.7s): %v (-want +got):\n%s", tt.from, tt.to, err, d)
		}
	}
}

// What cannot be asked is never "there is none".
func TestTroubleIsNoAnswer(t *testing.T) {
	src := newSource(t)
	sha := src.Commit("one", map[string]string{"a": "1"})
	tests := map[string]string{
		"nothing listens":  "http://127.0.0.1:1/repo.git",
		"no such folder":   "file://" + filepath.Join(t.TempDir(), "gone.git"),
		"not a repository": "file://" + t.TempDir(),
	}
	for name, url := range tests {
		t.Run(name, func(t *testing.T) {
			repo := open(t, src, func(o *git.Options) { o.URL = url })
			_, treeErr := repo.Tree(t.Context(), sha)
			_, branchErr := repo.Branch(t.Context(), "main")
			_, ancestorErr := repo.IsAncestor(t.Context(), strings.Repeat("1", 40), sha)
			for what, err := range map[string]error{"Tree": treeErr, "Branch": branchErr, "IsAncestor": ancestorErr} {
				if err == nil || errors.Is(err, gitops.ErrNoRevision) || errors.Is(err, gitops.ErrNoBranch) {
					t.Errorf("%s: %v, want trouble", what, err)
				}
			}
		})
	}
}

func TestNoRevision(t *testing.T) {
	src := newSource(t)
	src.Commit("one", map[string]string{"a": "1"})
	src.Git("tag", "-a", "-m", "tag", "v1")
	src.Git("push", "--quiet", "origin", "v1")
	repo := open(t, src)
	for name, sha := range map[string]string{
		"unknown": strings.Repeat("1", 40),
		"a tag":   src.Bare("rev-parse", "v1"),
		"a tree":  src.Bare("rev-parse", "main^{tree}"),
		"a blob":  src.Bare("rev-parse", "main:a"),
	} {
		if _, err := repo.Tree(t.Context(), sha); !errors.Is(err, gitops.ErrNoRevision) {
			t.Errorf("Tree of %s: %v, want ErrNoRevision", name, err)
		}
	}
	for _, sha := range []string{"", "main", "--upload-pack=id", strings.Repeat("A", 40), strings.Repeat("1", 39)} {
		if _, err := repo.Tree(t.Context(), sha); err == nil || errors.Is(err, gitops.ErrNoRevision) {
			t.Errorf("Tree(%q): %v, want that the form is refused", sha, err)
		}
	}
}

func TestIsAncestor(t *testing.T) {
	src := newSource(t)
	root := src.Commit("root", map[string]string{"a": "0"})
	src.Git("checkout", "--quiet", "-b", "side")
	side := src.Commit("side", map[string]string{"s": "1"})
	src.Git("checkout", "--quiet", "main")
	for range 100 { // further than the first fetch reaches
		src.Git("commit", "--quiet", "--allow-empty", "-m", "x")
	}
	head := src.Push()
	near := src.Git("rev-parse", "HEAD~3")
	tests := map[string]struct {
		ancestor, revision string
		want               bool
	}{
		"itself":             {head, head, true},
		"near":               {near, head, true},
		"the root":           {root, head, true},
		"another branch":     {side, head, false},
		"a descendant":       {head, near, false},
		"unknown":            {strings.Repeat("1", 40), head, false},
		"root of the branch": {root, side, true},
		"newer than side":    {near, side, false},
	}
	shared := open(t, src)
	for name, tt := range tests {
		for kind, repo := range map[string]*git.Repository{"fresh": open(t, src), "shared": shared} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				got, err := repo.IsAncestor(t.Context(), tt.ancestor, tt.revision)
				if err != nil || got != tt.want {
					t.Errorf("IsAncestor = %v, %v, want %v", got, err, tt.want)
				}
			})
		}
	}
	if _, err := shared.IsAncestor(t.Context(), root, strings.Repeat("1", 40)); !errors.Is(err, gitops.ErrNoRevision) {
		t.Errorf("IsAncestor of an unknown revision: %v, want ErrNoRevision", err)
	}
	// New commits join what is there.
	src.Git("commit", "--quiet", "--allow-empty", "-m", "later")
	if got, err := shared.IsAncestor(t.Context(), root, src.Push()); err != nil || !got {
		t.Errorf("IsAncestor after a push = %v, %v, want true", got, err)
	}
}

func TestLog(t *testing.T) {
	src := newSource(t)
	from := src.Commit("root", map[string]string{"a": "0"})
	src.Git("checkout", "--quiet", "-b", "side")
	src.Commit("side: one\n\nKey: value", map[string]string{"s": "1"})
	src.Git("checkout", "--quiet", "main")
	var want []string
	for range 80 {
		src.Git("commit", "--quiet", "--allow-empty", "-m", "x")
	}
	src.Git("merge", "--quiet", "--no-ff", "-m", "merge side", "side")
	to := src.Push()
	for sha := range strings.FieldsSeq(src.Bare("rev-list", "--topo-order", from+".."+to)) {
		want = append(want, sha)
	}
	repo := open(t, src)
	commits, err := repo.Log(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	messages := map[string]bool{}
	for _, c := range commits {
		got = append(got, c.SHA)
		messages[strings.TrimSpace(c.Message)] = true
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("commits (-want +got):\n%s", d)
	}
	if !messages["side: one\n\nKey: value"] || !messages["merge side"] {
		t.Errorf("messages = %v", messages)
	}
	if _, err := repo.Log(t.Context(), src.Bare("rev-parse", "side"), from); err == nil {
		t.Error("Log of no ancestor: no error")
	}
	small := open(t, src, func(o *git.Options) { o.Limits.Commits = 10 })
	var limit *git.LimitError
	if _, err := small.Log(t.Context(), from, to); !errors.As(err, &limit) || limit.Name != "Commits" {
		t.Errorf("Log over the limit: %v, want a LimitError", err)
	}
}

func TestCancel(t *testing.T) {
	src := newSource(t)
	sha := src.Commit("one", map[string]string{"a": "1"})
	repo := open(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := repo.Tree(ctx, sha); !errors.Is(err, context.Canceled) {
		t.Errorf("Tree: %v, want context.Canceled", err)
	}
	short := open(t, src, func(o *git.Options) { o.Limits.Timeout = time.Hour })
	if _, err := short.Tree(t.Context(), sha); err != nil {
		t.Error(err)
	}
}
