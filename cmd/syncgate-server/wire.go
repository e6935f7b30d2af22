package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/review"
	"github.com/syncgate/syncgate/hooks/server"
	"github.com/syncgate/syncgate/hooks/store"
)

// app is the wired server.
type app struct {
	engine *engine.Engine
	server *server.Server
	known  *fleet
	// reviewed are the repositories for which reports can be published.
	reviewed map[string]review.Repository
	log      *slog.Logger
	closers  []func() error
	// watchers look at Applications, and at hook Jobs, while the server runs.
	watchers sync.WaitGroup
}

// close frees what wire opened, the last first.
func (a *app) close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// wire opens everything the configuration names and puts it together. It asks
// no cluster but an Argo CD's home, no repository and no store.
func wire(ctx context.Context, cfg *config.Config, getenv func(string) string, log *slog.Logger) (a *app, err error) {
	a = &app{log: log, reviewed: map[string]review.Repository{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()

	registry, err := clusters.New(ctx, cfg.Clusters, log.With("component", "clusters"))
	if err != nil {
		return a, err
	}
	a.known = &fleet{registry: registry, refresh: rate.NewLimiter(rate.Every(10*time.Second), 1), log: log}

	stores, err := backup.Open(withCredentials(cfg.Stores, getenv), log.With("component", "backup"))
	if err != nil {
		return a, err
	}
	a.closers = append(a.closers, func() error { stores.Close(); return nil })

	var repositories []engine.Repository
	for _, r := range cfg.Repositories {
		repository, err := a.repository(ctx, cfg, r)
		if err != nil {
			return a, fmt.Errorf("open repository %s: %w", r.Name, err)
		}
		repositories = append(repositories, repository)
	}

	db, err := store.Open(ctx, cfg.Database.Path)
	if err != nil {
		return a, err
	}
	a.closers = append(a.closers, db.Close)

	a.engine, err = engine.New(engine.Options{
		Store:        db,
		Repositories: repositories,
		Clusters:     a.known,
		Checks:       checks.New(checks.Options{Stores: stores, HTTP: checks.HTTPOptions{AllowHosts: cfg.Checks.HTTPAllowHosts}}),
		Minimums:     engine.Minimums{PreSync: cfg.Minimums.PreSync, PostSync: cfg.Minimums.PostSync, Revert: cfg.Minimums.Revert, Guards: requiredGuards(cfg)},
		Admission:    asking(cfg),
		Limits: engine.Limits{
			Runs: cfg.Limits.Runs, Checks: cfg.Limits.ChecksPerRun,
			CheckTimeout: cfg.Limits.CheckTimeout.Or(0), MinInterval: cfg.Limits.MinInterval.Or(0),
			MaxDeadline: cfg.Limits.MaxDeadline.Or(0), MaxFreshFor: cfg.Limits.MaxFreshFor.Or(0),
			MaxOverride: cfg.Limits.MaxOverride.Or(0), RevertTries: cfg.Limits.RevertTries,
			Retention: cfg.Database.Retention.Or(0),
		},
		PublicURL: linked(cfg),
		Reviewer:  a.reviewer(cfg),
		Log:       log,
	})
	if err != nil {
		return a, err
	}
	a.server = server.New(a.engine, a.known, server.Limits{
		Streams: cfg.Limits.Streams, StreamsPerCaller: cfg.Limits.StreamsPerCaller,
		Rate: cfg.Limits.RatePerCaller, Burst: 5 * cfg.Limits.RatePerCaller, Reviews: cfg.Limits.TokenReviews,
	}, log.With("component", "server"))
	return a, errors.Join(a.takeWebhooks(cfg), a.admit(cfg))
}

func requiredGuards(cfg *config.Config) []engine.RequiredGuard {
	var out []engine.RequiredGuard
	for _, g := range cfg.Minimums.Guards {
		out = append(out, engine.RequiredGuard(g))
	}
	return out
}

// asking are the clusters whose API servers may ask.
func asking(cfg *config.Config) (names []string) {
	for _, c := range cfg.Admission.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// admit lets the API servers of the configuration ask.
func (a *app) admit(cfg *config.Config) error {
	if len(cfg.Admission.Clusters) == 0 {
		return nil
	}
	known := map[string]*server.APIServer{}
	for _, c := range cfg.Admission.Clusters {
		s, err := server.NewAPIServer(server.APIServerOptions{
			ClientCAFile: c.ClientCAFile, ClientNames: c.ClientNames, TokenFile: c.TokenFile, TokenInPath: c.TokenInPath,
		})
		if err != nil {
			return fmt.Errorf("admit the API server of cluster %s: %w", c.Name, err)
		}
		known[c.Name] = s
	}
	a.server.EnableAdmission(server.Admission{Index: a.engine.Admission(), Clusters: known})
	return nil
}

// withCredentials gives the S3 stores the keys that the environment has for
// them.
func withCredentials(stores []backup.StoreOptions, getenv func(string) string) []backup.StoreOptions {
	out := slices.Clone(stores)
	for i := range out {
		if out[i].S3 == nil {
			continue
		}
		s3 := *out[i].S3
		prefix := "SYNCGATE_STORE_" + strings.Map(envRune, out[i].Name)
		s3.AccessKey, s3.SecretKey = getenv(prefix+"_ACCESS_KEY"), getenv(prefix+"_SECRET_KEY")
		out[i].S3 = &s3
	}
	return out
}

func envRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return r
	default:
		return '_'
	}
}

// fleet makes the clusters what the engine and the server ask for.
type fleet struct {
	registry *clusters.Registry
	refresh  *rate.Limiter
	log      *slog.Logger
}

// refreshEvery is how old the list of clusters, and the credentials in it, may
// get.
const refreshEvery = time.Minute

// refreshing reads the clusters again and again until ctx ends: Secrets and
// kubeconfig files are rotated.
func (f *fleet) refreshing(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.read(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (f *fleet) read(ctx context.Context) {
	if err := f.registry.Refresh(ctx); err != nil {
		f.log.WarnContext(ctx, "clusters not read again; the old ones are used", "error", err)
	}
}

// get looks an unknown cluster up again, since Argo CD may have got it since,
// but not for every stranger's guess.
func (f *fleet) get(ctx context.Context, name string) (*clusters.Cluster, error) {
	c, err := f.registry.Get(name)
	if err == nil || !f.refresh.Allow() {
		return c, err
	}
	f.read(ctx)
	return f.registry.Get(name)
}

// Clients implements engine.Clusters.
func (f *fleet) Clients(name string) (kubernetes.Interface, dynamic.Interface, error) {
	c, err := f.registry.Get(name)
	if err != nil {
		return nil, nil, err
	}
	return c.Kube, c.Dynamic, nil
}

// Authenticate implements server.Authenticator.
func (f *fleet) Authenticate(ctx context.Context, cluster, token string) (server.Caller, error) {
	c, err := f.get(ctx, cluster)
	if err != nil {
		return server.Caller{}, fmt.Errorf("%w: %w", server.ErrToken, err)
	}
	s, err := c.Authenticate(ctx, token)
	if errors.Is(err, clusters.ErrUnauthenticated) {
		return server.Caller{}, fmt.Errorf("%w: %w", server.ErrToken, err)
	}
	if err != nil {
		return server.Caller{}, err
	}
	return server.Caller{
		Name: s.String(), Allowed: c.Allows(s), User: s.User, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID,
	}, nil
}

// MayOverride implements server.Authenticator.
func (f *fleet) MayOverride(ctx context.Context, cluster string, caller server.Caller, gate string) (bool, string, error) {
	c, err := f.get(ctx, cluster)
	if err != nil {
		return false, "", err
	}
	return c.MayOverride(ctx, caller.User, gate)
}
