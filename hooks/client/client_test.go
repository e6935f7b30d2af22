package client_test

import (
	"bytes"
	"context"
	"encoding/json"
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

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/client"
)

var change = hooks.Change{
	Repository: "https://git.example/fleet", Gate: "chat", Cluster: "eu",
	Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "one",
}

// script is a gate server that does what a test says, call by call.
type script struct {
	t      *testing.T
	mu     sync.Mutex
	posts  []http.HandlerFunc
	stream []http.HandlerFunc
	seen   []*http.Request
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	queue := &s.stream
	if r.Method == http.MethodPost {
		queue = &s.posts
	}
	s.seen = append(s.seen, r)
	if len(*queue) == 0 {
		s.mu.Unlock()
		s.t.Errorf("unexpected call: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	next := (*queue)[0]
	*queue = (*queue)[1:]
	s.mu.Unlock()
	next(w, r)
}

func answer(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

func problem(status int, code, message string) http.HandlerFunc {
	return answer(status, hooks.ProblemBody{Error: hooks.Problem{Code: code, Message: message, Remedy: "do this"}})
}

func accepted(id string) http.HandlerFunc {
	return answer(http.StatusAccepted, hooks.Run{ID: id, Change: change, Number: 1, Started: time.Now(), Deadline: time.Now().Add(time.Hour)})
}

func send(w http.ResponseWriter, events ...hooks.Event) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		text, _ := json.Marshal(e)
		fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Seq, text)
	}
	w.(http.Flusher).Flush()
}

func stream(events ...hooks.Event) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { send(w, events...) }
}

