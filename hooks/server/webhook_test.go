package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/server"
	"github.com/syncgate/syncgate/test/githubd/examples"
	"github.com/syncgate/syncgate/test/githubd/npm"
)

var (
	secret  = strings.Repeat("s", 32)
	rotated = strings.Repeat("r", 32)
)

// reviewer remembers what it is asked.
type reviewer struct {
	events chan webhook.Event
}

func (r *reviewer) Review(_ context.Context, repository string, ev webhook.Event) error {
	if repository != "fleet" {
		return errors.New("no such repository")
	}
	r.events <- ev
	return nil
}

// GiveUp implements engine.Reviewer.
func (*reviewer) GiveUp(context.Context, string, webhook.Event, error) error { return nil }

// front is a server that takes webhooks.
type front struct {
	t        *testing.T
	url      string
	reviewer *reviewer
	engine   *engine.Engine
	secrets  string
	logs     *syncBuffer
}

func takingWebhooks(t *testing.T) *front {
	t.Helper()
	f := &front{t: t, reviewer: &reviewer{events: make(chan webhook.Event, 1000)}, secrets: filepath.Join(t.TempDir(), "secrets"), logs: &syncBuffer{}}
	f.rotate(secret)
	w := enginetest.NewWorld(t)
	w.Reviewer = f.reviewer
	f.engine, _ = w.Start(t)
	s := server.New(f.engine, &reviews{}, server.Limits{}, slog.New(slog.NewJSONHandler(f.logs, nil)))
	hooked, err := server.NewWebhooks(f.secrets)
	if err != nil {
		t.Fatal(err)
	}
	s.EnableWebhooks(hooked)
	l := httptest.NewUnstartedServer(nil)
	l.Config = s.HTTP()
	l.Start()
	t.Cleanup(func() { s.Close(); l.Close() })
	f.url = l.URL + hooks.PathGitHub
	return f
}

// rotate writes the secrets, with a time that tells the file from what it was.
func (f *front) rotate(secrets ...string) {
	f.t.Helper()
	if err := os.WriteFile(f.secrets, []byte(strings.Join(secrets, "\n")), 0o600); err != nil {
		f.t.Fatal(err)
	}
	at := time.Unix(1_700_000_000+int64(len(secrets)*1000+len(strings.Join(secrets, ""))), 0)
	if strings.Contains(strings.Join(secrets, ""), rotated) {
		at = at.Add(time.Hour)
	}
	if err := os.Chtimes(f.secrets, at, at); err != nil {
		f.t.Fatal(err)
	}
}

type delivery struct {
	event, id, payload, secret string
	change                     func(*http.Request)
}

// send sends a delivery and returns status and body.
func (f *front) send(d delivery) (int, string) {
	f.t.Helper()
	if d.secret == "" {
		d.secret = secret
	}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url, strings.NewReader(d.payload))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.HeaderEvent, d.event)
	req.Header.Set(webhook.HeaderDelivery, d.id)
	req.Header.Set(webhook.HeaderSignature, webhook.Sign([]byte(d.secret), []byte(d.payload)))
	if d.change != nil {
		d.change(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text))
}

// pushed is a push to a branch of the repository that the server reads, by the
// name that GitHub gives it.
func pushed(branch, repository string) string {
	return `{"ref": "refs/heads/` + branch + `", "before": "` + enginetest.Rev("a") + `", "after": "` + enginetest.Rev("b") + `",
		"repository": {"id": 7, "full_name": "acme/fleet", "clone_url": "` + repository + `"}}`
}

