package forge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGitHubRepository(t *testing.T) {
	tests := map[string]struct{ owner, repo string }{
		"https://github.com/acme/fleet.git":       {"acme", "fleet"},
		"https://ghe.example/acme/fleet":          {"acme", "fleet"},
		"https://ghe.example:8443/acme/a.b-c/":    {"acme", "a.b-c"},
		"ssh://git@github.com/acme/fleet.git":     {"acme", "fleet"},
		"git@github.com:acme/fleet.git":           {"acme", "fleet"},
		"https://github.com/acme":                 {},
		"https://gitlab.example/group/sub/x.git":  {},
		"file:///srv/fleet.git":                   {},
		"/srv/fleet.git":                          {},
		"":                                        {},
		"https://github.com/acme/fl%2Feet/../x y": {},
	}
	for in, want := range tests {
		owner, repo, err := GitHubRepository(in)
		if owner != want.owner || repo != want.repo || (err == nil) != (want.owner != "") {
			t.Errorf("GitHubRepository(%q) = %q, %q, %v, want %q, %q", in, owner, repo, err, want.owner, want.repo)
		}
	}
}

func fixed(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func TestNewGitHubRefuses(t *testing.T) {
	tests := map[string]struct {
		opts GitHubOptions
		want string
	}{
		"no token":        {GitHubOptions{Owner: "o", Repo: "r"}, "no token given"},
		"no owner":        {GitHubOptions{Repo: "r", Token: fixed("t")}, "expected an owner"},
		"path in repo":    {GitHubOptions{Owner: "o", Repo: "../x", Token: fixed("t")}, "expected an owner"},
		"base URL":        {GitHubOptions{BaseURL: "ghe.example", Owner: "o", Repo: "r", Token: fixed("t")}, "base URL"},
		"password in URL": {GitHubOptions{BaseURL: "https://u:s3cr3t@ghe.example/", Owner: "o", Repo: "r", Token: fixed("t")}, "without credentials"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewGitHub(tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// The token goes to the host it is meant for, and nowhere else.
func TestTokenStaysWithItsHost(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the stranger was asked, with Authorization %q", r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cr3t" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer hub.Close()
	g, err := NewGitHub(GitHubOptions{BaseURL: hub.URL, Owner: "o", Repo: "r", Token: fixed("s3cr3t"), Backoff: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.FindPullRequests(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "redirect to another host") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("error %v", err)
	}
}

func TestTokenThatCannotBeRead(t *testing.T) {
	tries := 0
	hub := httptest.NewServer(http.NotFoundHandler())
	defer hub.Close()
	wrong := errors.New("read token file: gone")
	g, err := NewGitHub(GitHubOptions{BaseURL: hub.URL, Owner: "o", Repo: "r", Backoff: 1, Token: func(context.Context) (string, error) {
		tries++
		return "", wrong
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.FindPullRequests(t.Context(), "x"); !errors.Is(err, wrong) || tries != 1 {
		t.Errorf("error %v after %d tries, want the token's after one", err, tries)
	}
}

func TestGarbageFromTheServer(t *testing.T) {
	for name, answer := range map[string]string{"no JSON": "<html>", "wrong types": `[{"number":"x"}]`, "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
			defer hub.Close()
			g, err := NewGitHub(GitHubOptions{BaseURL: hub.URL, Owner: "o", Repo: "r", Token: fixed("t"), Backoff: 1})
			if err != nil {
				t.Fatal(err)
			}
			if list, err := g.FindPullRequests(t.Context(), "x"); err == nil {
				t.Errorf("found %v in %q", list, answer)
			}
		})
	}
}

func TestPlainFolder(t *testing.T) {
	good := "---\nkind: Issue\nnumber: 1\ntitle: t\nstate: open\nlabels: [syncgate]\n---\n\n<!-- m -->\nbody\n"
	tests := map[string]struct {
		file, want string
	}{
		"one of ours":     {good, ""},
		"a readme":        {"# Pull requests\n", ""},
		"damaged":         {"---\nkind: Issue\n", "expected it between"},
		"wrong kind":      {strings.Replace(good, "Issue", "Epic", 1), "expected kind"},
		"wrong state":     {strings.Replace(good, "open", "half-open", 1), "expected state"},
		"no YAML":         {"---\n\t:\n---\n", "front matter"},
		"over the limit":  {"---\n" + strings.Repeat("x", maxPaperBytes), "over the limit"},
		"negative number": {strings.Replace(good, "number: 1", "number: -1", 1), "number from 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &Plain{opts: PlainOptions{Dir: t.TempDir()}}
			if err := os.WriteFile(filepath.Join(p.opts.Dir, "a.md"), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := p.FindIssue(t.Context(), "<!-- m -->", "syncgate")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzDecodePaper(f *testing.F) {
	f.Add([]byte("---\nkind: Issue\nnumber: 1\nstate: open\n---\n\nbody\n" + saying + "said\n"))
	f.Add([]byte("---\nkind: PullRequest\nnumber: 2\nstate: closed\nlabels: [a, b]\n---\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodePaper(b)
		if err != nil {
			return
		}
		out, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodePaper(out)
		if err != nil {
			t.Fatalf("%v of %q", err, out)
		}
		if again.Number != a.Number || again.State != a.State || len(again.comments) != len(a.comments) {
			t.Errorf("%+v became %+v", a, again)
		}
	})
}

// What is written is read as the same, whatever it holds.
func FuzzPaperRoundTrip(f *testing.F) {
	f.Add("title", "body", "comment")
	f.Add("a: b # c", "---\n\n---\n", saying)
	f.Fuzz(func(t *testing.T, title, body, said string) {
		a := &paper{Kind: kindIssue, Number: 1, State: Open, Title: strings.ToValidUTF8(title, "?"), body: body, comments: []string{said}}
		out, err := a.encode()
		if err != nil {
			t.Skip(err) // not every character can stand in YAML
		}
		got, err := decodePaper(out)
		if err != nil {
			t.Fatalf("%v of %q", err, out)
		}
		if d := cmp.Diff([]string{clean(body), clean(said)}, []string{got.body, strings.Join(got.comments, "|")}); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}
