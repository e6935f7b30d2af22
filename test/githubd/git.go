package githubd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var shaForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// git runs git on the repository.
func (r *repository) git(stdin []byte, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "GIT_DIR=" + r.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=GitHub", "GIT_AUTHOR_EMAIL=noreply@github.com",
		"GIT_COMMITTER_NAME=GitHub", "GIT_COMMITTER_EMAIL=noreply@github.com",
	}, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("git %s: %w: %s", args[0], err, stderr.String())
	}
	return string(out), nil
}

// resolve is what a revision means, "" when nothing.
func (r *repository) resolve(rev string) string {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return ""
	}
	out, err := r.git(nil, nil, "rev-parse", "--quiet", "--verify", rev)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func (r *repository) ref(name string) string { return r.resolve("refs/" + name) }

func (r *repository) branch(name string) string { return r.ref("heads/" + name) }

// kind is the type of an object, "" when there is none.
func (r *repository) kind(sha string) string {
	if !shaForm.MatchString(sha) {
		return ""
	}
	out, err := r.git(nil, nil, "cat-file", "-t", sha)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func (r *repository) defaultBranch() string {
	b, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	name, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "ref: refs/heads/")
	if err != nil || !ok {
		return "main"
	}
	return name
}

// setRef points a reference at an object; empty old means that it is new.
func (r *repository) setRef(name, sha, old string) error {
	if old == "" {
		old = strings.Repeat("0", 40)
	}
	_, err := r.git(nil, nil, "update-ref", "refs/"+name, sha, old)
	return err
}

// merge is the tree of two commits merged, or that they conflict.
func (r *repository) merge(ours, theirs string) (tree string, clean bool) {
	out, err := r.git(nil, nil, "merge-tree", "--write-tree", "--no-messages", ours, theirs)
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(out), true
}

func (r *repository) mergeBase(a, b string) string {
	out, err := r.git(nil, nil, "merge-base", a, b)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func (r *repository) isAncestor(a, b string) bool {
	_, err := r.git(nil, nil, "merge-base", "--is-ancestor", a, b)
	return err == nil
}

// count is how many commits to has that from has not.
func (r *repository) count(from, to string) int {
	return len(r.list(from, to))
}

func (r *repository) list(from, to string) []string {
	out, err := r.git(nil, nil, "rev-list", "--reverse", "--max-count=250", from+".."+to)
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

// commit is a commit's data.
type commit struct {
	sha, tree, message                string
	parents                           []string
	authorName, authorEmail, authored string
	committerName, committerEmail     string
	committed                         string
}

func (r *repository) commit(sha string) (commit, error) {
	out, err := r.git(nil, nil, "show", "--no-patch", "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B", sha)
	if err != nil {
		return commit{}, err
	}
	f := strings.SplitN(out, "\n", 10)
	if len(f) < 10 {
		return commit{}, fmt.Errorf("read commit %s: %q", sha, out)
	}
	return commit{
		sha: f[0], tree: f[1], parents: strings.Fields(f[2]),
		authorName: f[3], authorEmail: f[4], authored: f[5],
		committerName: f[6], committerEmail: f[7], committed: f[8],
		message: strings.TrimRight(f[9], "\n"),
	}, nil
}
