package story

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/syncgate/syncgate/test/harness"
)

// What the story is about. The files are those of the example.
const (
	example   = "examples/mattermost-operator"
	folder    = "mattermost" // of the application in the repository
	gateName  = "mattermost"
	namespace = "mattermost"
	store     = "mattermost" // of the backups
	owner     = "acme"
	repoName  = "gitops"
	branch    = "upgrade-mattermost"
	oldTag    = "11.7.4"
	newTag    = "11.7.5"
)

// repo is the GitOps repository: bare on the server, and a developer's clone.
type repo struct {
	url   string
	login string // url, with a person's name and token
	bare  string
	work  string // the developer's clone
	argo  string // Argo CD's clone
}

// gateEdits make the example's Gate fit for a story of two minutes on one
// machine. Each must be found, or the example has changed.
func gateEdits(mattermost string) []struct{ old, new string } {
	return []struct{ old, new string }{
		{"    deadline: 45m\n", "    deadline: 2m\n    interval: 1s\n"},
		{"    deadline: 30m\n", "    deadline: 2m\n    interval: 1s\n"},
		{"errorGrace: 2m", "errorGrace: 2s"},
		{"https://${values.mattermostCR.spec.ingress.host}/api", mattermost + "/${cluster}/api"},
	}
}

// firstFiles are the repository's first commit.
func (s *Story) firstFiles() (map[string]string, error) {
	files, err := harness.ReadFolder(filepath.Join(s.opts.Root, filepath.FromSlash(example)))
	if err != nil {
		return nil, err
	}
	gate := files["syncgate.yaml"]
	for _, e := range gateEdits(s.mattermost) {
		if !strings.Contains(gate, e.old) {
			return nil, fmt.Errorf("shorten %s/syncgate.yaml: expected %q in it", example, e.old)
		}
		gate = strings.ReplaceAll(gate, e.old, e.new)
	}
	files["syncgate.yaml"] = gate
	all := map[string]string{"README.md": "# What acme runs\n"}
	for name, data := range files {
		all[folder+"/"+name] = data
	}
	return all, nil
}

// git runs git for the developer and shows it as it could be typed.
func (s *Story) git(ctx context.Context, args ...string) (string, error) {
	words := []string{"git", "-C", quote(s.repo.work)}
	for _, a := range args {
		words = append(words, quote(a))
	}
	s.screen.command(words...)
	return harness.Git(ctx, s.repo.work, args...)
}

// bump raises the version in one cluster's values, as sed would.
func (s *Story) bump(cluster string) error {
	file := filepath.Join(s.repo.work, folder, "clusters", cluster, "values.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	old, tag := "version: "+oldTag, "version: "+newTag
	if strings.Count(string(data), old) != 1 {
		return fmt.Errorf("raise the version in %s: expected %q once in it", file, old)
	}
	s.screen.command("sed", "-i", fmt.Sprintf("'s/%s/%s/'", old, tag), quote(file))
	return os.WriteFile(file, []byte(strings.Replace(string(data), old, tag, 1)), 0o600)
}

// head is the commit that a branch points at on the server.
func (r *repo) head(ctx context.Context, branch string) (string, error) {
	return harness.Git(ctx, r.bare, "rev-parse", "--verify", "refs/heads/"+branch)
}

// checkout brings Argo CD's clone to a revision, as its repo-server does.
func (r *repo) checkout(ctx context.Context, revision string) error {
	if _, err := os.Stat(r.argo); os.IsNotExist(err) {
		if _, err := harness.Git(ctx, "", "clone", "--quiet", "--no-checkout", r.login, r.argo); err != nil {
			return err
		}
	}
	if _, err := harness.Git(ctx, r.argo, "fetch", "--quiet", "origin", revision); err != nil {
		return err
	}
	_, err := harness.Git(ctx, r.argo, "checkout", "--quiet", "--force", revision)
	return err
}

// backup writes a database dump of a cluster into the folder, its checksum
// beside it. The dump takes its place last, whole.
func (s *Story) backup(cluster string) (string, error) {
	dir := s.stage.Path("backups", cluster, "postgres")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := filepath.Join(dir, time.Now().UTC().Format("20060102T150405Z")+".dump")
	data := make([]byte, 2<<20)
	_, _ = rand.Read(data)
	sum := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), filepath.Base(name))
	if err := os.WriteFile(name+".sha256", []byte(sum), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(name+".part", data, 0o600); err != nil {
		return "", err
	}
	return name, os.Rename(name+".part", name)
}
