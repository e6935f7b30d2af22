package git_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
)

// Neither the user's configuration nor the environment reaches in.
func TestNothingOfTheMachineCounts(t *testing.T) {
	src := newSource(t)
	sha := src.Commit("one", map[string]string{"a.yaml": "1"})
	home := t.TempDir()
	config := "[url \"file:///nowhere/\"]\n\tinsteadOf = file://\n[core]\n\thooksPath = /nowhere\n[protocol]\n\tallow = never\n"
	must(t, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o600))
	for key, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_GLOBAL": filepath.Join(home, ".gitconfig"),
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.allow", "GIT_CONFIG_VALUE_0": "never",
		"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_TRACE": "1",
		"GIT_ALLOW_PROTOCOL": "none", "LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8",
	} {
		t.Setenv(key, value)
	}
	repo := open(t, src)
	if got := readFile(t, repo, sha, "a.yaml"); got != "1" {
		t.Errorf("a.yaml = %q", got)
	}
	if _, err := repo.Branch(t.Context(), "nope"); !errors.Is(err, gitops.ErrNoBranch) {
		t.Errorf("Branch: %v, want ErrNoBranch", err)
	}
	if _, err := repo.Tree(t.Context(), strings.Repeat("1", 40)); !errors.Is(err, gitops.ErrNoRevision) {
		t.Errorf("Tree: %v, want ErrNoRevision", err)
	}
}

// A cache may lie inside a clone, whose own remote is another one.
func TestCacheInsideAClone(t *testing.T) {
	src := newSource(t)
	sha := src.Commit("one", map[string]string{"a.yaml": "1"})
	clone := t.TempDir()
	must(t, os.Mkdir(filepath.Join(clone, ".git"), 0o755))
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n[remote \"origin\"]\n\turl = /nowhere\n",
	} {
		must(t, os.WriteFile(filepath.Join(clone, ".git", name), []byte(text), 0o600))
	}
	for _, dir := range []string{"objects", "refs"} {
		must(t, os.Mkdir(filepath.Join(clone, ".git", dir), 0o755))
	}
	repo := open(t, src, func(o *git.Options) { o.Dir = filepath.Join(clone, "cache") })
	if got, err := repo.Branch(t.Context(), "main"); err != nil || got != sha {
		t.Errorf("Branch: %q, %v, want %s", got, err, sha)
	}
}

func TestFetchLimit(t *testing.T) {
	src := newSource(t)
	noise := make([]byte, 3<<20)
	state := uint64(88172645463325252)
	for i := range noise { // xorshift: nothing a pack could make smaller
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		noise[i] = byte(state)
	}
	sha := src.Commit("one", map[string]string{"big.bin": string(noise), "small.yaml": "x"})
	repo := open(t, src, func(o *git.Options) { o.Limits.FetchBytes = 1 << 20 })
	tree, err := repo.Tree(t.Context(), sha)
	must(t, err)
	var limit *git.LimitError
	if err := tree.(*git.Tree).Prefetch(t.Context(), func(string) bool { return true }); !errors.As(err, &limit) || limit.Name != "FetchBytes" {
		t.Errorf("Prefetch of 3 MiB: %v, want LimitError of FetchBytes", err)
	}
	if got := readFile(t, repo, sha, "small.yaml"); got != "x" {
		t.Errorf("small.yaml after it: %q", got)
	}
}

// A server that takes the call and never answers. The limit is of every git
// process, also of the first one, which only tells git's version: on a busy
// machine that takes more than a moment.
func TestTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	repo, err := git.Open(t.Context(), git.Options{
		URL: "http://" + l.Addr().String() + "/x.git", Dir: t.TempDir(), Limits: git.Limits{Timeout: 5 * time.Second},
	})
	must(t, err)
	defer repo.Close()
	_, err = repo.Branch(t.Context(), "main")
	if err == nil || !strings.Contains(err.Error(), "limit of 5s") || errors.Is(err, gitops.ErrNoBranch) {
		t.Errorf("error %v, want one that names the limit", err)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	read := git.TokenFile(path)
	if _, err := read(t.Context()); err == nil {
		t.Error("no file: no error")
	}
	for content, want := range map[string]string{
		"abc\n": "abc", "\tx\n": "x", "": "expected a token", "a\nb": "expected one line", strings.Repeat("x", 70<<10): "at most",
	} {
		must(t, os.WriteFile(path, []byte(content), 0o600))
		got, err := read(t.Context())
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("token of %.10q = %q, want %q", content, got, want)
		}
	}
}

// A server without partial clones, or that gives advertised commits alone in
// the old protocol, serves all the same: it only sends more.
func TestServerWithoutFilters(t *testing.T) {
	src := newSource(t)
	one := src.Commit("one", map[string]string{"a.yaml": "1", "d/b.yaml": "x"})
	two := src.Commit("two", map[string]string{"a.yaml": "2"})
	src.Bare("config", "uploadpack.allowFilter", "false")
	src.Bare("config", "uploadpack.allowAnySHA1InWant", "false")
	repo := open(t, src)
	for sha, want := range map[string]string{one: "1", two: "2"} {
		if got := readFile(t, repo, sha, "a.yaml"); got != want {
			t.Errorf("a.yaml = %q, want %q", got, want)
		}
		if got := readFile(t, repo, sha, "d/b.yaml"); got != "x" {
			t.Errorf("d/b.yaml = %q", got)
		}
	}
	if yes, err := repo.IsAncestor(t.Context(), one, two); err != nil || !yes {
		t.Errorf("IsAncestor = %v, %v", yes, err)
	}
	if yes, err := repo.IsAncestor(t.Context(), two, one); err != nil || yes {
		t.Errorf("IsAncestor the other way = %v, %v", yes, err)
	}
}
