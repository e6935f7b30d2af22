package gitops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/hooks"                   //nolint:depguard // a test part
	"github.com/syncgate/syncgate/hooks/engine"            //nolint:depguard // a test part
	"github.com/syncgate/syncgate/hooks/engine/enginetest" //nolint:depguard // a test part
	"github.com/syncgate/syncgate/hooks/server"            //nolint:depguard // a test part
	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/gitops/source"
)

// reviewer publishes a verdict on whatever it is told of.
type reviewer struct {
	forge  *forge.GitHub
	events chan webhook.Event
}

func (r *reviewer) Review(ctx context.Context, _ string, ev webhook.Event) error {
	_, err := r.forge.Publish(ctx, forge.Report{
		Head: ev.Head.SHA, Name: "syncgate", Status: forge.Completed, Conclusion: forge.Success, Title: "Everything holds",
		ExternalID: fmt.Sprintf("pull/%d", ev.Number),
	})
	r.events <- ev
	return err
}

// GiveUp implements engine.Reviewer.
func (*reviewer) GiveUp(context.Context, string, webhook.Event, error) error { return nil }

// hooked is a GitHub that tells a server of what happens, which publishes that
// everything holds.
func hooked(t *testing.T) (*appWorld, *reviewer) {
	t.Helper()
	var r *reviewer
	a := hookedTo(t, func(a *appWorld) engine.Reviewer {
		r = &reviewer{forge: a.forge(a.token), events: make(chan webhook.Event, 100)}
		return r
	})
	return a, r
}

// hookedTo is a GitHub that tells a server of what happens, whose Reviewer is
// with's.
func hookedTo(t *testing.T, with func(a *appWorld) engine.Reviewer) *appWorld {
	t.Helper()
	a := newAppWorld(t, onGitHub)
	a.src.Commit("one", map[string]string{"a": "1\n"})
	w := enginetest.NewWorld(t)
	w.Reviewer, w.Aliases = with(a), []string{a.url + "/acme/fleet.git"}
	e, _ := w.Start(t)
	secret := strings.Repeat("s", 32)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := server.New(e, nil, server.Limits{}, slog.New(slog.DiscardHandler))
	webhooks, err := server.NewWebhooks(file)
	if err != nil {
		t.Fatal(err)
	}
	s.EnableWebhooks(webhooks)
	l := httptest.NewServer(s.Handler())
	t.Cleanup(func() { s.Close(); l.Close() })
	for _, form := range []bool{false, true} {
		a.d.AddHook(githubd.Hook{URL: l.URL + hooks.PathGitHub, Secret: secret, Form: form, Installation: installation})
	}
	return a
}

// came waits until everything is delivered, and tells what the deliveries came
// to: each event goes out twice, as JSON and as a form.
func (a *appWorld) came() (out []string) {
	a.t.Helper()
	for i, d := range a.d.Deliveries() {
		var answer hooks.Reception
		if err := json.Unmarshal([]byte(d.Answer), &answer); err != nil || d.Err != nil || d.Status != http.StatusAccepted {
			a.t.Errorf("%s %s: %d %s %v", d.Event, d.Action, d.Status, d.Answer, d.Err)
		}
		if i%2 == 0 {
			out = append(out, strings.TrimSuffix(d.Event+" "+d.Action, " ")+": "+answer.Status)
		}
	}
	return out
}

// call changes something as a person.
func (a *appWorld) call(method, path string, body map[string]any) {
	a.t.Helper()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			a.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+a.api+"/repos/acme/fleet/"+path, strings.NewReader(string(b)))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		a.t.Fatalf("%s %s: %d", method, path, resp.StatusCode)
	}
}

// From the pull request to the check run on it and back: also of a fork, and
// run again at a person's wish.
func TestWebhookToCheckRun(t *testing.T) {
	a, r := hooked(t)
	expect := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(want, a.came()); d != "" {
			t.Fatalf("deliveries (-want +got):\n%s", d)
		}
	}
	reviewed := func() webhook.Event { // both deliveries of an event
		<-r.events
		return <-r.events
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(filepath.Dir(a.src.Dir)), "mallory"), 0o755); err != nil {
		t.Fatal(err)
	}
	fork := source.New(t, filepath.Join(filepath.Dir(filepath.Dir(a.src.Dir)), "mallory", "fleet.git"))
	fork.Git("fetch", "--quiet", a.src.Dir, "main")
	fork.Git("reset", "--quiet", "--hard", "FETCH_HEAD")
	head := fork.Commit("mine", map[string]string{"a": "2\n"})

	a.call(http.MethodPost, "pulls", map[string]any{"title": "Mine", "head": "mallory:main", "base": "main"})
	expect("pull_request opened: accepted")
	if ev := reviewed(); !ev.Fork || ev.Number != 1 || ev.Head.SHA != head || ev.Installation != installation {
		t.Errorf("event %+v", ev)
	}
	runs := a.checkRuns(head)
	if len(runs) != 1 || runs[0].Conclusion != "success" || runs[0].ExternalID != "pull/1" {
		t.Fatalf("check runs %+v", runs)
	}

	var list struct {
		CheckRuns []struct{ ID int64 } `json:"check_runs"`
	}
	a.get("commits/"+head+"/check-runs", &list)
	a.call(http.MethodPost, fmt.Sprintf("check-runs/%d/rerequest", list.CheckRuns[0].ID), nil)
	expect("check_run rerequested: accepted")
	if ev := reviewed(); ev.Kind != webhook.Rerun || ev.ExternalID != "pull/1" || ev.Check != "syncgate" || ev.Head.SHA != head {
		t.Errorf("event %+v", ev)
	}

	a.src.Git("checkout", "--quiet", "-b", "next")
	a.src.Commit("two", map[string]string{"b": "1\n"})
	main := a.src.Git("rev-parse", "main")
	a.call(http.MethodPost, "git/refs", map[string]any{"ref": "refs/heads/other", "sha": main})
	if got := a.came(); len(got) == 0 || strings.Contains(strings.Join(got, "\n"), "accepted") {
		t.Errorf("pushes to branches that nobody follows: %v", got)
	}
	a.call(http.MethodPatch, "pulls/1", map[string]any{"state": "closed"})
	expect("pull_request closed: ignored")
	if len(r.events) > 0 {
		t.Errorf("reviewed beside: %+v", <-r.events)
	}
}
