package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/hooks/engine" //nolint:depguard // a test part
	"github.com/syncgate/syncgate/hooks/review" //nolint:depguard // a test part
	"github.com/syncgate/syncgate/test/gitops/source"
)

// repositoryName is what the engine of the tests calls its repository.
const repositoryName = "fleet"

// told is a Reviewer that tells when it is done.
type told struct {
	*review.Reviewer
	events chan webhook.Event
}

func (r told) Review(ctx context.Context, repository string, ev webhook.Event) error {
	err := r.Reviewer.Review(ctx, repository, ev)
	r.events <- ev
	return err
}

const reviewGate = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: web}
spec:
  reference: eu
  perCluster: [{path: host}]
  clusters:
  - {name: eu, values: [eu.yaml]}
  - {name: us, values: [us.yaml]}
`

// siteValues are a cluster's values: a host, a tag, and n settings.
func siteValues(host, tag string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "host: %s\ntag: %q\n", host, tag)
	for i := range n {
		fmt.Fprintf(&b, "s%03d: %s\n", i, tag)
	}
	return b.String()
}

// reviewed is a GitHub whose pull requests are judged.
func reviewed(t *testing.T) (*appWorld, told) {
	t.Helper()
	var r told
	a := hookedTo(t, func(a *appWorld) engine.Reviewer {
		repo, err := git.Open(t.Context(), git.Options{URL: a.url + "/acme/fleet.git", Dir: t.TempDir(), Token: a.token})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = repo.Close() })
		r = told{review.New(review.Options{Repositories: map[string]review.Repository{
			repositoryName: {Git: repo, Reporter: a.forge(a.token), Branch: "main"},
		}}), make(chan webhook.Event, 100)}
		return r
	})
	a.src.Commit("start", map[string]string{
		"web/syncgate.yaml": reviewGate, "web/eu.yaml": siteValues("eu", "1", 60), "web/us.yaml": siteValues("us", "1", 60), "README.md": "# fleet\n",
	})
	a.notice()
	r.both(t)
	return a, r
}

// notice has GitHub look at what was pushed, and tell of it.
func (a *appWorld) notice() {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.d.Notice(req, "acme", "fleet")
	a.came()
}

// both waits until both deliveries of an event are done.
func (r told) both(t *testing.T) {
	t.Helper()
	for range 2 {
		select {
		case <-r.events:
		case <-time.After(2 * time.Minute):
			t.Fatal("nothing was reviewed")
		}
	}
}

// verdict waits for both deliveries of an event to be judged, and expects one
// check run on the head.
func (a *appWorld) verdict(r told, head, conclusion string, words ...string) published {
	a.t.Helper()
	a.notice()
	r.both(a.t)
	runs := a.checkRuns(head)
	if len(runs) != 1 || runs[0].Conclusion != conclusion {
		a.t.Fatalf("check runs of %.12s: expected one, %s; found %+v", head, conclusion, runs)
	}
	all := runs[0].Title + "\n" + runs[0].Summary
	for _, word := range words {
		if !strings.Contains(all, word) {
			a.t.Errorf("expected %q in\n%s", word, all)
		}
	}
	return runs[0]
}

// From a pull request that lets a site drift to the verdict on the exact lines;
// pushed again, run again, from a fork, and in a merge queue.
func TestPullRequestIsJudged(t *testing.T) {
	a, r := reviewed(t)
	a.src.Git("checkout", "--quiet", "-b", "drift")
	head := a.src.Commit("drift", map[string]string{"web/us.yaml": siteValues("us", "2", 60)})
	a.call(http.MethodPost, "pulls", map[string]any{"title": "Drift", "head": "drift", "base": "main"})
	run := a.verdict(r, head, "failure", "61 findings", "identical", "reference cluster eu", "```diff", "Where clusters differ")
	if len(run.Annotations) != 61 {
		t.Fatalf("%d annotations, expected one for each of 61 findings", len(run.Annotations))
	}
	at := strings.Join(run.Annotations, "\n") + "\n"
	for line := 2; line <= 62; line++ {
		if !strings.Contains(at, fmt.Sprintf("web/us.yaml:%d identical ", line)) {
			t.Errorf("no annotation at line %d:\n%s", line, at)
		}
	}

	fixed := a.src.Commit("both", map[string]string{"web/eu.yaml": siteValues("eu", "2", 60)})
	a.verdict(r, fixed, "success", "Values agree: 1 gate")

	other := a.src.Commit("words", map[string]string{"web/eu.yaml": siteValues("eu", "1", 60), "web/us.yaml": siteValues("us", "1", 60), "README.md": "# more\n"})
	a.verdict(r, other, "neutral", "No gate reads what this changes")

	weaker := a.src.Commit("weaker", map[string]string{
		"web/syncgate.yaml": strings.Replace(reviewGate, "{path: host}", "{path: host}, {path: tag}", 1), "web/us.yaml": siteValues("us", "2", 0) + siteValues("us", "1", 60)[len("host: us\ntag: \"1\"\n"):],
	})
	a.verdict(r, weaker, "success", "lets go of what was held", "Values agree, and this lets go", `perCluster "tag" is new`, "would find here")

	broken := a.src.Commit("broken", map[string]string{"web/syncgate.yaml": reviewGate + "  nonsense: 1\n"})
	run = a.verdict(r, broken, "failure", "Could not tell", "nonsense")
	if len(run.Annotations) != 1 || run.Annotations[0] != "web/syncgate.yaml:10 could not tell" {
		t.Errorf("annotations %q", run.Annotations)
	}

	// A link is not followed, and said to be one: that would not be another time.
	a.src.Commit("whole", map[string]string{"web/syncgate.yaml": reviewGate})
	a.notice()
	r.both(t)
	if err := os.Remove(filepath.Join(a.src.Work, "web", "us.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("eu.yaml", filepath.Join(a.src.Work, "web", "us.yaml")); err != nil {
		t.Fatal(err)
	}
	link := a.src.Commit("link", nil)
	a.verdict(r, link, "failure", "Could not tell", "symbolic link")

	a.src.Git("rm", "--quiet", "web/syncgate.yaml")
	gone := a.src.Commit("gone", nil)
	a.verdict(r, gone, "neutral", "Gates are removed", `gate web \(web/syncgate.yaml\) is removed`)
}

