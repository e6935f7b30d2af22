package gitops_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/revert"
)

// change commits a good and a bad revision of a values file.
func (w *world) change() (good, bad string) {
	w.t.Helper()
	good = w.src.Commit("good", map[string]string{values: lines(30, nil)})
	return good, w.src.Commit("bad", map[string]string{values: lines(30, map[int]string{7: "bad: 1"})})
}

// However often the hook fires, there is one pull request.
func TestRevertIsIdempotent(t *testing.T) {
	for _, k := range []kind{onGitHub, onEnterprise, onPlain} {
		t.Run(string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			first := w.want(gitops.PullRequest, request(good, bad))
			again := w.want(gitops.PullRequest, request(good, bad))
			w.connect(k) // as after a restart
			after := w.want(gitops.PullRequest, request(good, bad))
			if first.URL != again.URL || first.URL != after.URL {
				t.Errorf("URLs %s, %s, %s", first.URL, again.URL, after.URL)
			}
			pulls := w.pulls(bad)
			if len(pulls) != 1 {
				t.Fatalf("%d pull requests", len(pulls))
			}
			for _, want := range []string{
				"<!-- syncgate:revert gate=mattermost revision=" + bad + " -->", "`pods`", "CrashLoopBackOff", good,
				"s3://backups/eu/2026-01-01.sql.gz", "does not revert the database", "https://syncgate.example/runs/1", values,
			} {
				if !strings.Contains(pulls[0].Body, want) {
					t.Errorf("body lacks %q:\n%s", want, pulls[0].Body)
				}
			}
			if got := strings.Join(pulls[0].Labels, " "); got != "syncgate team-chat" {
				t.Errorf("labels %q", got)
			}
			said, err := w.forge.HasComment(t.Context(), pulls[0].Number, "")
			if err != nil || said {
				t.Errorf("a comment was made where nothing was new: %v, %v", said, err)
			}
		})
	}
}

func TestTwoClustersOneRevision(t *testing.T) {
	for _, k := range []kind{onGitHub, onPlain} {
		t.Run(string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			eu, us := request(good, bad), request(good, bad)
			us.Cluster = "us"
			first := w.want(gitops.PullRequest, eu)
			for range 3 {
				if out := w.want(gitops.PullRequest, us); out.URL != first.URL {
					t.Errorf("second cluster: %s, want %s", out.URL, first.URL)
				}
			}
			w.want(gitops.PullRequest, eu)
			if n := w.comments(w.pulls(bad)[0].Number); n != 1 {
				t.Errorf("%d comments, want one for the second cluster", n)
			}
		})
	}
}

// comments counts the comments of ours that name a cluster.
func (w *world) comments(number int) int {
	n := 0
	for _, c := range []string{"eu", "us", "asia"} {
		said, err := w.forge.HasComment(w.t.Context(), number, "<!-- syncgate:cluster name="+c+" -->")
		if err != nil {
			w.t.Fatal(err)
		}
		if said {
			n++
		}
	}
	return n
}