func TestWebhookIsReviewedOnce(t *testing.T) {
	f := takingWebhooks(t)
	d := delivery{event: "push", id: "d-1", payload: pushed("main", "https://git.example/Acme/Fleet.git")}
	if code, text := f.send(d); code != http.StatusAccepted || text != `{"status":"accepted"}` {
		t.Fatalf("first: %d %s", code, text)
	}
	ev := <-f.reviewer.events
	want := webhook.Event{Kind: webhook.Push, Delivery: "d-1", Name: "push", Repository: "acme/fleet", CloneURL: "https://git.example/Acme/Fleet.git",
		Head: webhook.Ref{SHA: enginetest.Rev("b"), Ref: "refs/heads/main"}, Base: webhook.Ref{SHA: enginetest.Rev("a"), Ref: "refs/heads/main"}}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if code, text := f.send(d); code != http.StatusAccepted || !strings.Contains(text, "already seen") {
		t.Errorf("again: %d %s", code, text)
	}
	// Many at once are one, too.
	var wg sync.WaitGroup
	var mu sync.Mutex
	came := map[string]int{}
	for range 8 {
		wg.Go(func() {
			_, text := f.send(delivery{event: "push", id: "d-2", payload: d.payload})
			mu.Lock()
			defer mu.Unlock()
			came[text]++
		})
	}
	wg.Wait()
	if came[`{"status":"accepted"}`] != 1 || len(came) != 2 {
		t.Errorf("eight times at once: %v", came)
	}
	<-f.reviewer.events
	// What comes next is next: nothing was reviewed twice.
	f.send(delivery{event: "push", id: "d-3", payload: d.payload})
	if ev := <-f.reviewer.events; ev.Delivery != "d-3" {
		t.Errorf("delivery %s was reviewed twice", ev.Delivery)
	}
}

func TestWebhookIgnores(t *testing.T) {
	f := takingWebhooks(t)
	for _, tt := range []struct {
		name string
		d    delivery
		why  string
	}{
		{"ping", delivery{event: "ping", id: "p", payload: `{"zen": "Half measures are as bad as nothing at all."}`}, "events of this name"},
		{"another repository", delivery{event: "push", id: "o", payload: pushed("main", "https://git.example/mallory/fleet.git")}, "reads no repository git.example/mallory/fleet"},
		{"another host", delivery{event: "push", id: "h", payload: pushed("main", "https://evil.example/acme/fleet.git")}, "reads no repository evil.example/acme/fleet"},
		{"another branch", delivery{event: "push", id: "b", payload: pushed("next", enginetest.URL)}, "follows branch main"},
	} {
		if code, text := f.send(tt.d); code != http.StatusAccepted || !strings.Contains(text, `"ignored"`) || !strings.Contains(text, tt.why) {
			t.Errorf("%s: %d %s, want it ignored: %s", tt.name, code, text, tt.why)
		}
	}
	if n := len(f.reviewer.events); n > 0 {
		t.Errorf("%d reviewed", n)
	}
}

func TestWebhookRefuses(t *testing.T) {
	f := takingWebhooks(t)
	good := delivery{event: "push", id: "d", payload: pushed("main", enginetest.URL)}
	with := func(change func(*delivery)) delivery { d := good; change(&d); return d }
	on := func(change func(*http.Request)) delivery { d := good; d.change = change; return d }
	for _, tt := range []struct {
		name string
		d    delivery
		code int
		why  string
	}{
		{"another secret", with(func(d *delivery) { d.secret = rotated }), http.StatusUnauthorized, "not accepted"},
		{"no signature", on(func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) }), http.StatusUnauthorized, "not accepted"},
		{"SHA-1", on(func(r *http.Request) {
			r.Header.Del(webhook.HeaderSignature)
			r.Header.Set("X-Hub-Signature", "sha1="+strings.Repeat("0", 40))
		}), http.StatusUnauthorized, "not accepted"},
		{"other body", on(func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(good.payload, "main", "mine", 1)))
		}), http.StatusUnauthorized, "not accepted"},
		{"malformed and unsigned", delivery{event: "push", id: "d", payload: `{`, secret: rotated}, http.StatusUnauthorized, "not accepted"},
		{"malformed", delivery{event: "push", id: "d", payload: `{`}, http.StatusBadRequest, "JSON"},
		{"not whole", delivery{event: "pull_request", id: "d", payload: `{"action": "opened"}`}, http.StatusBadRequest, "expected repository"},
		{"no delivery", with(func(d *delivery) { d.id = "" }), http.StatusBadRequest, webhook.HeaderDelivery},
		{"no event", with(func(d *delivery) { d.event = "" }), http.StatusBadRequest, webhook.HeaderEvent},
		{"XML", on(func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") }), http.StatusBadRequest, "Content-Type"},
		{"GET", on(func(r *http.Request) { r.Method = http.MethodGet }), http.StatusMethodNotAllowed, "method"},
	} {
		if code, text := f.send(tt.d); code != tt.code || !strings.Contains(text, tt.why) || strings.Contains(text, secret) {
			t.Errorf("%s: %d %s, want %d and %q", tt.name, code, text, tt.code, tt.why)
		}
	}
	if n := len(f.reviewer.events); n > 0 || strings.Contains(f.logs.String(), secret) {
		t.Errorf("%d reviewed, or a secret in the log: %s", n, f.logs.String())
	}
	entries, err := f.engine.AuditLog(t.Context(), 100)
	if err != nil || len(entries) != 5 || entries[0].Action != "webhook" {
		t.Errorf("audit log: %v %+v", err, entries)
	}
}