func TestForkIsJudged(t *testing.T) {
	a, r := reviewed(t)
	dir := filepath.Join(filepath.Dir(filepath.Dir(a.src.Dir)), "mallory")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fork := source.New(t, filepath.Join(dir, "fleet.git"))
	fork.Git("fetch", "--quiet", a.src.Dir, "main")
	fork.Git("reset", "--quiet", "--hard", "FETCH_HEAD")
	head := fork.Commit("mine", map[string]string{"web/us.yaml": siteValues("us", "3", 60)})
	a.call(http.MethodPost, "pulls", map[string]any{"title": "Mine", "head": "mallory:main", "base": "main"})
	run := a.verdict(r, head, "failure", "61 findings")
	if run.ExternalID != "pull/1" {
		t.Errorf("external ID %q", run.ExternalID)
	}
	// Main moves on: the fork's change is still counted from where it began.
	a.src.Commit("meanwhile", map[string]string{"README.md": "# busy\n"})
	a.notice()
	r.both(t)
	var list struct {
		CheckRuns []struct{ ID int64 } `json:"check_runs"`
	}
	a.get("commits/"+head+"/check-runs", &list)
	a.call(http.MethodPost, fmt.Sprintf("check-runs/%d/rerequest", list.CheckRuns[0].ID), nil)
	a.verdict(r, head, "failure", "61 findings")
}

// What a merge queue would merge is judged against what it is queued on.
// A review that is given up ends the check that is there, and can be run again.
func TestGivenUpCanBeRunAgain(t *testing.T) {
	a, r := reviewed(t)
	a.src.Git("checkout", "--quiet", "-b", "other")
	head := a.src.Commit("other", map[string]string{"web/us.yaml": siteValues("us2", "1", 60)})
	a.call(http.MethodPost, "pulls", map[string]any{"title": "Other", "head": "other", "base": "main"})
	run := a.verdict(r, head, "success")
	ev := webhook.Event{Kind: webhook.PullRequest, Number: 1, Head: webhook.Ref{SHA: head}}
	if err := r.GiveUp(t.Context(), repositoryName, ev, errors.New("Git is away")); err != nil {
		t.Fatal(err)
	}
	runs := a.checkRuns(head)
	if len(runs) != 1 || runs[0].Conclusion != "failure" || runs[0].ExternalID != run.ExternalID || !strings.Contains(runs[0].Summary, "Git is away") {
		t.Fatalf("expected one check run that says so, found %+v", runs)
	}
	var list struct {
		CheckRuns []struct{ ID int64 } `json:"check_runs"`
	}
	a.get("commits/"+head+"/check-runs", &list)
	a.call(http.MethodPost, fmt.Sprintf("check-runs/%d/rerequest", list.CheckRuns[0].ID), nil)
	a.verdict(r, head, "success")
}

func TestMergeGroupIsJudged(t *testing.T) {
	a, r := reviewed(t)
	a.src.Git("checkout", "--quiet", "-b", "drift")
	head := a.src.Commit("drift", map[string]string{"web/us.yaml": siteValues("us", "2", 60)})
	a.call(http.MethodPost, "pulls", map[string]any{"title": "Drift", "head": "drift", "base": "main"})
	a.verdict(r, head, "failure", "61 findings")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	queued, err := a.d.QueueMerge(req, "acme", "fleet", 1)
	if err != nil {
		t.Fatal(err)
	}
	run := a.verdict(r, queued, "failure", "61 findings")
	if !strings.HasPrefix(run.ExternalID, "queue/") {
		t.Errorf("external ID %q", run.ExternalID)
	}
}

// A push to the synced branch is judged against what was there before.
func TestPushIsJudged(t *testing.T) {
	a, r := reviewed(t)
	head := a.src.Commit("straight to main", map[string]string{"web/us.yaml": siteValues("us", "2", 60)})
	a.verdict(r, head, "failure", "61 findings")
}
