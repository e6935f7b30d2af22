package git_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/gitops/git"
)

func TestOpenLocal(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("init", "-q", "-b", "main")
	for _, text := range []string{"one", "two"} {
		write("apps/a.txt", text)
		run("add", ".")
		run("commit", "-q", "-m", text)
	}
	write("apps/a.txt", "not committed")
	tree := filepath.Join(t.TempDir(), "beside")
	run("worktree", "add", "-q", "--detach", tree, "HEAD~1")

	tests := []struct{ name, dir, revision, file, want string }{
		{"a branch", dir, "main", "apps/a.txt", "two"},
		{"an earlier commit", dir, "HEAD~1", "apps/a.txt", "one"},
		{"a folder of the repository", filepath.Join(dir, "apps"), "main", "a.txt", "two"},
		{"a worktree beside", tree, "main", "apps/a.txt", "two"},
		{"its own HEAD", tree, "HEAD", "apps/a.txt", "one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := git.OpenLocal(t.Context(), tt.dir, tt.revision)
			if err != nil {
				t.Fatal(err)
			}
			got, err := fs.ReadFile(l.FS, tt.file)
			if err != nil || string(got) != tt.want || len(l.Revision) != 40 {
				t.Errorf("read %q at %s, %v; want %q", got, l.Revision, err, tt.want)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, revision := range []string{"nosuch", "--all", "", "HEAD~9"} {
		if l, err := git.OpenLocal(t.Context(), dir, revision); err == nil {
			t.Errorf("%q is taken for %s", revision, l.Revision)
		} else if !strings.Contains(err.Error(), "no such commit") {
			t.Errorf("%q: error %v", revision, err)
		}
	}
	if _, err := git.OpenLocal(t.Context(), t.TempDir(), "HEAD"); err == nil {
		t.Error("a folder without a repository has a HEAD")
	}
	if out := run("status", "--porcelain"); out != "M apps/a.txt" {
		t.Errorf("the repository was changed: %s", out)
	}
}
