package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/server"
	"github.com/syncgate/syncgate/policies/gate"
)

func overrideBody(edit func(*hooks.OverrideRequest)) string {
	o := hooks.OverrideRequest{Repository: enginetest.URL, Gate: "chat", Cluster: "eu", Revision: enginetest.Rev("a"),
		Phase: hooks.PreSync, Reason: "the store is down", For: gate.Duration(time.Hour)}
	if edit != nil {
		edit(&o)
	}
	b, _ := json.Marshal(o)
	return string(b)
}

// Only whom the cluster allows it overrides, and a hook Job's ServiceAccount
// does not for being one. What could not be found out is no leave.
func TestOverride(t *testing.T) {
	w := start(t, server.Limits{})
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "no backup"))
	_, waiting := w.post(t, enginetest.Change(hooks.PreSync, "a", "x"), "good-eu")
	for _, tt := range []struct {
		name, token, body string
		reviewErr         error
		status            int
		text              string
	}{
		{"no token", "", overrideBody(nil), nil, 401, "not good for cluster"},
		{"another cluster's", "boss-us", overrideBody(nil), nil, 401, "not good for cluster"},
		{"a hook's", "good-eu", overrideBody(nil), nil, 403, "chat/syncgate-hook may not override gate chat"},
		{"somebody's", "other-eu", overrideBody(nil), nil, 403, "verb override on gates.syncgate.dev"},
		{"another gate", "boss-eu", overrideBody(func(o *hooks.OverrideRequest) { o.Gate = "shop" }), nil, 403, "may not override gate shop"},
		{"the cluster cannot tell", "boss-eu", overrideBody(nil), errors.New("etcd is away"), 503, "could not find out whether boss may override"},
		{"no reason", "boss-eu", overrideBody(func(o *hooks.OverrideRequest) { o.Reason = "" }), nil, 400, "expected one line that says why"},
		{"unknown field", "boss-eu", `{"verdict":"Passed"}`, nil, 400, "unknown field"},
		{"too long", "boss-eu", strings.Repeat(" ", 1<<20), nil, 413, "limit of 16384 bytes"},
		{"too long a time", "boss-eu", overrideBody(func(o *hooks.OverrideRequest) { o.For = gate.Duration(25 * time.Hour) }), nil, 422, "limit maxOverride"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.reviews.fail(tt.reviewErr)
			defer w.reviews.fail(nil)
			res, text := w.do(t, http.MethodPost, hooks.PathOverrides, tt.token, tt.body)
			var p hooks.ProblemBody
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatalf("%d, no problem: %s", res.StatusCode, text)
			}
			if said := p.Error.Message + "; " + p.Error.Remedy; res.StatusCode != tt.status || !strings.Contains(said, tt.text) {
				t.Errorf("%d %s; want %d %q", res.StatusCode, said, tt.status, tt.text)
			}
		})
	}
	if r, err := w.engine.Run(t.Context(), waiting.ID); err != nil || r.Done() {
		t.Fatalf("after refusals the run is %+v, %v", r, err)
	}
	res, text := w.do(t, http.MethodPost, hooks.PathOverrides, "boss-eu", overrideBody(nil))
	var got hooks.Run
	if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	if got.ID != waiting.ID || got.Verdict != hooks.Overridden || got.Override == nil || got.Override.By != "boss" {
		t.Errorf("got %s", text)
	}
	if _, again := w.post(t, enginetest.Change(hooks.PreSync, "a", "y"), "good-eu"); again.Override == nil || again.Override.Reason != "the store is down" {
		t.Errorf("the next attempt is not told who overrode it: %+v", again)
	}
	if strings.Contains(w.logs.String(), "boss-eu") {
		t.Error("a token is in the log")
	}
}

