package world

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/syncgate/syncgate/test/harness"
)

// What every site begins with.
const (
	// Folder is the application's in the repository.
	Folder = "mattermost"
	// FirstVersion is what runs first.
	FirstVersion = "11.7.4"
	// Image is Mattermost's, without a tag.
	Image = "mattermost/mattermost-enterprise-edition"
)

// Site is an installation of Mattermost on both clusters, delivered from a
// repository of its own: that of examples/mattermost-operator, with times that
// fit a test.
type Site struct {
	Name string
	// URL is the repository's; Bare its folder.
	URL, Bare string

	w      *World
	github *github.Client
}

// Edit is one replacement in a file of the site, below Folder. Old must be in
// it.
type Edit struct{ File, Old, New string }

// makeSites makes the repositories and the first commits.
func (w *World) makeSites(ctx context.Context, opts Options) error {
	for _, name := range opts.Sites {
		s := &Site{Name: name, URL: w.GitHubURL + "/" + Owner + "/" + name + ".git", Bare: w.stage.Path("github", Owner, name+".git"), w: w}
		if err := harness.InitBare(ctx, s.Bare); err != nil {
			return err
		}
		api := w.GitHubURL + "/api/v3/"
		var err error
		if s.github, err = github.NewClient(nil).WithAuthToken(password).WithEnterpriseURLs(api, api); err != nil {
			return err
		}
		files, err := s.firstFiles()
		if err != nil {
			return err
		}
		commit := harness.Commit{Branch: "main", Message: "Run Mattermost " + FirstVersion, Files: files}
		if _, err := harness.CommitTo(ctx, s.Bare, commit); err != nil {
			return err
		}
		for _, c := range w.Clusters() {
			if _, err := s.Backup(c.Name); err != nil {
				return err
			}
		}
		w.sites[name] = s
	}
	return nil
}

// firstFiles are the example's, made fit for the site. Each replacement must be
// found, or the example has changed.
func (s *Site) firstFiles() (map[string]string, error) {
	files, err := harness.ReadFolder(filepath.Join(s.w.root, "examples", "mattermost-operator"))
	if err != nil {
		return nil, err
	}
	for _, e := range []Edit{
		{"syncgate.yaml", "  namespace: mattermost\n", "  namespace: " + s.Name + "\n"},
		{"syncgate.yaml", "    deadline: 45m\n", "    deadline: 8m\n    interval: 1s\n"},
		{"syncgate.yaml", "    deadline: 30m\n", "    deadline: 8m\n    interval: 1s\n"},
		{"syncgate.yaml", "errorGrace: 2m", "errorGrace: 2s"},
		{"syncgate.yaml", "prefix: ${cluster}/", "prefix: " + s.Name + "/${cluster}/"},
		{"syncgate.yaml", "https://${values.mattermostCR.spec.ingress.host}/api", s.w.app + "/" + s.Name + "/${cluster}/api"},
	} {
		if !strings.Contains(files[e.File], e.Old) {
			return nil, fmt.Errorf("make %s of the example: expected %q in it", e.File, e.Old)
		}
		files[e.File] = strings.ReplaceAll(files[e.File], e.Old, e.New)
	}
	all := map[string]string{"README.md": "# What acme runs\n"}
	for name, text := range files {
		all[Folder+"/"+name] = text
	}
	return all, nil
}

// Head is the commit that main points at.
func (s *Site) Head(ctx context.Context) (string, error) {
	return harness.Git(ctx, s.Bare, "rev-parse", "--verify", "refs/heads/main")
}

// Change commits edits to main and returns the commit.
func (s *Site) Change(ctx context.Context, message string, edits ...Edit) (string, error) {
	files := map[string]string{}
	for _, e := range edits {
		name := Folder + "/" + e.File
		if _, ok := files[name]; !ok {
			text, err := harness.Git(ctx, s.Bare, "show", "refs/heads/main:"+name)
			if err != nil {
				return "", err
			}
			files[name] = text + "\n"
		}
		if !strings.Contains(files[name], e.Old) {
			return "", fmt.Errorf("change %s: expected %q in it, found\n%s", name, e.Old, files[name])
		}
		files[name] = strings.ReplaceAll(files[name], e.Old, e.New)
	}
	return harness.CommitTo(ctx, s.Bare, harness.Commit{Branch: "main", Message: message, Files: files})
}

