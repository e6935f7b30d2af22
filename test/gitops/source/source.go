// Package source makes Git repositories for tests: a bare one, as a server has
// it, that a test writes commits to with git itself.
package source

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repo is a bare repository and a work tree beside it.
type Repo struct {
	t testing.TB
	// Dir is the bare repository, Work a clone of it.
	Dir, Work string
}

// New makes an empty repository at dir, with the branch main.
func New(t testing.TB, dir string) *Repo {
	t.Helper()
	r := &Repo{t: t, Dir: dir, Work: t.TempDir()}
	r.git("", "init", "--quiet", "--bare", "--initial-branch=main", dir)
	for _, key := range []string{"uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"} {
		r.git("", "-C", dir, "config", key, "true")
	}
	r.git("", "clone", "--quiet", dir, r.Work)
	r.Git("checkout", "--quiet", "-B", "main")
	return r
}

// Git runs git in the work tree and returns what it wrote, without the space
// around it. It ends the test when git fails.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	return r.git(r.Work, args...)
}

// Bare runs git in the bare repository.
func (r *Repo) Bare(args ...string) string {
	r.t.Helper()
	return r.git(r.Dir, args...)
}

// Try is Git whose failure is an answer.
func (r *Repo) Try(args ...string) (string, error) {
	cmd := r.command(r.Work, args...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Write writes files into the work tree; empty content deletes the file.
func (r *Repo) Write(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.Work, filepath.FromSlash(name))
		if content == "" {
			if err := os.Remove(path); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Commit writes files, commits everything to the branch that is checked out,
// pushes it, and returns the commit.
func (r *Repo) Commit(message string, files map[string]string) string {
	r.t.Helper()
	r.Write(files)
	r.Git("add", "--all")
	r.Git("commit", "--quiet", "--allow-empty", "-m", message)
	return r.Push()
}

// Push pushes HEAD to the branch of the same name and returns the commit.
func (r *Repo) Push() string {
	r.t.Helper()
	r.Git("push", "--quiet", "--force", "origin", "HEAD")
	return r.Git("rev-parse", "HEAD")
}

// Tree is the tree of a revision in the bare repository.
func (r *Repo) Tree(rev string) string {
	r.t.Helper()
	return r.Bare("rev-parse", rev+"^{tree}")
}

func (r *Repo) git(dir string, args ...string) string {
	r.t.Helper()
	cmd := r.command(dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (r *Repo) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_EDITOR=true",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
	)
	return cmd
}

// Shell runs a script in the work tree, which ends at the first command that
// fails.
func (r *Repo) Shell(script string) (string, error) {
	cmd := r.command(r.Work)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-e", "-c", script}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