func TestWebhookTooLarge(t *testing.T) {
	f := takingWebhooks(t)
	large := strings.Repeat(" ", webhook.MaxBody) + "{}"
	for name, change := range map[string]func(*http.Request){
		"told":     nil,
		"not told": func(r *http.Request) { r.ContentLength = -1 },
	} {
		if code, text := f.send(delivery{event: "ping", id: "d", payload: large, change: change}); code != http.StatusRequestEntityTooLarge || !strings.Contains(text, "26214400") {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
}

// While a secret is replaced both are good, and then only the new one.
func TestWebhookSecretRotates(t *testing.T) {
	f := takingWebhooks(t)
	try := func(secret string) int {
		code, _ := f.send(delivery{event: "ping", id: "d", payload: `{}`, secret: secret})
		return code
	}
	for _, tt := range []struct {
		file       []string
		old, fresh int
	}{
		{[]string{secret}, http.StatusAccepted, http.StatusUnauthorized},
		{[]string{secret, rotated}, http.StatusAccepted, http.StatusAccepted},
		{[]string{rotated}, http.StatusUnauthorized, http.StatusAccepted},
	} {
		f.rotate(tt.file...)
		if old, fresh := try(secret), try(rotated); old != tt.old || fresh != tt.fresh {
			t.Errorf("%d secrets: the old one %d, the new one %d; want %d and %d", len(tt.file), old, fresh, tt.old, tt.fresh)
		}
	}
}

// Every example that GitHub gives is taken, or ignored for a reason.
func TestWebhookExamples(t *testing.T) {
	list, err := examples.Load(t.Context(), filepath.Join("..", "..", ".cache", "githubd"))
	if errors.Is(err, npm.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip("GitHub's examples come from npm, which is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	f := takingWebhooks(t)
	ignored := map[string]int{}
	for i, e := range list {
		for _, form := range []bool{false, true} {
			d := delivery{event: e.Event, id: "d-" + strings.Repeat("x", i%9), payload: string(e.Payload)}
			if form {
				d.payload = url.Values{"payload": {d.payload}}.Encode()
				d.change = func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
			}
			code, text := f.send(d)
			if code != http.StatusAccepted || !strings.Contains(text, `"reason"`) {
				t.Errorf("%s %s %d, as a form %t: %d %s", e.Source, e.Event, e.Number, form, code, text)
			}
			for _, why := range []string{"reads no repository", "of this name", "this action", "no branch", "deleted", "not its base"} {
				if strings.Contains(text, why) {
					ignored[why]++
				}
			}
		}
	}
	// Those of known kinds were decoded whole, and then of a repository that
	// this server does not read.
	if len(list) < 300 || ignored["reads no repository"] < 30 || ignored["of this name"] < 300 {
		t.Errorf("%d examples, ignored %v", len(list), ignored)
	}
	t.Logf("%d examples, twice: %v", len(list), ignored)
}
