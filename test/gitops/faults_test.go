package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/test/githubd"
)

// whole checks that there is exactly one open pull request, of one commit, with
// its labels.
func (w *world) whole(good, bad string) {
	w.t.Helper()
	pulls := w.pulls(bad)
	if len(pulls) != 1 || pulls[0].State != forge.Open {
		w.t.Fatalf("pull requests %+v, want one open", pulls)
	}
	if got := strings.Join(pulls[0].Labels, " "); got != "syncgate team-chat" {
		w.t.Errorf("labels %q", got)
	}
	if n := w.src.Bare("rev-list", "--count", "main.."+branchOf(bad)); n != "1" {
		w.t.Errorf("%s commits on the branch", n)
	}
	if got, want := w.src.Tree(branchOf(bad)), w.src.Tree(good); got != want {
		w.t.Errorf("tree %s, want that of the last good revision %s", got, want)
	}
	if n := w.src.Bare("for-each-ref", "--format=%(refname)", "refs/heads/syncgate/"); n != "refs/heads/"+branchOf(bad) {
		w.t.Errorf("branches %q", n)
	}
}

// Another replica opens the pull request in the moment before this one does.
func TestAlreadyExistsRace(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	other, err := forge.NewGitHub(forge.GitHubOptions{
		Owner: "acme", Repo: "fleet", Transport: toHost{strings.TrimPrefix(w.url, "http://")},
		Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.d.Fail(githubd.Fault{Method: "POST", Path: "/pulls$", Times: 1, Kind: "none", Do: func() {
		_, err := other.OpenPullRequest(context.Background(), forge.NewPullRequest{
			Head: branchOf(bad), Base: "main", Title: "the other's", Labels: []string{"syncgate", "team-chat"},
			Body: "<!-- syncgate:revert gate=mattermost revision=" + bad + " -->\n<!-- syncgate:cluster name=eu -->\n",
		})
		if err != nil {
			t.Error(err)
		}
	}})
	w.want(gitops.PullRequest, request(good, bad))
	w.whole(good, bad)
}

func TestForbidden(t *testing.T) {
	tests := map[string]struct {
		fault githubd.Fault
		want  []string
	}{
		"opening": {
			githubd.Fault{Method: "POST", Path: "/pulls$", Status: 403, Message: "Resource not accessible by integration", Permissions: "pull_requests=write"},
			[]string{"open pull request in acme/fleet", "403", "Resource not accessible", "pull_requests=write"},
		},
		"opening, hidden": {
			githubd.Fault{Method: "POST", Path: "/pulls$", Status: 404, Message: "Not Found"},
			[]string{"open pull request in acme/fleet", "404", "pull_requests: write"},
		},
		"pushing": {
			githubd.Fault{Method: "POST", Path: "/git/refs$", Status: 403, Message: "Resource not accessible by personal access token"},
			[]string{"create branch in acme/fleet", "contents: write"},
		},
		"token expired": {
			githubd.Fault{Method: "GET", Path: "/pulls$", Status: 401, Message: "Bad credentials"},
			[]string{"list pull requests in acme/fleet", "401", "replace it in its file"},
		},
		"issues are off": {
			githubd.Fault{Method: "POST", Path: "/issues$", Status: 410, Message: "Issues has been disabled in this repository."},
			[]string{"open issue in acme/fleet", "turn it on"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			req := request(good, bad)
			action := gitops.PullRequest
			if name == "issues are off" {
				req.LastGood, action = "", gitops.Issue
			}
			w.d.Fail(tt.fault)
			_, err := w.rev.Revert(t.Context(), req)
			if !errors.Is(err, forge.ErrRefused) {
				t.Fatalf("error %v, want ErrRefused", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("error holds the token: %v", err)
			}
			if w.hasBranch(branchOf(bad)) {
				t.Error("a stray branch is left")
			}
			w.d.Heal()
			w.want(action, req)
		})
	}
}

// A branch that an earlier call left is not this call's to delete.
func TestForbiddenKeepsAnOlderBranch(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	w.d.Fail(githubd.Fault{Method: "POST", Path: "/pulls$", Times: 4, Status: 502, Message: "Server Error"})
	if _, err := w.rev.Revert(t.Context(), request(good, bad)); err == nil || errors.Is(err, forge.ErrRefused) {
		t.Fatalf("with the server down: %v", err)
	}
	before := w.src.Bare("rev-parse", branchOf(bad))
	w.d.Fail(githubd.Fault{Method: "POST", Path: "/pulls$", Times: 1, Status: 403, Message: "no"})
	if _, err := w.rev.Revert(t.Context(), request(good, bad)); !errors.Is(err, forge.ErrRefused) {
		t.Fatalf("forbidden: %v", err)
	}
	w.want(gitops.PullRequest, request(good, bad))
	if got := w.src.Bare("rev-parse", branchOf(bad)); got != before {
		t.Errorf("branch %s, want the first call's %s", got, before)
	}
	w.whole(good, bad)
}

func TestRateLimits(t *testing.T) {
	for _, k := range []string{"rateLimit", "secondaryLimit", "tooMany"} {
		t.Run("short wait/"+k, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			w.d.Fail(githubd.Fault{Method: "POST", Path: "/git/commits$", Times: 1, Kind: k, RetryAfter: 1})
			w.want(gitops.PullRequest, request(good, bad))
			w.whole(good, bad)
		})
		t.Run("long wait/"+k, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			w.d.Fail(githubd.Fault{Method: "POST", Path: "/pulls$", Times: 1, Kind: k, RetryAfter: 90})
			_, err := w.rev.Revert(t.Context(), request(good, bad))
			var limited *forge.LimitedError
			if !errors.As(err, &limited) {
				t.Fatalf("error %v, want a LimitedError", err)
			}
			if wait := time.Until(limited.Until); wait < 60*time.Second || wait > 91*time.Second {
				t.Errorf("try again in %s, want 90s", wait)
			}
			if !strings.Contains(err.Error(), "open pull request in acme/fleet") || !strings.Contains(err.Error(), "until 20") {
				t.Errorf("error %q names neither call nor time", err)
			}
			w.connect(onGitHub) // go-github itself holds calls back until then
			w.want(gitops.PullRequest, request(good, bad))
			w.whole(good, bad)
		})
	}
}

// Every call fails once or twice, before or after it has done its work.
func TestServerErrors(t *testing.T) {
	for _, apply := range []bool{false, true} {
		for _, path := range []string{"/pulls$", "/git/trees$", "/git/commits$", "/git/refs$", "/labels$", "/issues", "/comments$", ""} {
			t.Run(fmt.Sprintf("%s applied=%v", path, apply), func(t *testing.T) {
				w := newWorld(t, onGitHub)
				good, bad := w.change()
				w.d.Fail(githubd.Fault{Path: path, Times: 2, Apply: apply, Status: 502, Message: "Server Error"})
				w.want(gitops.PullRequest, request(good, bad))
				us := request(good, bad)
				us.Cluster = "us"
				w.want(gitops.PullRequest, us)
				w.whole(good, bad)
				if n := w.comments(w.pulls(bad)[0].Number); n != 1 {
					t.Errorf("%d comments, want 1", n)
				}
			})
		}
	}
}

func TestServerErrorsWhileOpeningAnIssue(t *testing.T) {
	w := newWorld(t, onGitHub)
	_, bad := w.change()
	w.d.Fail(githubd.Fault{Method: "POST", Path: "/issues$", Times: 2, Apply: true, Status: 502, Message: "Server Error"})
	out := w.want(gitops.Issue, request("", bad))
	if !strings.HasSuffix(out.URL, "/issues/1") {
		t.Errorf("issue %s, want the first", out.URL)
	}
}

// The process dies at each of its calls, before or after the call has done its
// work; another one takes over.
func TestDyingAtAnyCall(t *testing.T) {
	for _, apply := range []bool{false, true} {
		for n := range 6 {
			t.Run(fmt.Sprintf("call %d done=%v", n+1, apply), func(t *testing.T) {
				w := newWorld(t, onGitHub)
				good, bad := w.change()
				ctx, die := context.WithCancel(t.Context())
				defer die()
				w.d.Calls()
				w.d.Fail(githubd.Fault{Skip: n, Times: 1, Apply: apply, Status: 502, Message: "nobody hears this", Do: die})
				if _, err := w.rev.Revert(ctx, request(good, bad)); n < 5 && !errors.Is(err, context.Canceled) {
					t.Fatalf("error %v, want context.Canceled", err)
				}
				if calls := len(w.d.Calls()); calls != n+1 {
					t.Errorf("%d calls before it died, want %d", calls, n+1)
				}
				w.connect(onGitHub)
				w.want(gitops.PullRequest, request(good, bad))
				w.whole(good, bad)
			})
		}
	}
}

func TestSettleDyingAtAnyCall(t *testing.T) {
	for n := range 9 {
		t.Run(fmt.Sprintf("call %d", n+1), func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			w.want(gitops.PullRequest, request(good, bad))
			ctx, die := context.WithCancel(t.Context())
			defer die()
			w.d.Fail(githubd.Fault{Skip: n, Times: 1, Apply: true, Status: 502, Message: "nobody hears this", Do: die})
			_ = w.rev.Settle(ctx, "mattermost", bad, "passed") // how it ends is shown by the next call
			w.connect(onGitHub)
			if err := w.rev.Settle(t.Context(), "mattermost", bad, "passed"); err != nil {
				t.Fatal(err)
			}
			pulls := w.pulls(bad)
			if len(pulls) != 1 || pulls[0].State != forge.Closed || w.hasBranch(branchOf(bad)) {
				t.Errorf("pull requests %+v, branch there: %v", pulls, w.hasBranch(branchOf(bad)))
			}
		})
	}
}

// A Git server that cannot be reached is trouble, not a reason to do nothing.
func TestGitServerDown(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	w.src.Bare("config", "core.repositoryFormatVersion", "99") // git refuses to serve it
	if out, err := w.rev.Revert(t.Context(), request(good, bad)); err == nil {
		t.Errorf("outcome %+v, want an error", out)
	}
}

func TestBaseBranchMissing(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	req := request(good, bad)
	req.Base = "production"
	if _, err := w.rev.Revert(t.Context(), req); !errors.Is(err, gitops.ErrNoBranch) || !strings.Contains(err.Error(), "production") {
		t.Errorf("error %v, want ErrNoBranch", err)
	}
}