// Add commits files below Folder to main and returns the commit.
func (s *Site) Add(ctx context.Context, message string, files map[string]string) (string, error) {
	all := map[string]string{}
	for name, text := range files {
		all[Folder+"/"+name] = text
	}
	return harness.CommitTo(ctx, s.Bare, harness.Commit{Branch: "main", Message: message, Files: all})
}

// Remove commits to main that a file below Folder is gone, and returns the
// commit.
func (s *Site) Remove(ctx context.Context, message, file string) (string, error) {
	return harness.CommitTo(ctx, s.Bare, harness.Commit{Branch: "main", Message: message, Delete: []string{Folder + "/" + file}})
}

// Upgrade commits another version for clusters, all of them when none is named,
// and returns the commit.
func (s *Site) Upgrade(ctx context.Context, version string, clusters ...string) (string, error) {
	if len(clusters) == 0 {
		clusters = []string{"eu", "us"}
	}
	var edits []Edit
	for _, c := range clusters {
		file := "clusters/" + c + "/values.yaml"
		text, err := harness.Git(ctx, s.Bare, "show", "refs/heads/main:"+Folder+"/"+file)
		if err != nil {
			return "", err
		}
		_, rest, _ := strings.Cut(text, "version: ")
		now, _, _ := strings.Cut(rest, "\n")
		edits = append(edits, Edit{file, "version: " + now, "version: " + version})
	}
	return s.Change(ctx, "Upgrade Mattermost to "+version, edits...)
}

func (s *Site) backups(cluster string) string {
	return s.w.stage.Path("backups", s.Name, cluster, "postgres")
}

// Backup writes a fresh dump of a cluster's database into the store, its
// checksum beside it. The dump takes its place last, whole.
func (s *Site) Backup(cluster string) (name string, err error) {
	dir := s.backups(cluster)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name = filepath.Join(dir, time.Now().UTC().Format("20060102T150405.000Z")+".dump")
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

// AgeBackups sets the date of all of a cluster's backups back.
func (s *Site) AgeBackups(cluster string, by time.Duration) error {
	names, err := filepath.Glob(filepath.Join(s.backups(cluster), "*"))
	if err != nil {
		return err
	}
	at := time.Now().Add(-by)
	for _, name := range names {
		if err := os.Chtimes(name, at, at); err != nil {
			return err
		}
	}
	return nil
}

// PullRequests are all of the repository's, open or not.
func (s *Site) PullRequests(ctx context.Context) ([]*github.PullRequest, error) {
	list, _, err := s.github.PullRequests.List(ctx, Owner, s.Name, &github.PullRequestListOptions{State: "all"})
	if err != nil {
		return nil, fmt.Errorf("list pull requests of %s: %w", s.Name, err)
	}
	return list, nil
}

// AwaitPullRequest is the only pull request of the repository, once it is there.
func (s *Site) AwaitPullRequest(ctx context.Context) (pr *github.PullRequest, err error) {
	err = harness.Eventually(ctx, func(ctx context.Context) error {
		list, err := s.PullRequests(ctx)
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("pull requests of %s: expected one, found %d", s.Name, len(list))
		}
		if err == nil {
			pr = list[0]
		}
		return err
	})
	return pr, err
}

// Merge merges a pull request as a person does, and returns what main points at
// then.
func (s *Site) Merge(ctx context.Context, number int) (string, error) {
	res, _, err := s.github.PullRequests.Merge(ctx, Owner, s.Name, number, "", nil)
	if err != nil {
		return "", fmt.Errorf("merge pull request %d of %s: %w", number, s.Name, err)
	}
	return res.GetSHA(), nil
}

// Install makes the Applications of clusters, both when none is named, and has
// the first version pass the gate there, so that there is a good revision to go
// back to.
func (s *Site) Install(ctx context.Context, clusters ...string) error {
	if len(clusters) == 0 {
		clusters = []string{"eu", "us"}
	}
	var errs []error
	for _, c := range clusters {
		app := s.App(c)
		if err := app.Create(ctx); err != nil {
			return err
		}
		if out, err := app.Sync(ctx); err != nil {
			errs = append(errs, fmt.Errorf("install %s: %w\n%s", app.Name, err, out))
		}
	}
	return errors.Join(errs...)
}
