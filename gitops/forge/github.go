package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
)

// maxAnswer is the largest answer that is read.
const maxAnswer = 32 << 20

// GitHubOptions say which repository on which GitHub.
type GitHubOptions struct {
	// BaseURL of the REST API. Empty: github.com. GitHub Enterprise:
	// "https://ghe.example/api/v3/".
	BaseURL string
	// Owner and Repo name the repository.
	Owner, Repo string
	// Token is asked anew for every call. Required. See git.TokenFile and App.
	Token func(ctx context.Context) (string, error)
	// App is the ID of the GitHub App whose token it is, by which it tells its
	// own check runs; 0 when it is a person's token.
	App int64
	// MaxWait is how long a call waits itself when GitHub limits calls; a
	// longer wait is a *LimitedError. Default 15s.
	MaxWait time.Duration
	// Backoff is the first pause before a call that failed is made again; it
	// doubles. Default 500ms.
	Backoff time.Duration
	// Transport carries the calls. Nil: the default one, with the proxy of the
	// environment.
	Transport http.RoundTripper
	// Log gets retries, and labels that could not be put on. Nil: nothing is
	// logged.
	Log *slog.Logger
}

// GitHub is a Forge on github.com or GitHub Enterprise. It is safe for
// concurrent use.
type GitHub struct {
	opts    GitHubOptions
	client  *github.Client
	name    string // owner/repo
	reports reports
	log     *slog.Logger
}

var _ Forge = (*GitHub)(nil)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// NewGitHub makes the Forge. It speaks to nobody yet.
func NewGitHub(opts GitHubOptions) (*GitHub, error) {
	for _, n := range []string{opts.Owner, opts.Repo} {
		if !nameForm.MatchString(n) || n == "." || n == ".." {
			return nil, fmt.Errorf("set up GitHub: expected an owner and a repository name, found %.100q and %.100q", opts.Owner, opts.Repo)
		}
	}
	if opts.Token == nil {
		return nil, fmt.Errorf("set up GitHub for %s/%s: no token given", opts.Owner, opts.Repo)
	}
	if opts.MaxWait <= 0 {
		opts.MaxWait = 15 * time.Second
	}
	if opts.Backoff <= 0 {
		opts.Backoff = 500 * time.Millisecond
	}
	if opts.Transport == nil {
		opts.Transport = http.DefaultTransport
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(opts.BaseURL, &authorized{next: &bounded{opts.Transport}, token: opts.Token})
	if err != nil {
		return nil, fmt.Errorf("set up GitHub for %s/%s: %w", opts.Owner, opts.Repo, err)
	}
	name := opts.Owner + "/" + opts.Repo
	return &GitHub{opts: opts, client: client, name: name, log: opts.Log.With("repository", name)}, nil
}

// newClient speaks to the REST API at base, github.com's when it is empty.
func newClient(base string, transport http.RoundTripper) (*github.Client, error) {
	client := github.NewClient(&http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: refuseOtherHosts})
	client.UserAgent = "syncgate"
	if base == "" {
		return client, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, errors.New("base URL: expected one such as \"https://ghe.example/api/v3/\" without credentials")
	}
	if client, err = client.WithEnterpriseURLs(base, base); err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	return client, nil
}

// SameHost reports whether a repository's clone URL is on the GitHub that has
// the API, so that a token for the one may be sent to the other.
func SameHost(apiURL, cloneURL string) bool {
	if apiURL == "" {
		apiURL = "https://api.github.com/"
	}
	api, err := url.Parse(apiURL)
	if err != nil || api.Host == "" {
		return false
	}
	clone, err := url.Parse(cloneURL)
	if err != nil || clone.Host == "" || clone.Scheme != api.Scheme {
		return false
	}
	return strings.EqualFold(api.Host, clone.Host) || strings.EqualFold(api.Host, "api."+clone.Host)
}

// GitHubRepository takes owner and name out of a repository's clone URL:
// https://host/owner/name.git, ssh://git@host/owner/name, git@host:owner/name.
func GitHubRepository(cloneURL string) (owner, repo string, err error) {
	path := ""
	if strings.Contains(cloneURL, "://") {
		if u, err := url.Parse(cloneURL); err == nil && u.Host != "" {
			path = u.Path
		}
	} else if _, after, ok := strings.Cut(cloneURL, ":"); ok {
		path = after
	}
	parts := strings.Split(strings.TrimSuffix(strings.Trim(path, "/"), ".git"), "/")
	if len(parts) != 2 || !nameForm.MatchString(parts[0]) || !nameForm.MatchString(parts[1]) {
		return "", "", errors.New("read GitHub repository of clone URL: expected a URL that ends in /owner/name or /owner/name.git")
	}
	return parts[0], parts[1], nil
}

// authorized puts the token on each call.
type authorized struct {
	next  http.RoundTripper
	token func(ctx context.Context) (string, error)
}

// RoundTrip implements http.RoundTripper.
func (a *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := a.token(req.Context())
	if err != nil {
		return nil, &tokenError{err}
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return a.next.RoundTrip(req)
}

// bounded keeps an answer within maxAnswer.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// tokenError says that the token could not be had; no retry mends that.
type tokenError struct{ error }

// Unwrap is the cause.
func (e *tokenError) Unwrap() error { return e.error }

// refuseOtherHosts keeps the token with the host it is meant for; GitHub
// redirects a renamed repository within its own.
func refuseOtherHosts(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("expected at most 5 redirects")
	}
	if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return fmt.Errorf("redirect to another host, %s, is not followed", req.URL.Host)
	}
	return nil
}
