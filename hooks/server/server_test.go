package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/server"
	"github.com/syncgate/syncgate/hooks/store"
)

// reviews is a cluster's word on tokens: "good-<cluster>" is good there, and
// "other-<cluster>" is a ServiceAccount that is not listed.
type reviews struct {
	mu    sync.Mutex
	count int
	err   error
	// reviewErr is what asking for rights comes to.
	reviewErr error
}

func (r *reviews) Authenticate(_ context.Context, cluster, token string) (server.Caller, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	switch {
	case r.err != nil:
		return server.Caller{}, r.err
	case cluster != "eu" && cluster != "us":
		return server.Caller{}, fmt.Errorf("%w: no such cluster", server.ErrToken)
	case token == "good-"+cluster:
		return server.Caller{Name: "chat/syncgate-hook", Allowed: true}, nil
	case token == "pod-"+cluster:
		return server.Caller{Name: "chat/syncgate-hook", Allowed: true, Namespace: "chat", Pod: "hook-x", PodUID: "uid-x"}, nil
	case token == "boss-"+cluster:
		return server.Caller{Name: "boss", User: authenticationv1.UserInfo{Username: "boss"}}, nil
	case token == "other-"+cluster:
		return server.Caller{Name: "chat/default"}, nil
	}
	return server.Caller{}, fmt.Errorf("%w: the cluster refused it", server.ErrToken)
}

// MayOverride is yes to those who hold a "boss-<cluster>" token.
func (r *reviews) MayOverride(_ context.Context, _ string, c server.Caller, gate string) (bool, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.reviewErr != nil:
		return false, "", r.reviewErr
	case c.User.Username == "boss" && gate == "chat":
		return true, "", nil
	}
	return false, "no role", nil
}

// fail is what asking for rights comes to from now on.
func (r *reviews) fail(err error) { r.mu.Lock(); defer r.mu.Unlock(); r.reviewErr = err }

func (r *reviews) asked() int { r.mu.Lock(); defer r.mu.Unlock(); return r.count }

