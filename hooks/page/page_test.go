package page_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/page"
	"github.com/syncgate/syncgate/hooks/page/pagetest"
	"github.com/syncgate/syncgate/hooks/store"
)

func pages(t *testing.T, edit func(*page.Options)) http.Handler {
	t.Helper()
	o := page.Options{Loopback: true, Now: pagetest.Now, Log: slog.New(slog.DiscardHandler), PublicURL: "https://gate.example/x/"}
	if edit != nil {
		edit(&o)
	}
	if o.Runs == nil {
		o.Runs = pagetest.Open(t, pagetest.Runs())
	}
	p, err := page.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p.Handler()
}

func get(t *testing.T, h http.Handler, method, path, host string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://"+host+path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b), w.Header()
}

func id(n int) string { return hooks.PathPageRuns + "/" + pagetest.ID(n) }

// A page shows what a person needs of a Run, and is loaded again for as long as
// there is more to come.
func TestPages(t *testing.T) {
	h := pages(t, nil)
	key := "/gates/mattermost/eu/" + pagetest.Revision() + "/preSync"
	const again = `http-equiv="refresh"`
	for _, tt := range []struct {
		name, path string
		status     int
		with       []string
		without    []string
	}{
		{"list", "/", 200, []string{again, ">Running</span>", "run 2", id(pagetest.Waiting)[1:], "overridden by jane@acme.example", "registry.example.com did not answer"}, nil},
		{"list of a gate", "/?gate=shop", 200, []string{id(pagetest.Reverting)[1:], `<option selected>shop</option>`, again}, []string{id(pagetest.Waiting)[1:]}},
		{"list of a cluster and verdict", "/?cluster=us&verdict=Passed", 200, []string{id(pagetest.PassedRun)[1:]}, []string{id(pagetest.FailedRun)[1:], again}},
		{"list of what goes on", "/?verdict=unfinished", 200, []string{id(pagetest.Waiting)[1:]}, []string{id(pagetest.PassedRun)[1:]}},
		{"list of nothing", "/?gate=none", 200, []string{"No run matches", `<option selected>none</option>`}, nil},
		{"no such verdict", "/?verdict=Good", 400, []string{"no such verdict"}, nil},
		{"long query", "/?gate=" + strings.Repeat("a", 300), 400, []string{"too long"}, nil},
		{"waiting", id(pagetest.Waiting), 200, []string{again, "Running for 7m 0s", "in 23m 0s", "older than maxAge 24h", "asked 31 times", "SHA-256 matches", "1 Unknown, 1 Wait, 1 Pass",
			"What it waits for", "Other runs of the same change", id(pagetest.Earlier)[1:], `href="../style.css"`}, []string{"lasting link"}},
		{"newest of a key", key, 200, []string{again, "older than maxAge 24h", "lasting link", "Earlier runs of the same change", id(pagetest.Earlier)[1:], `href="../../../../style.css"`}, nil},
		{"earlier of a key", id(pagetest.Earlier), 200, []string{"Expired", "the deadline of 30m came", id(pagetest.Waiting)[1:]}, []string{again}},
		{"passed", id(pagetest.PassedRun), 200, []string{"Backup to go back to", "s3://acme-backups/mattermost/eu/2026-03-01T02-10.dump", "3.2 GiB", "complete", "all of 2 checks passed"}, []string{again}},
		{"failed", id(pagetest.FailedRun), 200, []string{`href="https://github.com/acme/gitops/pull/42"`, "undoes 4f2a4f2a", "CrashLoopBackOff"}, []string{again}},
		{"overridden", id(pagetest.Overridden), 200, []string{"jane@acme.example", "the store is down, and the fix must go out", "Holds until", "2026-03-01 03:20:00 UTC", "in 20m 0s"}, []string{again}},
		{"revert to come", id(pagetest.Reverting), 200, []string{again, "The revert is being made"}, nil},
		{"no such run", id(99), 404, []string{"There is no such run"}, nil},
		{"no id", "/runs/x", 404, []string{"There is no such run"}, nil},
		{"key of nothing yet", "/gates/mattermost/eu/" + strings.Repeat("0", 40) + "/preSync", 404, []string{"yet", again}, nil},
		{"half a revision", "/gates/mattermost/eu/4f2a/preSync", 400, []string{"full commit SHA"}, nil},
		{"no phase", "/gates/mattermost/eu/" + pagetest.Revision() + "/sync", 400, []string{"preSync, postSync or syncFail"}, nil},
		{"nothing", "/v1/runs", 404, []string{"There is no such page"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, text, header := get(t, h, http.MethodGet, tt.path, "localhost:8081")
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, want := range tt.with {
				if !strings.Contains(text, want) {
					t.Errorf("the page lacks %q:\n%s", want, text)
				}
			}
			for _, not := range tt.without {
				if strings.Contains(text, not) {
					t.Errorf("the page has %q:\n%s", not, text)
				}
			}
			if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") || header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", header)
			}
		})
	}
}

