package story

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/harness"
)

// PullRequest is what a person sees of one.
type PullRequest struct {
	Number int
	URL    string
	Title  string
	Body   string
	Branch string
	Base   string
	Labels []string
	Open   bool
}

// The person who upgrades, and the token that stands for her.
const (
	person   = "ada"
	password = "demo"
)

// forge is the GitHub front, and a person who uses it.
type forge struct {
	api     string // base URL of the REST API
	token   string // Syncgate's
	client  *github.Client
	upgrade int // the number of the upgrade's pull request
}

// startForge makes the bare repository and serves it, by GitHub's API and by
// smart HTTP.
func (s *Story) startForge(ctx context.Context) error {
	root := s.stage.Path("github")
	s.repo = &repo{bare: filepath.Join(root, owner, repoName+".git"), work: s.stage.Path("work"), argo: s.stage.Path("argocd")}
	if err := harness.InitBare(ctx, s.repo.bare); err != nil {
		return err
	}
	s.forge = &forge{token: rand.Text()}
	url, err := s.serve(ctx, githubd.New(githubd.Options{Root: root, Tokens: map[string]string{
		s.forge.token: "syncgate", password: person,
	}}))
	if err != nil {
		return err
	}
	path := "/" + owner + "/" + repoName + ".git"
	s.forge.api = url + "/api/v3/"
	s.repo.url = url + path
	s.repo.login = strings.Replace(url, "http://", "http://"+person+":"+password+"@", 1) + path
	s.forge.client, err = github.NewClient(nil).WithAuthToken(password).WithEnterpriseURLs(s.forge.api, s.forge.api)
	return err
}

// startMattermost serves what a healthy Mattermost answers when it is pinged.
func (s *Story) startMattermost(ctx context.Context) (err error) {
	s.mattermost, err = s.serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/api/v4/system/ping") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "OK", "database_status": "OK", "filestore_status": "OK"})
	}))
	return err
}

// serve serves a handler on a free port until the story stops.
func (s *Story) serve(ctx context.Context, handler http.Handler) (url string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	s.stops = append(s.stops, server.Close)
	return "http://" + l.Addr().String(), nil
}

// open opens a pull request into main.
func (f *forge) open(ctx context.Context, branch, title string) (int, string, error) {
	pr, _, err := f.client.PullRequests.Create(ctx, owner, repoName, &github.NewPullRequest{
		Title: &title, Head: &branch, Base: github.String("main"),
	})
	if err != nil {
		return 0, "", fmt.Errorf("open pull request: %w", err)
	}
	return pr.GetNumber(), pr.GetHTMLURL(), nil
}

// merge merges a pull request and returns what main points at then.
func (f *forge) merge(ctx context.Context, number int) (string, error) {
	res, _, err := f.client.PullRequests.Merge(ctx, owner, repoName, number, "", nil)
	if err != nil {
		return "", fmt.Errorf("merge pull request: %w", err)
	}
	return res.GetSHA(), nil
}

// find is the only pull request of a branch.
func (f *forge) find(ctx context.Context, branch string) (PullRequest, error) {
	list, _, err := f.client.PullRequests.List(ctx, owner, repoName, &github.PullRequestListOptions{State: "all", Head: owner + ":" + branch})
	if err != nil {
		return PullRequest{}, fmt.Errorf("find pull request: %w", err)
	}
	if len(list) != 1 {
		return PullRequest{}, fmt.Errorf("find pull request of %s: expected one, found %d", branch, len(list))
	}
	pr := list[0]
	out := PullRequest{
		Number: pr.GetNumber(), URL: pr.GetHTMLURL(), Title: pr.GetTitle(), Body: pr.GetBody(),
		Branch: pr.GetHead().GetRef(), Base: pr.GetBase().GetRef(), Open: pr.GetState() == "open",
	}
	for _, l := range pr.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	return out, nil
}