type world struct {
	*enginetest.World
	reviews *reviews
	engine  *engine.Engine
	url     string
	logs    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

const spec = `
  preSync: {deadline: 30m, interval: 1ms, checks: [{name: one, nodes: {}}]}
  postSync: {deadline: 30m, interval: 1ms, checks: [{name: one, nodes: {}}]}
`

func start(t *testing.T, limits server.Limits, more ...func(*server.Server)) *world {
	t.Helper()
	w := &world{World: enginetest.NewWorld(t), reviews: &reviews{}, logs: &syncBuffer{}}
	w.Git.Commit("a", "", enginetest.Tree(spec))
	w.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
	w.engine, _ = w.Start(t)
	s := server.New(w.engine, w.reviews, limits, slog.New(slog.NewJSONHandler(w.logs, nil)))
	for _, set := range more {
		set(s)
	}
	l := httptest.NewUnstartedServer(nil)
	l.Config = s.HTTP()
	l.Start()
	w.url = l.URL
	t.Cleanup(func() { s.Close(); l.Close() })
	return w
}

func (w *world) do(t *testing.T, method, path, token, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func (w *world) post(t *testing.T, c hooks.Change, token string) (int, hooks.Run) {
	t.Helper()
	body, _ := json.Marshal(c)
	res, text := w.do(t, http.MethodPost, hooks.PathChanges, token, string(body))
	var r hooks.Run
	if res.StatusCode < 300 {
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
	}
	return res.StatusCode, r
}

func TestErrors(t *testing.T) {
	w := start(t, server.Limits{})
	change := func(edit func(*hooks.Change)) string {
		c := enginetest.Change(hooks.PreSync, "a", "x")
		if edit != nil {
			edit(&c)
		}
		b, _ := json.Marshal(c)
		return string(b)
	}
	good := change(nil)
	for _, tt := range []struct {
		name, method, path, token, body string
		header                          []string
		status                          int
		code, text                      string
	}{
		{"no token", "POST", hooks.PathChanges, "", good, nil, 401, hooks.CodeUnauthenticated, `cluster "eu"`},
		{"wrong token", "POST", hooks.PathChanges, "bad", good, nil, 401, hooks.CodeUnauthenticated, `cluster "eu"`},
		{"another cluster's token", "POST", hooks.PathChanges, "good-us", good, nil, 401, hooks.CodeUnauthenticated, "audience syncgate"},
		{"unknown cluster", "POST", hooks.PathChanges, "good-eu", change(func(c *hooks.Change) { c.Cluster = "mars" }), nil, 401, hooks.CodeUnauthenticated, `cluster "mars"`},
		{"basic auth", "POST", hooks.PathChanges, "", good, []string{"Authorization", "Basic Zm9v"}, 401, hooks.CodeUnauthenticated, ""},
		{"long token", "POST", hooks.PathChanges, strings.Repeat("x", 20<<10), good, nil, 401, hooks.CodeUnauthenticated, ""},
		{"subject that is not listed", "POST", hooks.PathChanges, "other-eu", good, nil, 403, hooks.CodeForbidden, "chat/default may not speak"},
		{"no JSON", "POST", hooks.PathChanges, "good-eu", "gate: chat", nil, 400, hooks.CodeBadRequest, "decode change"},
		{"unknown field", "POST", hooks.PathChanges, "good-eu", `{"x":1}`, nil, 400, hooks.CodeBadRequest, "unknown field"},
		{"bad form", "POST", hooks.PathChanges, "good-eu", change(func(c *hooks.Change) { c.Revision = "main" }), nil, 400, hooks.CodeBadRequest, "full commit SHA"},
		{"content type", "POST", hooks.PathChanges, "good-eu", good, []string{"Content-Type", "text/plain"}, 415, hooks.CodeBadRequest, "application/json"},
		{"too large", "POST", hooks.PathChanges, "good-eu", strings.Repeat(" ", 1<<20), nil, 413, hooks.CodeTooLarge, "16384 bytes"},
		{"gate", "POST", hooks.PathChanges, "good-eu", change(func(c *hooks.Change) { c.Gate = "shop" }), nil, 404, hooks.CodeUnknownGate, "there are: chat"},
		{"revision", "POST", hooks.PathChanges, "good-eu", change(func(c *hooks.Change) { c.Revision = enginetest.Rev("9") }), nil, 404, hooks.CodeUnknownRevision, "999"},
		{"repository", "POST", hooks.PathChanges, "good-eu", change(func(c *hooks.Change) { c.Repository = "https://x.example/y" }), nil, 404, hooks.CodeUnknownRepo, "git.example/acme/fleet"},
		{"path", "GET", "/v2/x", "", "", nil, 404, hooks.CodeUnknownPath, ""},
		{"method", "DELETE", hooks.PathChanges, "", "", nil, 405, hooks.CodeBadRequest, ""},
		{"run of nobody, to a stranger", "GET", hooks.PathRuns + "/0192f000-0000-7000-8000-000000000000", "bad", "", nil, 401, hooks.CodeUnauthenticated, ""},
		{"run of nobody, to a caller", "GET", hooks.PathRuns + "/0192f000-0000-7000-8000-000000000000?cluster=eu", "good-eu", "", nil, 404, hooks.CodeUnknownRun, "post the change again"},
		{"run of no form", "GET", hooks.PathRuns + "/%2e%2e?cluster=eu", "good-eu", "", nil, 404, "", ""},
		{"events of nobody", "GET", hooks.PathRuns + "/x/events?cluster=eu", "good-eu", "", nil, 404, hooks.CodeUnknownRun, ""},
		{"list without a cluster", "GET", hooks.PathRuns, "good-eu", "", nil, 401, hooks.CodeUnauthenticated, ""},
		{"list with a strange limit", "GET", hooks.PathRuns + "?cluster=eu&limit=1000", "good-eu", "", nil, 400, hooks.CodeBadRequest, "1 to 100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, text := w.do(t, tt.method, tt.path, tt.token, tt.body, tt.header...)
			var p hooks.ProblemBody
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatalf("%d, no problem: %s", res.StatusCode, text)
			}
			if res.StatusCode != tt.status || tt.code != "" && p.Error.Code != tt.code || !strings.Contains(text, strings.ReplaceAll(tt.text, `"`, `\"`)) || p.Error.Message == "" || p.Error.Remedy == "" {
				t.Errorf("%d %s; want %d %s %q", res.StatusCode, text, tt.status, tt.code, tt.text)
			}
		})
	}
	if strings.Contains(w.logs.String(), "good-eu") || strings.Contains(w.logs.String(), "other-eu") {
		t.Error("a token is in the log")
	}
}

