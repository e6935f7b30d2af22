package crash

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// once makes fn run for the first call for which when holds.
func once(when func(r *http.Request) bool, fn func()) func(*http.Request) {
	var o sync.Once
	return func(r *http.Request) {
		if when(r) {
			o.Do(fn)
		}
	}
}

// request is one of that method, "" for any, whose path has the form.
func request(method, path string) func(*http.Request) bool {
	form := regexp.MustCompile(path)
	return func(r *http.Request) bool {
		return (method == "" || r.Method == method) && form.MatchString(r.URL.Path)
	}
}

// asked is question number n of the application.
func asked(path string, n int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, path) && r.Header.Get("X-Asked") == fmt.Sprint(n)
	}
}

// points are where the server is killed. arm is called when the failing
// revision is there and before its PreSync begins.
var points = []struct {
	name  string
	kills int
	arm   func(w *world, revision string)
}{
	{"change-accepted", 1, seen(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync'`)},
	{"question-under-way", 1, before(asked("/pre-", 1))},
	{"snapshot-taken-answer-lost", 1, after(request("POST", "/volumesnapshots$"))},
	{"first-result-kept", 1, seen(`SELECT count(*) FROM results JOIN runs ON id = run_id WHERE revision = ? AND phase = 'preSync'`)},
	{"between-two-rounds", 1, seen(`SELECT count(*) FROM results JOIN runs ON id = run_id WHERE revision = ? AND phase = 'preSync' AND check_name = 'door'
		AND EXISTS (SELECT 1 FROM river_job j WHERE j.kind = 'run' AND j.state IN ('available', 'scheduled') AND json_extract(j.metadata, '$.snoozes') > 0)`)},
	{"last-answer-given", 1, after(asked("/pre-", 2))},
	{"presync-verdict-kept", 1, seen(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync' AND verdict <> ''`)},
	{"postsync-accepted", 1, seen(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'postSync'`)},
	{"postsync-verdict-kept", 1, seen(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'postSync' AND verdict <> ''`)},
	{"revert-begins", 1, before(request("", "/api/v3/repos/acme/fleet/pulls$"))},
	{"branch-made-answer-lost", 1, after(request("POST", "/git/refs$"))},
	{"pull-request-opened-answer-lost", 1, after(request("POST", "/pulls$"))},
	{"labels-put-answer-lost", 1, after(request("POST", "/labels$"))},
	{"revert-kept", 1, seen(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'postSync' AND revert_json <> ''`)},
	{"three-times", 3, func(w *world, revision string) {
		first, second, third := after(request("POST", "/volumesnapshots$")), after(request("POST", "/git/refs$")), after(request("POST", "/pulls$"))
		var all []func(*http.Request)
		for _, arm := range []func(*world, string){first, second, third} {
			arm(w, revision)
			all = append(all, w.after)
		}
		w.after = func(r *http.Request) {
			for _, f := range all {
				f(r)
			}
		}
	}},
}

// before kills the server instead of its request being answered.
func before(when func(*http.Request) bool) func(*world, string) {
	return func(w *world, _ string) { w.before = once(when, w.strike) }
}

// after kills the server when its request was carried out, before it hears of
// it.
func after(when func(*http.Request) bool) func(*world, string) {
	return func(w *world, _ string) { w.after = once(when, w.strike) }
}

// seen kills the server as soon as its database counts something for the
// revision.
func seen(query string) func(*world, string) {
	return func(w *world, revision string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.await(query, revision)
			w.strike()
		}()
		w.t.Cleanup(func() { <-done })
	}
}

// Whatever the moment the server is killed at: the hook Jobs get their one
// verdict, one snapshot is taken, and one pull request is opened.
func TestKilled(t *testing.T) {
	cp := harness.ForTest(t)
	crds, err := os.ReadFile("testdata/snapshots.yaml")
	must(t, err)
	must(t, cp.ApplyYAML(t.Context(), crds, harness.ApplyOptions{}))
	product.Programs(t)
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t, cp, p.name)
			good := w.commit("1.0")
			if code, out := w.hook("postsync", good, "good"); code != 0 {
				t.Fatalf("the good revision's postsync: exit %d\n%s\n%s", code, out, w.log())
			}
			bad := w.commit("2.0")
			w.mu.Lock()
			p.arm(w, bad)
			w.mu.Unlock()

			code, pre := w.hook("presync", bad, "pre-1")
			if code != 0 {
				t.Errorf("presync: exit %d, want 0\n%s\n%s", code, pre, w.log())
			}
			w.setApp("false")
			code, post := w.hook("postsync", bad, "post-1")
			if code != 1 {
				t.Errorf("postsync: exit %d, want 1\n%s\n%s", code, post, w.log())
			}
			w.await(`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'postSync' AND revert_json <> ''`, bad)
			if got := w.settled(p.kills); got != p.kills {
				t.Fatalf("killed %d times, want %d", got, p.kills)
			}
			w.check(good, bad, pre, post)
		})
	}
}

// settled waits for the kills that come on their own time.
func (w *world) settled(kills int) int {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	_ = harness.Eventually(ctx, func(context.Context) error {
		if n := w.struck(); n < kills {
			return fmt.Errorf("killed %d times", n)
		}
		return nil
	})
	return w.struck()
}

func (w *world) check(good, bad, pre, post string) {
	w.t.Helper()
	for name, out := range map[string]string{"presync": pre, "postsync": post} {
		if n := len(regexp.MustCompile(`(?m)^\S+  verdict `).FindAllString(out, -1)); n != 1 {
			w.t.Errorf("%s printed %d verdicts, want 1:\n%s", name, n, out)
		}
	}
	for _, q := range []struct {
		text string
		want int
	}{
		{`SELECT count(*) FROM runs WHERE revision = ?`, 2},
		{`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'preSync' AND verdict = 'Passed'`, 1},
		{`SELECT count(*) FROM runs WHERE revision = ? AND phase = 'postSync' AND verdict = 'Failed'`, 1},
		{`SELECT count(*) FROM events JOIN runs ON id = run_id WHERE revision = ? AND event_json LIKE '%"verdict":{%'`, 2},
		{`SELECT count(*) FROM events JOIN runs ON id = run_id WHERE revision = ? AND event_json LIKE '%"revert":{%'`, 1},
		{`SELECT count(*) FROM runs r WHERE revision = ? AND events = (SELECT max(seq) FROM events WHERE run_id = r.id)
			AND events = (SELECT count(*) FROM events WHERE run_id = r.id)`, 2},
	} {
		if n, err := w.query(q.text, bad); err != nil || n != q.want {
			w.t.Errorf("%s: %d, %v; want %d", q.text, n, err, q.want)
		}
	}
	if n := w.taken(); n != 1 {
		w.t.Errorf("%d snapshots were taken, want 1", n)
	}
	w.checkPullRequest(good, bad)
	if w.t.Failed() {
		w.t.Logf("server's log:\n%s", w.log())
	}
}

// checkPullRequest holds that one is open, whose tree is the good revision's.
func (w *world) checkPullRequest(good, bad string) {
	w.t.Helper()
	pulls := w.pulls()
	if len(pulls) != 1 || pulls[0].State != "open" {
		w.t.Fatalf("pull requests %+v, want one that is open", pulls)
	}
	branches, err := harness.Git(w.t.Context(), w.repo, "for-each-ref", "--format=%(refname:short)", "refs/heads/")
	must(w.t, err)
	if want := "main\nsyncgate/revert/chat/" + bad[:12]; branches != want {
		w.t.Errorf("branches %q, want %q", branches, want)
	}
	diff, err := harness.Git(w.t.Context(), w.repo, "diff", "--stat", good, "refs/heads/"+pulls[0].Head.Ref)
	must(w.t, err)
	if diff != "" {
		w.t.Errorf("the revert is not what was good:\n%s", diff)
	}
	for _, want := range []string{"app", "volumesnapshot " + w.namespace} {
		if !strings.Contains(pulls[0].Body, want) {
			w.t.Errorf("the pull request does not name %q:\n%s", want, pulls[0].Body)
		}
	}
}
