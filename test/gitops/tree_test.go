package gitops_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/test/gitops/source"
)

// history makes commits and says which one failed, which one was good, and how
// a person would revert it with git.
type history func(src *source.Repo) (good, failing string, byHand []string)

const values = "apps/eu/values.yaml"

// The tree of the pull request's branch is the one that git revert gives.
func TestTreeIsGitReverts(t *testing.T) {
	tests := map[string]history{
		"one commit": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: lines(30, nil), "other": "1\n"})
			bad := src.Commit("bad", map[string]string{values: lines(30, map[int]string{7: "bad: 1"})})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"several commits": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: lines(30, nil), "apps/us/values.yaml": "a\n"})
			src.Commit("bad 1", map[string]string{values: lines(30, map[int]string{7: "bad: 1"})})
			src.Commit("bad 2", map[string]string{values: lines(30, map[int]string{7: "bad: 2", 20: "worse: 1"}), "apps/us/values.yaml": "b\n"})
			bad := src.Commit("bad 3", map[string]string{"apps/us/values.yaml": "c\n"})
			return good, bad, []string{"revert", "--no-commit", good + ".." + bad}
		},
		"a merge commit": func(src *source.Repo) (string, string, []string) {
			src.Commit("root", map[string]string{values: lines(30, nil)})
			src.Git("checkout", "--quiet", "-b", "side")
			src.Commit("side 1", map[string]string{values: lines(30, map[int]string{3: "side: 1"})})
			src.Commit("side 2", map[string]string{"apps/eu/extra.yaml": "x\n"})
			src.Git("checkout", "--quiet", "main")
			good := src.Commit("good", map[string]string{values: lines(30, map[int]string{25: "main: 1"})})
			src.Git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
			bad := src.Push()
			return good, bad, []string{"revert", "--no-commit", "-m", "1", bad}
		},
		"later edits in the same file": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: lines(40, nil)})
			bad := src.Commit("bad", map[string]string{values: lines(40, map[int]string{5: "bad: 1", 6: "bad: 2"})})
			src.Commit("later", map[string]string{values: lines(40, map[int]string{5: "bad: 1", 6: "bad: 2", 30: "later: 1"})})
			src.Commit("elsewhere", map[string]string{"other": "2\n", "apps/us/values.yaml": "new\n"})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"added and deleted files": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: "a\n", "apps/old.yaml": lines(20, nil), "apps/d/e/f.yaml": "deep\n"})
			bad := src.Commit("bad", map[string]string{"apps/old.yaml": "", "apps/d/e/f.yaml": "", "apps/new.yaml": "n\n", "apps/x/y/z.yaml": "new\n"})
			src.Commit("later", map[string]string{"other": "3\n"})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"a file becomes executable": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{"apps/run.sh": lines(10, nil)})
			if err := os.Chmod(filepath.Join(src.Work, "apps", "run.sh"), 0o755); err != nil {
				panic(err)
			}
			bad := src.Commit("bad", nil)
			src.Commit("later", map[string]string{"apps/run.sh": lines(10, map[int]string{8: "later"})})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"a renamed file": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{"apps/a.yaml": lines(40, nil)})
			src.Git("mv", "apps/a.yaml", "apps/b.yaml")
			bad := src.Commit("bad", map[string]string{"apps/b.yaml": lines(40, map[int]string{3: "bad"})})
			src.Commit("later", map[string]string{"apps/b.yaml": lines(40, map[int]string{3: "bad", 33: "later"})})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"renamed later": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{"apps/a.yaml": lines(40, nil)})
			bad := src.Commit("bad", map[string]string{"apps/a.yaml": lines(40, map[int]string{3: "bad"})})
			src.Git("mv", "apps/a.yaml", "apps/c.yaml")
			src.Commit("later", map[string]string{"apps/c.yaml": lines(40, map[int]string{3: "bad", 33: "later"})})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"binary and odd names": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{"apps/b\x01n ä'\".bin": "a\x00b\xff", "apps/latin.txt": "caf\xe9\n" + lines(20, nil)})
			bad := src.Commit("bad", map[string]string{"apps/b\x01n ä'\".bin": "c\x00d\xfe", "apps/latin.txt": "caf\xe9\n" + lines(20, map[int]string{3: "bad"})})
			src.Commit("later", map[string]string{"apps/latin.txt": "caf\xe9\n" + lines(20, map[int]string{3: "bad", 17: "later"})})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"a symbolic link": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: "a\n"})
			if err := os.Symlink("eu/values.yaml", filepath.Join(src.Work, "apps", "link")); err != nil {
				panic(err)
			}
			bad := src.Commit("bad", map[string]string{values: "b\n"})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
		"empty file and no newline": func(src *source.Repo) (string, string, []string) {
			good := src.Commit("good", map[string]string{values: lines(20, nil) + "end"})
			bad := src.Commit("bad", map[string]string{values: lines(20, map[int]string{1: "bad"}) + "end"})
			src.Commit("later", map[string]string{values: lines(20, map[int]string{1: "bad", 15: "later"}) + "end"})
			return good, bad, []string{"revert", "--no-commit", bad}
		},
	}
	for name, makeHistory := range tests {
		for _, k := range []kind{onGitHub, onPlain} {
			t.Run(name+"/"+string(k), func(t *testing.T) {
				w := newWorld(t, k)
				good, failing, byHand := makeHistory(w.src)
				head := w.src.Git("rev-parse", "HEAD")
				w.want(gitops.PullRequest, request(good, failing))
				w.src.Git(byHand...)
				want := w.src.Git("write-tree")
				branch := branchOf(failing)
				if got := w.src.Tree(branch); got != want {
					t.Errorf("tree of the branch is not git revert's:\n%s", w.src.Git("diff", "--stat", want, w.src.Bare("rev-parse", branch)))
				}
				if got := w.src.Bare("rev-parse", branch+"^"); got != head {
					t.Errorf("parent is %s, want the base branch's %s", got, head)
				}
				if out := w.src.Bare("fsck", "--no-dangling"); strings.Contains(out, "error") {
					t.Errorf("fsck: %s", out)
				}
			})
		}
	}
}

// What is not guarded stays, even where the failing change touched it.
func TestOnlyGuardedFilesAreReverted(t *testing.T) {
	w := newWorld(t, onGitHub)
	good := w.src.Commit("good", map[string]string{values: "a\n", "docs/x.md": "1\n"})
	bad := w.src.Commit("bad", map[string]string{values: "b\n", "docs/x.md": "2\n", "docs/new.md": "n\n"})
	w.want(gitops.PullRequest, request(good, bad))
	if got := w.src.Bare("diff", "--name-only", "main", branchOf(bad)); got != values {
		t.Errorf("changed %q, want %q alone", got, values)
	}
}
