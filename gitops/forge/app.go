package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/go-github/v60/github"
)

const (
	maxKeyBytes = 64 << 10
	// tokenRest is how long a token must be good for when it is given out:
	// longer than the longest fetch takes.
	tokenRest    = 5 * time.Minute
	tokenTimeout = 30 * time.Second
	tokenTries   = 3
)

// AppOptions say which GitHub App is installed where. All but BaseURL,
// Installation and Transport are required.
type AppOptions struct {
	// BaseURL of the REST API, as in GitHubOptions.
	BaseURL string
	// ID is the App's, and Installation the installation's; 0 is asked for.
	ID, Installation int64
	// KeyFile holds the App's private key, PEM. It is read for each token, so
	// that a rotated key is taken up by itself.
	KeyFile string
	// Owner and Repo name the one repository that tokens are good for.
	Owner, Repo string
	// Transport carries the calls. Nil: the default one.
	Transport http.RoundTripper
}

// App gives the tokens of a GitHub App's installation, good for an hour and for
// one repository. It is safe for concurrent use.
type App struct {
	opts AppOptions
	base string // of the REST API, whole
	next http.RoundTripper

	mu           sync.Mutex
	installation int64
	token        string
	expires      time.Time
}

// NewApp reads the key. It speaks to nobody yet.
func NewApp(o AppOptions) (*App, error) {
	if o.ID <= 0 || o.Installation < 0 {
		return nil, fmt.Errorf("set up GitHub App for %s/%s: expected the App's ID, a number above 0, found %d", o.Owner, o.Repo, o.ID)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	a := &App{opts: o, next: &bounded{o.Transport}, installation: o.Installation}
	client, err := newClient(o.BaseURL, nil)
	if err != nil {
		return nil, fmt.Errorf("set up GitHub App %d: %w", o.ID, err)
	}
	a.base = client.BaseURL.String()
	if _, err := a.signed(); err != nil {
		return nil, err
	}
	return a, nil
}

// Token is a token that is good for some minutes at least. It is fetched when
// the last one nears its end; while that cannot be done, and the last one is
// still good, it is the last one.
func (a *App) Token(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := time.Until(a.expires)
	if left > tokenRest {
		return a.token, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tokenTimeout, fmt.Errorf("no token within the limit of %s", tokenTimeout))
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := a.fetch(ctx)
		if err != nil && !transient(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(tokenTries))
	switch {
	case err == nil:
		return a.token, nil
	case left > time.Minute:
		return a.token, nil
	default:
		return "", fmt.Errorf("get token of GitHub App %d for %s/%s: %w", a.opts.ID, a.opts.Owner, a.opts.Repo, err)
	}
}

// fetch gets a new token.
func (a *App) fetch(ctx context.Context) error {
	app, err := a.signed()
	if err != nil {
		return &tokenError{err}
	}
	if a.installation == 0 {
		if a.installation, err = a.find(ctx, app); err != nil {
			return err
		}
	}
	client, err := newClient(a.opts.BaseURL, app)
	if err != nil {
		return &tokenError{err}
	}
	token, _, err := client.Apps.CreateInstallationToken(ctx, a.installation, &github.InstallationTokenOptions{Repositories: []string{a.opts.Repo}})
	if err != nil {
		what := fmt.Sprintf("installation %d", a.installation)
		if a.opts.Installation == 0 {
			a.installation = 0 // it may have been installed anew
		}
		return a.explain(what, err)
	}
	if token.GetToken() == "" || token.GetExpiresAt().IsZero() {
		return errors.New("expected a token and its end, found an empty answer")
	}
	a.token, a.expires = token.GetToken(), token.GetExpiresAt().Time
	return nil
}

// signed reads the key and makes what signs calls with it.
func (a *App) signed() (*ghinstallation.AppsTransport, error) {
	f, err := os.Open(a.opts.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read private key of GitHub App %d: %w", a.opts.ID, err)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read private key of GitHub App %d: %w", a.opts.ID, err)
	}
	if len(key) > maxKeyBytes {
		return nil, fmt.Errorf("read private key of GitHub App %d: %s: expected at most %d bytes", a.opts.ID, a.opts.KeyFile, maxKeyBytes)
	}
	t, err := ghinstallation.NewAppsTransport(a.next, a.opts.ID, key)
	if err != nil {
		return nil, fmt.Errorf("read private key of GitHub App %d: %s: expected an RSA key, PEM, as GitHub gives it: %w", a.opts.ID, a.opts.KeyFile, err)
	}
	t.BaseURL = strings.TrimSuffix(a.base, "/")
	return t, nil
}

// find asks where the App is installed for the repository.
func (a *App) find(ctx context.Context, app *ghinstallation.AppsTransport) (int64, error) {
	client, err := newClient(a.opts.BaseURL, app)
	if err != nil {
		return 0, &tokenError{fmt.Errorf("find installation: %w", err)}
	}
	i, _, err := client.Apps.FindRepositoryInstallation(ctx, a.opts.Owner, a.opts.Repo)
	if err != nil {
		return 0, a.explain("installation", err)
	}
	if i.GetID() <= 0 {
		return 0, errors.New("find installation: expected its ID, found an empty answer")
	}
	return i.GetID(), nil
}

// explain makes an APIError of an answer.
func (a *App) explain(what string, err error) error {
	e := &APIError{Repository: a.opts.Owner + "/" + a.opts.Repo, Operation: "get token of " + what, cause: err, kind: ErrRefused}
	var answer *github.ErrorResponse
	if !errors.As(err, &answer) || answer.Response == nil {
		return fmt.Errorf("get token of %s: %w", what, err)
	}
	e.Status, e.Message = answer.Response.StatusCode, messageOf(answer)
	switch e.Status {
	case http.StatusUnauthorized:
		e.Remedy = fmt.Sprintf("check that %s is a private key of App %d, and this machine's clock", a.opts.KeyFile, a.opts.ID)
	case http.StatusForbidden:
		e.Remedy = "check that the installation is not suspended"
	case http.StatusNotFound:
		e.Remedy = fmt.Sprintf("install App %d for the repository, and check the installation's ID if it is configured", a.opts.ID)
	case http.StatusUnprocessableEntity:
		e.Remedy = "let the installation see the repository"
	}
	return e
}