// What comes from elsewhere stays text, whatever it is.
func TestHostileTextStaysText(t *testing.T) {
	h := pages(t, nil)
	for _, path := range []string{"/", "/?gate=" + "%3Cscript%3Ealert(1)%3C/script%3E%22%20onload=x", id(pagetest.Hostile), "/runs/%3Cscript%3E", "/gates/%3Cscript%3E/a/b/c"} {
		_, text, _ := get(t, h, http.MethodGet, path, "127.0.0.1")
		for _, bad := range []string{"<script", "<img", `href="javascript:`, `" onload=x`} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: the page has %s:\n%s", path, bad, text)
			}
		}
	}
	_, text, _ := get(t, h, http.MethodGet, id(pagetest.Hostile), "127.0.0.1")
	if !strings.Contains(text, "&lt;script&gt;alert(1)") || !strings.Contains(text, "javascript:alert(4)") {
		t.Errorf("the text is gone:\n%s", text)
	}
}

// Every link of a page leads to a page.
func TestLinksLead(t *testing.T) {
	srv := httptest.NewServer(pages(t, nil))
	defer srv.Close()
	link := regexp.MustCompile(`href="([^"]+)"`)
	for _, path := range []string{"/", id(pagetest.Waiting), "/gates/mattermost/eu/" + pagetest.Revision() + "/preSync"} {
		text := read(t, srv.URL+path)
		found := 0
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			base, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			to, err := base.URL.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if to.Host == base.URL.Host {
				read(t, to.String())
				found++
			}
		}
		if found < 3 {
			t.Errorf("%s: expected links, found %d", path, found)
		}
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(b)
}

// On this machine alone, only its names and the public one are answered.
func TestHost(t *testing.T) {
	for _, tt := range []struct {
		host     string
		loopback bool
		status   int
	}{
		{"localhost", true, 200}, {"LOCALHOST:1", true, 200}, {"127.0.0.1:8081", true, 200}, {"[::1]:8081", true, 200},
		{"gate.example", true, 200}, {"evil.example", true, 421}, {"evil.example:8081", true, 421}, {"localhost.evil.example", true, 421},
		{"127.0.0.1.evil.example", true, 421}, {"evil.example", false, 200},
	} {
		status, text, _ := get(t, pages(t, func(o *page.Options) { o.Loopback = tt.loopback }), http.MethodGet, "/", tt.host)
		if status != tt.status || status != 200 && strings.Contains(text, "mattermost") {
			t.Errorf("%s, loopback %t: status %d, want %d", tt.host, tt.loopback, status, tt.status)
		}
	}
	for addr, want := range map[string]bool{"127.0.0.1": true, "::1": true, "0.0.0.0": false, "::": false, "10.1.2.3": false} {
		if got := page.Loopback(&net.TCPAddr{IP: net.ParseIP(addr)}); got != want {
			t.Errorf("Loopback(%s) = %t", addr, got)
		}
	}
}

// Nothing but reading is answered.
func TestReadOnly(t *testing.T) {
	h := pages(t, nil)
	for method, want := range map[string]int{"POST": 405, "PUT": 405, "DELETE": 405, "HEAD": 200} {
		if status, _, _ := get(t, h, method, "/", "localhost"); status != want {
			t.Errorf("%s: status %d, want %d", method, status, want)
		}
	}
}

func TestRate(t *testing.T) {
	h := pages(t, func(o *page.Options) { o.Rate, o.Burst = 1, 2 })
	var last int
	var header http.Header
	for range 3 {
		last, _, header = get(t, h, http.MethodGet, "/favicon.ico", "localhost")
	}
	if last != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("status %d, headers %v; want 429 and when to come back", last, header)
	}
}

type broken struct{ err error }

func (b broken) Run(context.Context, string) (hooks.Run, error)          { return hooks.Run{}, b.err }
func (b broken) Runs(context.Context, store.Filter) ([]hooks.Run, error) { return nil, b.err }
func (b broken) Gates(context.Context) ([]store.Key, error)              { return nil, b.err }

// What could not be read is not shown as nothing, and why stays in the log.
func TestUnreadable(t *testing.T) {
	h := pages(t, func(o *page.Options) { o.Runs = broken{errors.New("disk /var/lib/secret is full")} })
	for _, path := range []string{"/", id(1), "/gates/mattermost/eu/" + pagetest.Revision() + "/preSync"} {
		status, text, _ := get(t, h, http.MethodGet, path, "localhost")
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "could not be read") || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// Going from page to page shows every Run once.
func TestPaging(t *testing.T) {
	var runs []hooks.Run
	for i := range 120 {
		r := pagetest.Runs()[2]
		r.ID, r.Number = pagetest.ID(1000+i), i+1
		runs = append(runs, r)
	}
	h := pages(t, func(o *page.Options) { o.Runs = pagetest.Open(t, runs) })
	next, older, seen := "/?cluster=us", regexp.MustCompile(`href="(\?[^"]*before=[^"]*)">Older`), map[string]bool{}
	ids, count := regexp.MustCompile(`href="./runs/([^"]+)"`), 0
	for ; next != ""; count++ {
		_, text, _ := get(t, h, http.MethodGet, next, "localhost")
		for _, m := range ids.FindAllStringSubmatch(text, -1) {
			if seen[m[1]] {
				t.Errorf("%s is listed again", m[1])
			}
			seen[m[1]] = true
		}
		next = ""
		if m := older.FindStringSubmatch(text); m != nil {
			next = "/" + strings.ReplaceAll(m[1], "&amp;", "&")
			if !strings.Contains(next, "cluster=us") {
				t.Error("the next page forgets the cluster")
			}
		}
	}
	if fmt.Sprint(count, len(seen)) != "3 120" {
		t.Errorf("%d pages with %d runs, want 3 with 120", count, len(seen))
	}
}