// A stranger cannot tell a cluster that is not there from a token that is no
// good, but whoever runs the server can.
func TestUnknownClusterIsNotTold(t *testing.T) {
	w := start(t, server.Limits{})
	ask := func(cluster string) (int, string) {
		c := enginetest.Change(hooks.PreSync, "a", "x")
		c.Cluster = cluster
		b, _ := json.Marshal(c)
		res, text := w.do(t, http.MethodPost, hooks.PathChanges, "bad", string(b))
		return res.StatusCode, strings.ReplaceAll(text, cluster, "X")
	}
	s1, t1 := ask("eu")
	s2, t2 := ask("mars")
	if s1 != s2 || t1 != t2 {
		t.Errorf("%d %s\n%d %s", s1, t1, s2, t2)
	}
	if !strings.Contains(w.logs.String(), "no such cluster") {
		t.Error("the log does not say that there is no such cluster")
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	w := start(t, server.Limits{})
	c := enginetest.Change(hooks.PreSync, "a", "x")
	w.post(t, c, "bad")
	w.post(t, c, "other-eu")
	_, r := w.post(t, c, "good-eu")
	enginetest.Wait(t, w.engine, r.ID)
	for range 200 {
		w.post(t, c, "bad")
	}
	log := auditLog(t, w)
	var actions []string
	refused := 0
	for i := len(log) - 1; i >= 0; i-- {
		a := log[i]
		if a.Action == "authenticate" {
			refused++
		}
		if len(actions) < 4 {
			actions = append(actions, a.Action+" "+a.Subject)
		}
		if strings.Contains(fmt.Sprint(a), "good-eu") {
			t.Errorf("a token is in the audit log: %+v", a)
		}
	}
	if got, want := strings.Join(actions, ", "), "authenticate , authorize chat/default, change chat/syncgate-hook, verdict syncgate"; got != want {
		t.Errorf("audited %s; want %s", got, want)
	}
	if refused < 10 || refused > 100 {
		t.Errorf("%d refusals audited of 201: a stranger must not fill the log", refused)
	}
}

// auditLog reads the database beside the running engine.
func auditLog(t *testing.T, w *world) []store.AuditEntry {
	t.Helper()
	log, err := w.engine.AuditLog(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestChangeToVerdict(t *testing.T) {
	w := start(t, server.Limits{})
	c := enginetest.Change(hooks.PreSync, "a", "x")
	status, r := w.post(t, c, "good-eu")
	if status != http.StatusAccepted || r.ID == "" {
		t.Fatalf("%d %+v", status, r)
	}
	if again, same := w.post(t, c, "good-eu"); again != http.StatusOK || same.ID != r.ID {
		t.Errorf("%d %s, want 200 %s", again, same.ID, r.ID)
	}
	events := w.follow(t, r.ID, "")
	if last := events[len(events)-1]; last.Verdict == nil || last.Verdict.Verdict != hooks.Passed {
		t.Errorf("last event %+v", last)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i, e.Seq)
		}
	}
	if tail := w.follow(t, r.ID, "2"); len(tail) != len(events)-2 || tail[0].Seq != 3 {
		t.Errorf("after event 2: %+v", tail)
	}
	res, text := w.do(t, "GET", hooks.PathRuns+"/"+r.ID, "good-eu", "")
	if res.StatusCode != http.StatusOK || !strings.Contains(text, `"verdict":"Passed"`) {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if res, text = w.do(t, "GET", hooks.PathRuns+"/"+r.ID+"?cluster=us", "good-us", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("another cluster's caller got %d %s", res.StatusCode, text)
	}
	if res, text = w.do(t, "GET", hooks.PathRuns+"/"+r.ID, "good-us", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("another cluster's caller got %d %s", res.StatusCode, text)
	}
	if res, text = w.do(t, "GET", hooks.PathRuns+"?cluster=eu&gate=chat&limit=1", "good-eu", ""); res.StatusCode != http.StatusOK || !strings.Contains(text, r.ID) {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if res, text = w.do(t, "GET", hooks.PathRuns+"?cluster=us", "good-us", ""); res.StatusCode != http.StatusOK || strings.Contains(text, r.ID) {
		t.Errorf("another cluster's list: %d %s", res.StatusCode, text)
	}
}

func (w *world) follow(t *testing.T, id, last string) (events []hooks.Event) {
	t.Helper()
	res, text := w.do(t, "GET", hooks.PathRuns+"/"+id+"/events", "good-eu", "", "Last-Event-ID", last)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	for line := range strings.Lines(text) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var e hooks.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
	}
	return events
}

// open begins to follow, and returns the stream.
func (w *world) open(t *testing.T, id string) (*http.Response, *bufio.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+hooks.PathRuns+"/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good-eu")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res, bufio.NewReader(res.Body)
}

func TestStreams(t *testing.T) {
	w := start(t, server.Limits{Heartbeat: 10 * time.Millisecond, Streams: 2})
	release := make(chan struct{})
	w.Checks.Set("one", func(ctx context.Context, _ int) (check.Answer, error) {
		select {
		case <-release:
			return check.Answer{Status: hooks.Pass, Reason: "at last"}, nil
		case <-ctx.Done():
			return check.Answer{}, ctx.Err()
		}
	})
	_, r := w.post(t, enginetest.Change(hooks.PreSync, "a", "x"), "good-eu")
	res, in := w.open(t, r.ID)
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	for seen := ""; !strings.Contains(seen, ": waiting"); {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		seen += line
	}
	w.open(t, r.ID)
	third, _ := w.open(t, r.ID)
	if third.StatusCode != http.StatusTooManyRequests || third.Header.Get("Retry-After") == "" {
		t.Errorf("a third stream got %s", third.Status)
	}
	close(release)
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), "at last") || !strings.Contains(string(rest), `"verdict":"Passed"`) {
		t.Errorf("%v: %s", err, rest)
	}
}