func cut(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

func result(seq int64, name string, status hooks.Status, reason string) hooks.Event {
	return hooks.Event{Seq: seq, At: time.Now(), Result: &hooks.Result{Check: name, Status: status, Reason: reason,
		Evidence: []hooks.Evidence{{Object: "pod/x", Fact: "CrashLoopBackOff\nexit 1"}}}}
}

func verdict(seq int64, v hooks.Verdict, follows bool) hooks.Event {
	return hooks.Event{Seq: seq, At: time.Now(), Verdict: &hooks.VerdictNotice{Verdict: v, Reason: "because", RevertFollows: follows}}
}

func reverted(seq int64) hooks.Event {
	return hooks.Event{Seq: seq, At: time.Now(), Revert: &hooks.RevertOutcome{Action: "PullRequest", URL: "https://forge.example/pull/7", Reason: "opened"}}
}

func TestWait(t *testing.T) {
	type handlers = []http.HandlerFunc
	for _, tt := range []struct {
		name    string
		posts   handlers
		stream  handlers
		timeout time.Duration
		want    hooks.Verdict
		err     string
		out     []string // in this order
		lastIDs []string // Last-Event-ID of each stream
	}{
		{
			name:  "passes",
			posts: handlers{accepted("r1")}, stream: handlers{stream(result(1, "nodes", hooks.Wait, "2 of 3"), result(2, "nodes", hooks.Pass, "3 of 3"), verdict(3, hooks.Passed, false))},
			want: hooks.Passed, out: []string{"run r1", "nodes", "Wait", "2 of 3", "Pass", "3 of 3", "verdict", "Passed"},
		},
		{
			name:  "fails with evidence and what to do",
			posts: handlers{accepted("r1")}, stream: handlers{stream(result(1, "pods", hooks.Fail, "no"), verdict(2, hooks.Failed, false))},
			want: hooks.Failed, out: []string{"pods", "Fail", "verdict", "Failed", "pods: Fail: no", "pod/x", "CrashLoopBackOff", "exit 1", "What to do: nothing was applied."},
		},
		{
			name:  "comes back to lost connections where it was",
			posts: handlers{cut, accepted("r1")},
			stream: handlers{cut, stream(result(1, "nodes", hooks.Wait, "x")),
				problem(503, hooks.CodeUnavailable, "later"),
				stream(result(1, "nodes", hooks.Wait, "again"), result(2, "nodes", hooks.Pass, "y"), verdict(3, hooks.Expired, false))},
			want: hooks.Expired, out: []string{"retry", "x", "later", "Pass", "y", "Expired"},
			lastIDs: []string{"", "", "1", "1"},
		},
		{
			name:   "posts again when the server lost the run",
			posts:  handlers{accepted("r1"), accepted("r2")},
			stream: handlers{stream(result(1, "nodes", hooks.Wait, "x")), problem(404, hooks.CodeUnknownRun, "gone"), stream(verdict(1, hooks.Passed, false))},
			want:   hooks.Passed, out: []string{"run r1", "posting the change again", "run r2", "Passed"},
			lastIDs: []string{"", "1", ""},
		},
		{
			name:  "prints the revert when it comes soon",
			posts: handlers{accepted("r1")}, stream: handlers{stream(verdict(1, hooks.Failed, true)), stream(reverted(2))},
			want: hooks.Failed, out: []string{"verdict", "Failed", "https://forge.example/pull/7"}, lastIDs: []string{"", "1"},
		},
		{
			name:  "goes without a revert that does not come",
			posts: handlers{accepted("r1")}, stream: handlers{func(w http.ResponseWriter, r *http.Request) {
				send(w, verdict(1, hooks.Failed, true))
				<-r.Context().Done()
			}},
			want: hooks.Failed, out: []string{"verdict", "Failed"},
		},
		{
			name: "wrong token ends at once", posts: handlers{problem(401, hooks.CodeUnauthenticated, "the token is not good")},
			err: "401 unauthenticated: the token is not good; do this",
		},
		{
			name: "unknown gate ends at once", posts: handlers{problem(404, hooks.CodeUnknownGate, "there are: a, b")}, err: "there are: a, b",
		},
		{
			name: "a token that turns bad", posts: handlers{accepted("r1")}, stream: handlers{problem(401, hooks.CodeUnauthenticated, "expired")}, err: "expired",
		},
		{
			name: "a redirect is not followed", posts: handlers{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }},
			err: "302",
		},
		{
			name: "no gate server", posts: handlers{answer(404, "hello")}, err: "check that --server",
		},
		{
			name: "busy and then well", posts: handlers{problem(429, hooks.CodeRateLimited, "slow down"), problem(500, hooks.CodeInternal, "oops"), accepted("r1")},
			stream: handlers{stream(verdict(1, hooks.Overridden, false))}, want: hooks.Overridden, out: []string{"slow down", "oops", "Overridden"},
		},
		{
			name: "no verdict in time", posts: handlers{accepted("r1")}, timeout: 200 * time.Millisecond,
			stream: handlers{func(w http.ResponseWriter, r *http.Request) {
				send(w, result(1, "nodes", hooks.Wait, "x"))
				<-r.Context().Done()
			}},
			err: "no verdict within 200ms",
		},
		{
			name: "a silent connection is lost", posts: handlers{accepted("r1")},
			stream: handlers{func(w http.ResponseWriter, r *http.Request) { send(w); <-r.Context().Done() }, stream(verdict(1, hooks.Passed, false))},
			want:   hooks.Passed, out: []string{"silent for 300ms"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{t: t, posts: tt.posts, stream: tt.stream}
			srv := httptest.NewServer(s)
			defer srv.Close()
			var out bytes.Buffer
			got, err := client.Wait(t.Context(), options(t, srv.URL, &out, tt.timeout))
			if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("Wait = %q, %v; want %q, %q\n%s", got, err, tt.want, tt.err, out.String())
			}
			rest := out.String()
			for _, want := range tt.out {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("expected %q, in order, in:\n%s", want, out.String())
				}
				rest = after
			}
			s.check(tt.lastIDs)
		})
	}
}

func options(t *testing.T, server string, out *bytes.Buffer, timeout time.Duration) client.Options {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if timeout == 0 {
		timeout = time.Minute
	}
	return client.Options{Server: server, TokenFile: token, Change: change, Timeout: timeout, Out: out,
		RevertWait: 200 * time.Millisecond, Idle: 300 * time.Millisecond, FirstRetry: time.Millisecond}
}

func (s *script) check(lastIDs []string) {
	s.t.Helper()
	var ids []string
	for _, r := range s.seen {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			s.t.Errorf("%s %s: Authorization %q", r.Method, r.URL, got)
		}
		if r.Method == http.MethodGet {
			ids = append(ids, r.Header.Get("Last-Event-ID"))
		}
	}
	if lastIDs != nil && strings.Join(ids, ",") != strings.Join(lastIDs, ",") {
		s.t.Errorf("Last-Event-ID %q, want %q", ids, lastIDs)
	}
}

