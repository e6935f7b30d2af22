// Package gitops_test runs forges and reverts against real Git servers and a
// GitHub that keeps state.
package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/gitops/revert"
	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/githubd/npm"
	"github.com/syncgate/syncgate/test/githubd/openapi"
	"github.com/syncgate/syncgate/test/gitops/source"
	"github.com/syncgate/syncgate/test/harness"
)

const token = "s3cr3t-t0ken"

var loadSpec = sync.OnceValues(func() (*openapi.Spec, error) {
	return openapi.Load(context.Background(), filepath.Join("..", "..", ".cache", "githubd"))
})

// world is a repository, the server it is on, and what speaks to them.
type world struct {
	t     *testing.T
	src   *source.Repo
	d     *githubd.Server // nil beside a plain Git server
	url   string
	repo  *git.Repository
	forge forge.Forge
	rev   gitops.Reverter
	dir   string // of the plain forge
}

type kind string

const (
	onGitHub     kind = "github"
	onEnterprise kind = "enterprise"
	onPlain      kind = "plain"
)

// newWorld makes a world of its own, and lets the test run beside others.
func newWorld(t *testing.T, k kind, apps ...githubd.App) *world {
	t.Helper()
	t.Parallel()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, src: source.New(t, filepath.Join(root, "acme", "fleet.git"))}
	if k == onPlain {
		srv, err := harness.StartGit(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = srv.Stop() })
		w.url = srv.URL
		w.dir = t.TempDir()
	} else {
		w.serveGitHub(root, k, apps)
	}
	w.connect(k)
	return w
}

// serveGitHub starts a githubd whose every call is held against GitHub's own
// description; where npm is not installed, it is not.
func (w *world) serveGitHub(root string, k kind, apps []githubd.App) {
	w.t.Helper()
	w.d = githubd.New(githubd.Options{Root: root, Tokens: map[string]string{token: "gate-bot"}, Apps: apps})
	var h http.Handler = w.d
	spec, err := loadSpec()
	switch {
	case err == nil:
		h = spec.Wrap(w.d, func(err error) { w.t.Error(err) })
	case !errors.Is(err, npm.ErrMissing) || os.Getenv("CI") != "":
		w.t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if enterprise := strings.HasPrefix(r.URL.Path, "/api/v3/"); enterprise != (k == onEnterprise) && strings.Contains(r.URL.Path, "/repos/") {
			w.t.Errorf("call of %s on %s", r.URL.Path, k)
		}
		h.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(srv.Close)
	w.url = srv.URL
}

// connect makes what speaks to the servers, as a process does when it starts.
func (w *world) connect(k kind) {
	w.t.Helper()
	tok := func(context.Context) (string, error) { return token, nil }
	repo, err := git.Open(w.t.Context(), git.Options{URL: w.url + "/acme/fleet.git", Dir: w.t.TempDir(), Token: tok})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = repo.Close() })
	w.repo = repo
	if k == onPlain {
		w.forge, err = forge.NewPlain(repo, forge.PlainOptions{Dir: w.dir})
	} else {
		opts := forge.GitHubOptions{
			BaseURL: w.url + "/", Owner: "acme", Repo: "fleet", Token: tok, Backoff: time.Millisecond, MaxWait: 2 * time.Second,
		}
		if k == onGitHub {
			// github.com has no /api/v3 in its paths; a transport stands in
			// for its address.
			opts.BaseURL, opts.Transport = "", toHost{strings.TrimPrefix(w.url, "http://")}
		}
		w.forge, err = forge.NewGitHub(opts)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.rev = revert.New(repo, w.forge, revert.Options{})
}

// toHost sends calls of https://api.github.com/ to another host.
type toHost struct{ host string }

func (h toHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "api.github.com" {
		return nil, errors.New("expected a call of api.github.com, found " + r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", h.host
	return http.DefaultTransport.RoundTrip(r)
}

// request asks for the revert of a change on cluster eu. Everything under
// apps/ is guarded.
func request(good, failing string) gitops.RevertRequest {
	return gitops.RevertRequest{
		Gate: "mattermost", Cluster: "eu", Failing: failing, LastGood: good, Base: "main",
		Guarded: func(p string) bool { return strings.HasPrefix(p, "apps/") },
		Labels:  []string{"team-chat"},
		Failures: []gitops.Failure{{
			Name: "pods", Status: "Fail", Reason: "pod mattermost/mm-1: expected Running, found CrashLoopBackOff",
			Evidence: []string{"pod mattermost/mm-1: back-off 5m0s restarting failed container"},
		}},
		Backup: "s3://backups/eu/2026-01-01.sql.gz, taken 2026-01-01T03:00:00Z, proof complete",
		RunURL: "https://syncgate.example/runs/1",
	}
}

func branchOf(failing string) string { return "syncgate/revert/mattermost/" + failing[:12] }

// must reverts and ends the test on an error.
func (w *world) must(req gitops.RevertRequest) gitops.Outcome {
	w.t.Helper()
	out, err := w.rev.Revert(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// want reverts and compares the action.
func (w *world) want(action gitops.Action, req gitops.RevertRequest) gitops.Outcome {
	w.t.Helper()
	out := w.must(req)
	if out.Action != action {
		w.t.Fatalf("outcome %+v, want %s", out, action)
	}
	if out.Reason == "" || (out.URL == "") != (action == gitops.None) && action != gitops.None {
		w.t.Errorf("outcome %+v lacks a reason or a URL", out)
	}
	return out
}

// pulls are the pull requests of a failing revision, newest first.
func (w *world) pulls(failing string) []forge.PullRequest {
	w.t.Helper()
	list, err := w.forge.FindPullRequests(w.t.Context(), branchOf(failing))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) hasBranch(name string) bool {
	w.t.Helper()
	_, err := w.repo.Branch(w.t.Context(), name)
	if err != nil && !errors.Is(err, gitops.ErrNoBranch) {
		w.t.Fatal(err)
	}
	return err == nil
}

// lines makes a file of n lines; each of changes replaces one.
func lines(n int, changes map[int]string) string {
	var b strings.Builder
	for i := range n {
		if c, ok := changes[i]; ok {
			b.WriteString(c + "\n")
			continue
		}
		b.WriteString("line: " + strings.Repeat("x", i%7+1) + string(rune('a'+i%26)) + "\n")
	}
	return b.String()
}

// mergePull merges a pull request as a person does on GitHub's page.
func (w *world) mergePull(number int, method, text string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"merge_method":%q,"commit_message":%q}`, method, text)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut,
		fmt.Sprintf("%s/repos/acme/fleet/pulls/%d/merge", w.url, number), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("merge of %d: %s", number, resp.Status)
	}
}