func TestStreamEndsForANewToken(t *testing.T) {
	w := start(t, server.Limits{StreamTimeout: 50 * time.Millisecond})
	w.Checks.Set("one", enginetest.Always(hooks.Wait, "not yet"))
	_, r := w.post(t, enginetest.Change(hooks.PreSync, "a", "x"), "good-eu")
	_, in := w.open(t, r.ID)
	if _, err := io.ReadAll(in); err != nil {
		t.Error(err)
	}
}

func TestRateIsLimitedForOneCaller(t *testing.T) {
	w := start(t, server.Limits{Rate: 1, Burst: 3})
	codes := map[int]int{}
	for range 20 {
		res, text := w.do(t, "GET", hooks.PathRuns+"?cluster=eu", "good-eu", "")
		if codes[res.StatusCode]++; res.StatusCode == http.StatusTooManyRequests && !strings.Contains(text, "limit of 1 a second") {
			t.Error(text)
		}
	}
	if codes[200] < 3 || codes[429] == 0 {
		t.Errorf("answers %v", codes)
	}
	if res, _ := w.do(t, "GET", hooks.PathRuns+"?cluster=us", "good-us", ""); res.StatusCode != http.StatusOK {
		t.Errorf("another cluster's caller got %d", res.StatusCode)
	}
}

func TestGoodTokensAreRemembered(t *testing.T) {
	w := start(t, server.Limits{TokenCache: time.Hour})
	for range 10 {
		w.do(t, "GET", hooks.PathRuns+"?cluster=eu", "good-eu", "")
	}
	if n := w.reviews.asked(); n != 1 {
		t.Errorf("%d reviews of one good token, want 1", n)
	}
	for range 10 {
		w.do(t, "GET", hooks.PathRuns+"?cluster=eu", "bad", "")
	}
	if n := w.reviews.asked(); n != 11 {
		t.Errorf("%d reviews, want 11: a refusal is never remembered", n)
	}
	if res, _ := w.do(t, "GET", hooks.PathRuns+"?cluster=us", "good-eu", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token that is good on eu got %d on us", res.StatusCode)
	}
}

func TestReviewsAreLimited(t *testing.T) {
	w := start(t, server.Limits{Reviews: 2})
	codes := map[int]int{}
	for range 20 {
		res, _ := w.do(t, "GET", hooks.PathRuns+"?cluster=eu", "bad", "")
		codes[res.StatusCode]++
	}
	if codes[401] == 0 || codes[429] == 0 || w.reviews.asked() > 10 {
		t.Errorf("answers %v after %d reviews", codes, w.reviews.asked())
	}
}

func TestCouldNotFindOut(t *testing.T) {
	w := start(t, server.Limits{})
	w.reviews.err = errors.New("dial tcp 10.0.0.1:6443: connection refused")
	body, _ := json.Marshal(enginetest.Change(hooks.PreSync, "a", "x"))
	res, text := w.do(t, "POST", hooks.PathChanges, "good-eu", string(body))
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, hooks.CodeUnavailable) || strings.Contains(text, "10.0.0.1") {
		t.Errorf("%d %s; want 503, and nothing of the inside told to somebody unknown", res.StatusCode, text)
	}
	w.reviews.err = nil
	w.Git.Break(errors.New("connection reset"))
	if res, text = w.do(t, "POST", hooks.PathChanges, "good-eu", string(body)); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "connection reset") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

func TestHealth(t *testing.T) {
	w := start(t, server.Limits{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if res, text := w.do(t, "GET", path, "", ""); res.StatusCode != http.StatusOK || text != "ok\n" {
			t.Errorf("%s: %d %q", path, res.StatusCode, text)
		}
	}
}

func TestTLSTakesUpARenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if _, err := server.TLS(cert, key); err == nil {
		t.Error("no error without files")
	}
	first := writeCertificate(t, cert, key, time.Now().Add(-time.Hour))
	cfg, err := server.TLS(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		c, err := cfg.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	if got := serial(); got != first {
		t.Errorf("serves %s, want %s", got, first)
	}
	second := writeCertificate(t, cert, key, time.Now())
	if got := serial(); got != second {
		t.Errorf("serves %s, want the renewed %s", got, second)
	}
	writeFile(t, cert, "broken", time.Now().Add(time.Hour))
	if got := serial(); got != second {
		t.Errorf("serves %s, want the last good %s", got, second)
	}
}