func TestConcurrentReverts(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	// The second Reverter is another replica: it shares nothing but GitHub.
	second := revert.New(w.repo, w.forge, revert.Options{})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			rev := w.rev
			if i%2 == 1 {
				rev = second
			}
			req := request(good, bad)
			out, err := rev.Revert(t.Context(), req)
			if err != nil || out.Action != gitops.PullRequest {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
	wg.Wait()
	if n := len(w.pulls(bad)); n != 1 {
		t.Errorf("%d pull requests", n)
	}
}

// What was decided about a pull request stays.
func TestDecisionsStand(t *testing.T) {
	for _, k := range []kind{onGitHub, onPlain} {
		t.Run("closed by a person/"+string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			w.want(gitops.PullRequest, request(good, bad))
			w.src.Git("push", "--quiet", "origin", ":"+branchOf(bad)) // deleting the branch closes it
			out := w.want(gitops.None, request(good, bad))
			if !strings.Contains(out.Reason, "a person closed") || out.URL == "" {
				t.Errorf("outcome %+v", out)
			}
			if w.hasBranch(branchOf(bad)) {
				t.Error("the branch is there again")
			}
		})
		t.Run("merged/"+string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			w.want(gitops.PullRequest, request(good, bad))
			w.src.Git("fetch", "--quiet")
			w.src.Git("merge", "--quiet", "--no-ff", "-m", "merge", "origin/"+branchOf(bad))
			w.src.Push()
			if out := w.want(gitops.None, request(good, bad)); !strings.Contains(out.Reason, "merged") {
				t.Errorf("outcome %+v", out)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	for _, k := range []kind{onGitHub, onPlain} {
		t.Run(string(k), func(t *testing.T) {
			w := newWorld(t, k)
			ctx := t.Context()
			good, bad := w.change()
			const why = "all checks passed on eu at the second attempt"
			if err := w.rev.Settle(ctx, "mattermost", bad, why); err != nil {
				t.Fatalf("with nothing there: %v", err)
			}
			w.want(gitops.PullRequest, request(good, bad))
			for range 2 {
				if err := w.rev.Settle(ctx, "mattermost", bad, why); err != nil {
					t.Fatal(err)
				}
			}
			pulls := w.pulls(bad)
			if len(pulls) != 1 || pulls[0].State != forge.Closed || w.hasBranch(branchOf(bad)) {
				t.Errorf("pull requests %+v, branch %v", pulls, w.hasBranch(branchOf(bad)))
			}
			// It fails once more: what was settled by us does not stand in the way.
			w.want(gitops.PullRequest, request(good, bad))
			pulls = w.pulls(bad)
			if len(pulls) != 2 || pulls[0].State != forge.Open || pulls[1].State != forge.Closed {
				t.Errorf("pull requests %+v", pulls)
			}
			// Merged ones are left alone.
			w.src.Git("fetch", "--quiet")
			w.src.Git("merge", "--quiet", "--no-ff", "-m", "merge", "origin/"+branchOf(bad))
			w.src.Push()
			if err := w.rev.Settle(ctx, "mattermost", bad, why); err != nil {
				t.Fatal(err)
			}
			if !w.hasBranch(branchOf(bad)) {
				t.Error("the branch of a merged pull request was deleted")
			}
		})
	}
}

func TestConflictBecomesAnIssue(t *testing.T) {
	for _, k := range []kind{onGitHub, onPlain} {
		t.Run(string(k), func(t *testing.T) {
			w := newWorld(t, k)
			good, bad := w.change()
			w.src.Commit("later", map[string]string{values: lines(30, map[int]string{7: "later: 1"})})
			first := w.want(gitops.Issue, request(good, bad))
			us := request(good, bad)
			us.Cluster = "us"
			for _, req := range []gitops.RevertRequest{request(good, bad), us, us} {
				if out := w.want(gitops.Issue, req); out.URL != first.URL {
					t.Errorf("again: %s, want %s", out.URL, first.URL)
				}
			}
			if len(w.pulls(bad)) != 0 || w.hasBranch(branchOf(bad)) {
				t.Error("there is a pull request or a branch")
			}
			marker := "<!-- syncgate:issue gate=mattermost revision=" + bad + " -->"
			is, err := w.forge.FindIssue(t.Context(), marker, "syncgate")
			if err != nil || is == nil {
				t.Fatal(is, err)
			}
			for _, want := range []string{values, "git apply --3way", good, "does not revert the database"} {
				if !strings.Contains(is.Body, want) {
					t.Errorf("body lacks %q:\n%s", want, is.Body)
				}
			}
			if n := w.comments(is.Number); n != 1 {
				t.Errorf("%d comments, want one for the second cluster", n)
			}
			w.byHand(is.Body)
			// And the same is settled when the revision passes.
			if err := w.rev.Settle(t.Context(), "mattermost", bad, "passed"); err != nil {
				t.Fatal(err)
			}
			if is, err = w.forge.FindIssue(t.Context(), marker, "syncgate"); err != nil || is.State != forge.Closed {
				t.Errorf("after Settle: %+v, %v", is, err)
			}
			w.want(gitops.None, request(good, bad))
		})
	}
}

// byHand runs the commands of the issue up to the conflict, as a person would.
func (w *world) byHand(body string) {
	w.t.Helper()
	_, after, ok := strings.Cut(body, "### By hand\n\n```text\n")
	block, _, ok2 := strings.Cut(after, "\n```")
	if !ok || !ok2 {
		w.t.Fatalf("no commands in:\n%s", body)
	}
	commands, _, _ := strings.Cut(block, "# mend the conflicts")
	if out, err := w.src.Shell(commands); err == nil || !strings.Contains(out, "with conflicts") {
		w.t.Errorf("commands by hand: %v\n%s", err, out)
	}
	w.src.Git("checkout", "--quiet", "--force", "main")
}

func TestNothingToDoAndNothingToGuess(t *testing.T) {
	tests := map[string]struct {
		make   func(w *world) gitops.RevertRequest
		action gitops.Action
		reason string
	}{
		"reverted already": {func(w *world) gitops.RevertRequest {
			good, bad := w.change()
			w.src.Commit("back", map[string]string{values: lines(30, nil), "other": "x\n"})
			return request(good, bad)
		}, gitops.None, "reverted already"},
		"no guarded file changed": {func(w *world) gitops.RevertRequest {
			good := w.src.Commit("good", map[string]string{values: "a\n"})
			return request(good, w.src.Commit("docs", map[string]string{"docs/x": "1\n"}))
		}, gitops.None, "the cause lies elsewhere"},
		"passed before": {func(w *world) gitops.RevertRequest {
			_, bad := w.change()
			return request(bad, bad)
		}, gitops.None, "has passed on eu before"},
		"force-pushed away": {func(w *world) gitops.RevertRequest {
			good, bad := w.change()
			w.src.Git("reset", "--quiet", "--hard", good)
			w.src.Commit("other", map[string]string{"other": "1\n"})
			return request(good, bad)
		}, gitops.None, "is not (any more) part of branch main"},
		"no last good": {func(w *world) gitops.RevertRequest {
			_, bad := w.change()
			return request("", bad)
		}, gitops.Issue, "no revision is known"},
		"last good on another branch": {func(w *world) gitops.RevertRequest {
			good, bad := w.change()
			w.src.Git("checkout", "--quiet", "-b", "side", good)
			side := w.src.Commit("side", map[string]string{"s": "1\n"})
			return request(side, bad)
		}, gitops.Issue, "not part of the failing one's history"},
		"branch taken": {func(w *world) gitops.RevertRequest {
			good, bad := w.change()
			w.src.Git("push", "--quiet", "origin", good+":refs/heads/"+branchOf(bad))
			return request(good, bad)
		}, gitops.Issue, "holds something else"},
		"forged branch": {func(w *world) gitops.RevertRequest {
			good, bad := w.change()
			w.src.Git("checkout", "--quiet", "-b", "forged")
			w.src.Write(map[string]string{values: "evil\n"})
			w.src.Git("commit", "--quiet", "--all", "-m", "Revert\n\nSyncgate-Reverts: "+bad+"\nSyncgate-Gate: mattermost")
			w.src.Git("push", "--quiet", "origin", "HEAD:refs/heads/"+branchOf(bad))
			return request(good, bad)
		}, gitops.Issue, "holds something else"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			req := tt.make(w)
			for range 2 {
				out := w.want(tt.action, req)
				if !strings.Contains(out.Reason, tt.reason) {
					t.Errorf("reason %q, want %q in it", out.Reason, tt.reason)
				}
			}
			if len(w.pulls(req.Failing)) != 0 {
				t.Error("a pull request is open")
			}
		})
	}
}

// A revert that fails is not reverted, however it was merged.
func TestNoRevertOfARevert(t *testing.T) {
	type step func(w *world, bad string) string // merges the revert and returns the new head
	put := func(method string) step {
		return func(w *world, bad string) string {
			w.mergePull(w.pulls(bad)[0].Number, method, "")
			return w.src.Bare("rev-parse", "main")
		}
	}
	ways := map[string]step{
		"merge commit": put("merge"),
		"squashed":     put("squash"),
		"squashed with the title alone": func(w *world, bad string) string {
			w.mergePull(w.pulls(bad)[0].Number, "squash", " ")
			return w.src.Bare("rev-parse", "main")
		},
		"rebased": func(w *world, bad string) string {
			w.src.Git("fetch", "--quiet")
			w.src.Git("cherry-pick", "origin/"+branchOf(bad))
			return w.src.Push()
		},
	}
	for name, merge := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good, bad := w.change()
			w.src.Commit("later", map[string]string{values: lines(30, map[int]string{7: "bad: 1", 25: "later"})})
			w.want(gitops.PullRequest, request(good, bad))
			reverted := merge(w, bad)
			out := w.want(gitops.Issue, request(good, reverted))
			if !strings.Contains(out.Reason, "is itself a revert by Syncgate") {
				t.Errorf("reason %q", out.Reason)
			}
			// After a revision that passed, the range holds no revert any more.
			w.src.Git("pull", "--quiet", "--rebase", "origin", "main")
			next := w.src.Commit("next", map[string]string{values: lines(30, map[int]string{25: "later", 12: "next"})})
			w.want(gitops.PullRequest, request(reverted, next))
		})
	}
}