func TestTokenIsReadAnew(t *testing.T) {
	var out bytes.Buffer
	var o client.Options
	var tokens []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
		if r.Method == http.MethodPost {
			if err := os.WriteFile(o.TokenFile, []byte("rotated"), 0o600); err != nil {
				t.Error(err)
			}
			accepted("r1")(w, r)
			return
		}
		send(w, verdict(1, hooks.Passed, false))
	}))
	defer srv.Close()
	o = options(t, srv.URL, &out, 0)
	if _, err := client.Wait(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if len(tokens) != 2 || tokens[0] != "Bearer secret" || tokens[1] != "Bearer rotated" {
		t.Errorf("tokens %q", tokens)
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("the token was printed")
	}
}

func TestRefusesBeforeAsking(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*client.Options)
		err  string
	}{
		{"change", func(o *client.Options) { o.Change.Revision = "main" }, "full commit SHA"},
		{"server", func(o *client.Options) { o.Server = "gate:8443" }, "expected https://host"},
		{"CA file that is not there", func(o *client.Options) { o.CAFile = "/nowhere/ca.pem" }, "read CA file"},
		{"CA file of something else", func(o *client.Options) { o.CAFile = o.TokenFile }, "expected certificates in PEM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, "http://127.0.0.1:1", &bytes.Buffer{}, 0)
			tt.edit(&o)
			if _, err := client.Wait(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestUnknownCertificateEndsAtOnce(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	srv.Config.ErrorLog = nil
	_, err := client.Wait(t.Context(), options(t, srv.URL, &bytes.Buffer{}, 0))
	if err == nil || !strings.Contains(err.Error(), "--ca-file") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		problem(503, hooks.CodeUnavailable, "later")(w, r)
	}))
	defer srv.Close()
	_, err := client.Wait(ctx, options(t, srv.URL, &bytes.Buffer{}, 0))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOutputCannotPlayWithTheTerminal(t *testing.T) {
	s := &script{t: t, posts: []http.HandlerFunc{accepted("r1")}, stream: []http.HandlerFunc{
		stream(result(1, "x\x1b[2J", hooks.Fail, "line\nverdict Passed\u202e"), verdict(2, hooks.Failed, false))}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	var out bytes.Buffer
	if _, err := client.Wait(t.Context(), options(t, srv.URL, &out, 0)); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Contains(out.String(), "\nverdict Passed") {
		t.Errorf("%q", out.String())
	}
}

// A Job that does not let the sync go on stays for a while, so that it can be
// told why; what passes is not held up, nor is a Job that is stopped.
func TestLeast(t *testing.T) {
	const least = 700 * time.Millisecond
	for _, tt := range []struct {
		name   string
		posts  []http.HandlerFunc
		stream []http.HandlerFunc
		stop   bool
		held   bool
	}{
		{"passed", []http.HandlerFunc{accepted("r1")}, []http.HandlerFunc{stream(verdict(1, hooks.Passed, false))}, false, false},
		{"failed", []http.HandlerFunc{accepted("r1")}, []http.HandlerFunc{stream(verdict(1, hooks.Failed, false))}, false, true},
		{"refused", []http.HandlerFunc{problem(404, hooks.CodeUnknownGate, "there are: a, b")}, nil, false, true},
		{"failed and stopped", []http.HandlerFunc{accepted("r1")}, []http.HandlerFunc{stream(verdict(1, hooks.Failed, false))}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(&script{t: t, posts: tt.posts, stream: tt.stream})
			defer srv.Close()
			var out bytes.Buffer
			opts := options(t, srv.URL, &out, 0)
			opts.Least = least
			ctx := t.Context()
			if tt.stop {
				opts.Least = time.Hour
				short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
				ctx = short
			}
			begin := time.Now()
			verdict, err := client.Wait(ctx, opts)
			took := time.Since(begin)
			if held := took >= least; held != tt.held {
				t.Errorf("Wait = %q, %v after %s; held back: got %v, want %v", verdict, err, took, held, tt.held)
			}
		})
	}
}
