package harness_test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
)

func startGit(t *testing.T, opts harness.GitOptions) (url, bare string) {
	t.Helper()
	opts.Root = t.TempDir()
	bare = filepath.Join(opts.Root, "app.git")
	if err := harness.InitBare(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	server, err := harness.StartGitWith(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server.URL + "/app.git", bare
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := harness.Git(t.Context(), dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGitServesPartialClonesAndAnyCommit(t *testing.T) {
	url, bare := startGit(t, harness.GitOptions{})
	first, err := harness.CommitTo(t.Context(), bare, harness.Commit{
		Branch: "main", Message: "first", Files: map[string]string{"a/values.yaml": "x: 1\n", "b.txt": "gone soon"},
	})
	if err != nil {
		t.Fatal(err)
	}
	second, err := harness.CommitTo(t.Context(), bare, harness.Commit{
		Branch: "main", Message: "second\n\nwith a body", Files: map[string]string{"a/values.yaml": "x: 2\n"}, Delete: []string{"b.txt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, bare, "ls-tree", "-r", "--name-only", second); got != "a/values.yaml" {
		t.Errorf("files after the second commit: found %q", got)
	}
	if got := git(t, bare, "show", "-s", "--format=%P %B", second); !strings.HasPrefix(got, first+" second\n\nwith a body") {
		t.Errorf("second commit: found %q", got)
	}

	clone := filepath.Join(t.TempDir(), "clone")
	git(t, "", "init", "--quiet", clone)
	git(t, clone, "fetch", "--quiet", "--depth=1", "--filter=blob:none", url, first)
	missing := git(t, clone, "rev-list", "--objects", "--missing=print", first)
	if !strings.Contains(missing, "?") {
		t.Errorf("a clone without blobs: expected missing objects, found %q", missing)
	}
}

func TestGitTakesALargePush(t *testing.T) {
	url, _ := startGit(t, harness.GitOptions{})
	work := t.TempDir()
	git(t, "", "clone", "--quiet", url, work)
	noise := make([]byte, 3<<20) // more than git buffers: it is sent in chunks
	_, _ = rand.Read(noise)
	if err := os.WriteFile(filepath.Join(work, "noise"), []byte(base64.StdEncoding.EncodeToString(noise)), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", ".")
	git(t, work, "commit", "--quiet", "-m", "noise")
	git(t, work, "push", "--quiet", "origin", "HEAD:refs/heads/main")
	want := git(t, work, "rev-parse", "HEAD")
	if got := git(t, work, "ls-remote", url, "refs/heads/main"); !strings.HasPrefix(got, want) {
		t.Errorf("main on the server: expected %s, found %s", want, got)
	}
}

func TestGitAsksWhoeverPushes(t *testing.T) {
	t.Setenv("GIT_TERMINAL_PROMPT", "0")
	url, bare := startGit(t, harness.GitOptions{User: "bot", Password: "s3cret"})
	sha, err := harness.CommitTo(t.Context(), bare, harness.Commit{Branch: "main", Message: "m", Files: map[string]string{"f": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	git(t, "", "clone", "--quiet", url, work)
	for user, want := range map[string]bool{"": false, "bot:wrong@": false, "bot:s3cret@": true} {
		target := strings.Replace(url, "http://", "http://"+user, 1)
		_, err := harness.Git(t.Context(), work, "push", "--quiet", target, sha+":refs/heads/by-"+strings.Trim(strings.ReplaceAll(user, ":", "-"), "@")+"x")
		if (err == nil) != want {
			t.Errorf("push as %q: expected success %t, found %v", user, want, err)
		}
	}
}