// The revert of another Gate's change stands in the way only where it touched
// this Gate's files.
func TestRevertsOfOtherGates(t *testing.T) {
	for name, path := range map[string]string{"elsewhere": "services/x.yaml", "the same files": values} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onGitHub)
			good := w.src.Commit("good", map[string]string{values: lines(30, nil), "services/x.yaml": lines(30, nil)})
			w.src.Commit(fmt.Sprintf("Revert x\n\nSyncgate-Reverts: %s\nSyncgate-Gate: other", good), map[string]string{path: lines(30, map[int]string{20: "undone"})})
			bad := w.src.Commit("bad", map[string]string{"apps/us.yaml": "1\n"})
			want := gitops.PullRequest
			if path == values {
				want = gitops.Issue
			}
			w.want(want, request(good, bad))
		})
	}
}

// An open pull request is left as it is when the base branch moves on; that it
// conflicts is said once.
func TestBaseMovesOn(t *testing.T) {
	w := newWorld(t, onGitHub)
	good, bad := w.change()
	w.want(gitops.PullRequest, request(good, bad))
	before := w.src.Bare("rev-parse", branchOf(bad))
	conflict := "<!-- syncgate:conflict gate=mattermost revision=" + bad + " -->"
	said := func() bool {
		ok, err := w.forge.HasComment(t.Context(), w.pulls(bad)[0].Number, conflict)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	w.src.Commit("unrelated", map[string]string{"other": "1\n", values: lines(30, map[int]string{7: "bad: 1", 25: "later"})})
	w.want(gitops.PullRequest, request(good, bad))
	if said() {
		t.Error("a conflict was announced where there is none")
	}
	w.src.Commit("conflicting", map[string]string{values: lines(30, map[int]string{7: "more: 1"})})
	for range 2 {
		w.want(gitops.PullRequest, request(good, bad))
	}
	if !said() {
		t.Error("the conflict was not announced")
	}
	if got := w.src.Bare("rev-parse", branchOf(bad)); got != before {
		t.Errorf("the branch moved to %s", got)
	}
}
