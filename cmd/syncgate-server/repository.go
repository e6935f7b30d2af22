package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/gitops/revert"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/review"
	"github.com/syncgate/syncgate/hooks/server"
)

// tokens gives a token each time it is asked.
type tokens func(ctx context.Context) (string, error)

// repository opens a repository and the forge its reverts go to.
func (a *app) repository(ctx context.Context, cfg *config.Config, r config.Repository) (engine.Repository, error) {
	log := a.log.With("component", "git")
	forgeTokens, appID, err := forgeCredentials(r)
	if err != nil {
		return engine.Repository{}, err
	}
	o := git.Options{URL: r.URL, Dir: filepath.Join(cfg.CacheDir, r.Name), Username: r.Username, Log: log}
	switch {
	case r.TokenFile != "":
		o.Token = git.TokenFile(r.TokenFile)
	case appID != 0 && forge.SameHost(r.Forge.GitHub.APIURL, r.URL):
		// An installation's token is a password for Git on its own host.
		o.Token = forgeTokens
	}
	if r.SSH != nil {
		o.SSH = git.SSHOptions{KeyFile: r.SSH.KeyFile, KnownHostsFile: r.SSH.KnownHostsFile}
	}
	if r.CAFile != "" {
		o.Env = append(o.Env, "GIT_SSL_CAINFO="+r.CAFile)
	}
	repo, err := git.Open(ctx, o)
	if err != nil {
		return engine.Repository{}, err
	}
	a.closers = append(a.closers, repo.Close)
	var f forge.Forge
	switch {
	case r.Forge.GitHub != nil:
		g := r.Forge.GitHub
		hub, err := forge.NewGitHub(forge.GitHubOptions{BaseURL: g.APIURL, Owner: g.Owner, Repo: g.Repo, Token: forgeTokens, App: appID, Log: log})
		if err != nil {
			return engine.Repository{}, err
		}
		f = hub
		a.reviewed[r.Name] = review.Repository{Git: repo, Reporter: hub, Branch: r.Branch}
	default:
		if f, err = forge.NewPlain(repo, forge.PlainOptions{Dir: r.Forge.Plain.Dir, Log: log}); err != nil {
			return engine.Repository{}, err
		}
	}
	return engine.Repository{
		Name: r.Name, URLs: append([]string{r.URL}, r.Aliases...), Branch: r.Branch,
		Git: repo, Reverter: revert.New(repo, f, revert.Options{Log: log}),
	}, nil
}

// forgeCredentials are the tokens for the repository's forge, and the ID of the
// App that they are of; 0 for a person's.
func forgeCredentials(r config.Repository) (tokens, int64, error) {
	g := r.Forge.GitHub
	switch {
	case g == nil:
		return nil, 0, nil
	case g.App == nil:
		return git.TokenFile(g.TokenFile), 0, nil
	}
	app, err := forge.NewApp(forge.AppOptions{
		BaseURL: g.APIURL, ID: g.App.ID, Installation: g.App.Installation, KeyFile: g.App.KeyFile, Owner: g.Owner, Repo: g.Repo,
	})
	if err != nil {
		return nil, 0, err
	}
	return app.Token, g.App.ID, nil
}

// reviewer judges what webhooks tell of; nil without webhooks.
func (a *app) reviewer(cfg *config.Config) engine.Reviewer {
	if cfg.Webhooks.GitHub == nil {
		return nil
	}
	return review.New(review.Options{Repositories: a.reviewed, Version: version, Log: a.log.With("component", "review")})
}

// takeWebhooks serves the deliveries of the configuration's forges.
func (a *app) takeWebhooks(cfg *config.Config) error {
	if cfg.Webhooks.GitHub == nil {
		return nil
	}
	w, err := server.NewWebhooks(cfg.Webhooks.GitHub.SecretFile)
	if err != nil {
		return fmt.Errorf("take webhooks of GitHub: %w", err)
	}
	a.server.EnableWebhooks(w)
	return nil
}