// Who may override a gate may see and revoke what is overridden of it, and nobody
// else.
func TestOverridesAreListedAndRevoked(t *testing.T) {
	w := start(t, server.Limits{})
	res, text := w.do(t, http.MethodPost, hooks.PathOverrides, "boss-eu", overrideBody(nil))
	var run hooks.Run
	if err := json.Unmarshal([]byte(text), &run); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	const query = hooks.PathOverrides + "?cluster=eu&gate=chat"
	revoke := hooks.PathOverrides + "/" + run.ID + hooks.PathRevoke
	const body = `{"cluster":"eu","reason":"the store is back"}`
	for _, tt := range []struct {
		name, method, path, token, body string
		reviewErr                       error
		status                          int
		text                            string
	}{
		{"list: no token", http.MethodGet, query, "", "", nil, 401, "not good for cluster"},
		{"list: another cluster's", http.MethodGet, query, "boss-us", "", nil, 401, "not good for cluster"},
		{"list: a hook's", http.MethodGet, query, "good-eu", "", nil, 403, "may not override gate chat"},
		{"list: another gate", http.MethodGet, hooks.PathOverrides + "?cluster=eu&gate=shop", "boss-eu", "", nil, 403, "may not override gate shop"},
		{"list: no gate", http.MethodGet, hooks.PathOverrides + "?cluster=eu", "boss-eu", "", nil, 400, "expected ?cluster=NAME&gate=NAME"},
		{"list: neither yes nor no", http.MethodGet, query + "&all=perhaps", "boss-eu", "", nil, 400, "expected ?cluster=NAME&gate=NAME"},
		{"list: the cluster cannot tell", http.MethodGet, query, "boss-eu", "", errors.New("etcd is away"), 503, "could not find out whether boss may override"},
		{"revoke: no token", http.MethodPost, revoke, "", body, nil, 401, "not good for cluster"},
		{"revoke: a hook's", http.MethodPost, revoke, "good-eu", body, nil, 403, "may not override gate chat"},
		{"revoke: the cluster cannot tell", http.MethodPost, revoke, "boss-eu", body, errors.New("etcd is away"), 503, "could not find out whether boss may override"},
		{"revoke: another cluster", http.MethodPost, revoke, "boss-us", `{"cluster":"us","reason":"why"}`, nil, 404, "has no run"},
		{"revoke: no id", http.MethodPost, hooks.PathOverrides + "/latest" + hooks.PathRevoke, "boss-eu", body, nil, 404, "has no run"},
		{"revoke: no reason", http.MethodPost, revoke, "boss-eu", `{"cluster":"eu","reason":""}`, nil, 400, "expected one line that says why"},
		{"revoke: unknown field", http.MethodPost, revoke, "boss-eu", `{"cluster":"eu","reason":"why","gate":"chat"}`, nil, 400, "unknown field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.reviews.fail(tt.reviewErr)
			defer w.reviews.fail(nil)
			res, text := w.do(t, tt.method, tt.path, tt.token, tt.body)
			var p hooks.ProblemBody
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatalf("%d, no problem: %s", res.StatusCode, text)
			}
			if said := p.Error.Message + "; " + p.Error.Remedy; res.StatusCode != tt.status || !strings.Contains(said, tt.text) {
				t.Errorf("%d %s; want %d %q", res.StatusCode, said, tt.status, tt.text)
			}
		})
	}
	listed := func(path string) (out []string) {
		t.Helper()
		res, text := w.do(t, http.MethodGet, path, "boss-eu", "")
		var list struct{ Runs []hooks.Run }
		if err := json.Unmarshal([]byte(text), &list); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
		for _, r := range list.Runs {
			out = append(out, r.ID)
		}
		return out
	}
	if d := cmp.Diff([]string{run.ID}, listed(query)); d != "" {
		t.Error(d)
	}
	res, text = w.do(t, http.MethodPost, revoke, "boss-eu", body)
	if err := json.Unmarshal([]byte(text), &run); err != nil || res.StatusCode != http.StatusOK || run.Override.Revoked == nil || run.Override.Revoked.By != "boss" {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	if d := cmp.Diff([]string(nil), listed(query)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{run.ID}, listed(query+"&all=true")); d != "" {
		t.Error(d)
	}
}
