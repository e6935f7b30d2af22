package gitops_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/gitops/source"
)

const (
	appID        = 7
	installation = 42
)

// keys are two private keys of an App: making one takes long.
var keys = sync.OnceValues(func() ([2]*rsa.PrivateKey, error) {
	var out [2]*rsa.PrivateKey
	for i := range out {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return out, err
		}
		out[i] = k
	}
	return out, nil
})

// appWorld is a repository on a GitHub where an App is installed.
type appWorld struct {
	*world
	api     string // "/api/v3" on Enterprise
	keyFile string
	app     *forge.App
	token   func(context.Context) (string, error)
}

func newAppWorld(t *testing.T, k kind, change ...func(*githubd.App)) *appWorld {
	t.Helper()
	pair, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	app := githubd.App{ID: appID, Key: &pair[0].PublicKey, Installations: map[int64][]string{installation: {"acme/fleet", "acme/other"}}}
	for _, c := range change {
		c(&app)
	}
	a := &appWorld{world: newWorld(t, k, app), keyFile: filepath.Join(t.TempDir(), "app.pem")}
	a.useKey(pair[0])
	if k == onEnterprise {
		a.api = "/api/v3"
	}
	if a.app, err = forge.NewApp(a.appOptions()); err != nil {
		t.Fatal(err)
	}
	a.token = a.app.Token
	return a
}

func (a *appWorld) appOptions() forge.AppOptions {
	base, transport := a.address()
	return forge.AppOptions{BaseURL: base, ID: appID, KeyFile: a.keyFile, Owner: "acme", Repo: "fleet", Transport: transport}
}

// address is how the API is reached.
func (a *appWorld) address() (base string, transport http.RoundTripper) {
	if a.api == "" {
		return "", toHost{strings.TrimPrefix(a.url, "http://")}
	}
	return a.url + a.api + "/", nil
}

func (a *appWorld) useKey(k *rsa.PrivateKey) {
	a.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
	if err := os.WriteFile(a.keyFile, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// forge makes a client, as a process that starts does.
func (a *appWorld) forge(token func(context.Context) (string, error)) *forge.GitHub {
	a.t.Helper()
	base, transport := a.address()
	g, err := forge.NewGitHub(forge.GitHubOptions{
		BaseURL: base, Owner: "acme", Repo: "fleet", Token: token, App: appID,
		MaxWait: 10 * time.Second, Backoff: 10 * time.Millisecond, Transport: transport,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return g
}

func (a *appWorld) grants() (n int) {
	for _, c := range a.d.Calls() {
		if strings.HasSuffix(c.Path, "/access_tokens") {
			n++
		}
	}
	return n
}

// A token serves until it nears its end, for calls and for Git alike, and for
// its own repository alone.
func TestAppToken(t *testing.T) {
	a := newAppWorld(t, onEnterprise)
	head := a.src.Commit("one", map[string]string{"a": "1\n"})
	first, err := a.token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.token(t.Context())
	if err != nil || first != second || a.grants() != 1 {
		t.Errorf("a token that is good was not kept: %v", err)
	}
	repo, err := git.Open(t.Context(), git.Options{URL: a.url + "/acme/fleet.git", Dir: t.TempDir(), Token: a.token})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	if got, err := repo.Branch(t.Context(), "main"); err != nil || got != head {
		t.Errorf("fetched %s, %v; want %s", got, err, head)
	}
	source.New(t, filepath.Join(filepath.Dir(a.src.Dir), "other.git"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/api/v3/repos/acme/other", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+first)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("the token is good for another repository: %d", resp.StatusCode)
	}
}

// Near its end a token is replaced; while that cannot be done, it serves on.
func TestAppTokenRotates(t *testing.T) {
	pair, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	a := newAppWorld(t, onGitHub, func(app *githubd.App) { app.TokenLife = 3 * time.Minute })
	first, err := a.token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.token(t.Context())
	if err != nil || first == second {
		t.Fatalf("a token with three minutes to go was kept: %v", err)
	}
	a.useKey(pair[1]) // which GitHub does not know yet
	third, err := a.token(t.Context())
	if err != nil || third != second {
		t.Errorf("while no new one can be had: %v", err)
	}
	a.useKey(pair[0])
	if fourth, err := a.token(t.Context()); err != nil || fourth == third {
		t.Errorf("once it can: %v", err)
	}
}

func TestAppTokenRefused(t *testing.T) {
	pair, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		app     func(*githubd.App)
		options func(*forge.AppOptions)
		later   func(*appWorld)
		why     string
	}{
		{name: "another key", later: func(a *appWorld) { a.useKey(pair[1]) }, why: "401 Unauthorized"},
		{name: "another App", options: func(o *forge.AppOptions) { o.ID = 8 }, why: "is a private key of App 8"},
		{name: "not installed", app: func(app *githubd.App) { app.Installations = nil }, why: "install App 7 for the repository"},
		{name: "another installation", options: func(o *forge.AppOptions) { o.Installation = 43 }, why: "installation 43"},
		{name: "installed for another repository", options: func(o *forge.AppOptions) { o.Installation, o.Repo = installation, "third" },
			why: "let the installation see the repository"},
		{name: "key gone", later: func(a *appWorld) { _ = os.Remove(a.keyFile) }, why: "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var with []func(*githubd.App)
			if tt.app != nil {
				with = append(with, tt.app)
			}
			a := newAppWorld(t, onGitHub, with...)
			o := a.appOptions()
			if tt.options != nil {
				tt.options(&o)
			}
			app, err := forge.NewApp(o)
			if err != nil {
				t.Fatal(err)
			}
			if tt.later != nil {
				tt.later(a)
			}
			got, err := app.Token(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %d bytes, %v; want an error with %q", len(got), err, tt.why)
			}
		})
	}
}

func TestAppOptionsRefused(t *testing.T) {
	a := newAppWorld(t, onGitHub)
	for name, change := range map[string]func(*forge.AppOptions){
		"no ID":              func(o *forge.AppOptions) { o.ID = 0 },
		"negative":           func(o *forge.AppOptions) { o.Installation = -1 },
		"no key":             func(o *forge.AppOptions) { o.KeyFile += "x" },
		"key that is none":   func(o *forge.AppOptions) { o.KeyFile = os.Args[0] },
		"URL with passwords": func(o *forge.AppOptions) { o.BaseURL = "https://u:hunter2@ghe.example/" },
	} {
		o := a.appOptions()
		change(&o)
		if _, err := forge.NewApp(o); err == nil || strings.Contains(err.Error(), "hunter2") || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
