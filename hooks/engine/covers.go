package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/lru"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// RequiredGuard is a guard that the server's configuration has, whatever Gates
// say.
type RequiredGuard struct {
	// Repository and Gate name the Gate whose Runs cover it.
	Repository, Gate string
	// Clusters it holds on; all when there are none.
	Clusters []string
	// Namespace of the objects.
	Namespace string
	Guard     gate.Guard
}

func (g RequiredGuard) of(k store.Key) bool {
	if g.Repository != k.Repository || g.Gate != k.Gate {
		return false
	}
	for _, c := range g.Clusters {
		if c == k.Cluster {
			return true
		}
	}
	return len(g.Clusters) == 0
}

const (
	// maxGuarded is of how many revisions the guards are remembered.
	maxGuarded = 8192
	// maxOverrides is how many overrides of one Gate on one cluster count.
	maxOverrides = 50
	// headEvery is how often the branches are looked at.
	headEvery = time.Minute
	// refreshTimeout bounds what one Gate on one cluster takes.
	refreshTimeout = 30 * time.Second
)

// covers keeps the admission index as the database and the repositories are.
type covers struct {
	e     *Engine
	index *admission.Index
	env   *expr.Env
	seed  maphash.Seed
	// locks keep two refreshes of one Gate on one cluster from overtaking each
	// other.
	locks [64]sync.Mutex
	known *lru.Cache // guarded by repository, gate, cluster and revision

	mu    sync.Mutex
	heads map[string]head // by repository
	dirty map[store.Key]bool

	cancel context.CancelFunc
	ended  chan struct{}
}

func newCovers(e *Engine) (*covers, error) {
	env, err := expr.NewEnv(gate.TemplateVariables()...)
	if err != nil {
		return nil, err
	}
	var required []admission.Required
	for _, g := range e.opts.Minimums.Guards {
		guard, err := admission.NewGuard(g.Guard, g.Namespace)
		if err != nil {
			return nil, fmt.Errorf("make required guard: %w", err)
		}
		if e.repos[g.Repository] == nil {
			return nil, fmt.Errorf("make required guard of %s: the server has no repository named %q", g.Guard.Kind, g.Repository)
		}
		required = append(required, admission.Required{Repository: g.Repository, Gate: g.Gate, Clusters: g.Clusters, Guard: guard})
	}
	return &covers{
		e: e, index: admission.NewIndex(required, e.now), env: env, seed: maphash.MakeSeed(),
		known: lru.New(maxGuarded), heads: map[string]head{}, dirty: map[store.Key]bool{},
	}, nil
}

// Admission is what the admission webhook answers from, nil when the engine was
// not asked to keep it.
func (e *Engine) Admission() *admission.Index {
	if e.covers == nil {
		return nil
	}
	return e.covers.index
}

// changed takes what has happened to Runs of a Gate on a cluster into the
// index. It is done before anybody is told of it: a sync that goes on must find
// its Run there. What fails is tried again.
func (e *Engine) changed(ctx context.Context, k store.Key) {
	if e.covers == nil || !slices.Contains(e.opts.Admission, k.Cluster) {
		return
	}
	k.Revision, k.Phase = "", ""
	// Whoever asked may be gone; what happened has happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	if err := e.covers.refresh(ctx, k); err != nil {
		e.log.WarnContext(ctx, "guards not brought up to date; they refuse what they do not know, and it is tried again",
			"gate", k.Gate, "cluster", k.Cluster, "error", err)
	}
}

// refresh reads what is known of a Gate on a cluster into the index.
func (c *covers) refresh(ctx context.Context, k store.Key) error {
	lock := &c.locks[maphash.Comparable(c.seed, k)%uint64(len(c.locks))]
	lock.Lock()
	defer lock.Unlock()
	at := admission.Key{Repository: k.Repository, Gate: k.Gate, Cluster: k.Cluster}
	repo := c.e.repos[k.Repository]
	if repo == nil {
		c.index.Forget(at)
		return nil
	}
	state, err := c.state(ctx, repo, k)
	c.mu.Lock()
	if err != nil {
		c.dirty[k] = true
	} else {
		delete(c.dirty, k)
	}
	c.mu.Unlock()
	if err == nil {
		c.index.Set(at, state)
		return nil
	}
	if _, gone := c.head(k); gone && lost(err) {
		// Neither the branch has the Gate nor can be read what it said: there
		// is nothing left to hold anything against.
		c.e.log.WarnContext(ctx, "a gate that is gone guards nothing any more: its last revision cannot be read", "gate", k.Gate, "cluster", k.Cluster, "error", err)
		c.index.Forget(at)
		return nil
	}
	// What was known goes on to hold; what never was is in doubt.
	if _, ok := c.index.Get(at); !ok {
		c.index.Set(at, admission.State{Trouble: fmt.Sprintf("gate %s: %s; a full sync of it that passes settles this", k.Gate, cut(err.Error(), maxReason))})
	}
	return err
}

// state is all that is known of a Gate on a cluster.
func (c *covers) state(ctx context.Context, repo *Repository, k store.Key) (s admission.State, err error) {
	s.Head, s.Gone = c.head(k)
	passed, answered, err := c.e.store.LastPassed(ctx, k)
	havePassed := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	overridden, err := c.e.store.OverriddenSince(ctx, k, c.e.now().Add(-c.e.opts.Limits.Retention), maxOverrides)
	if err != nil {
		return s, err
	}
	for _, r := range overridden {
		g, err := c.guarded(ctx, repo, r.Key())
		if lost(err) {
			continue // nobody can override a revision that is not there any more
		}
		if err != nil {
			return s, err
		}
		s.Covers = append(s.Covers, coverOf(r, overriddenUntil(r), g))
	}
	if havePassed {
		g, err := c.guarded(ctx, repo, passed.Key())
		if err != nil {
			return s, err
		}
		s.Proved = g.guards
		// The last answer counts: a sync begins with it. A Run that was let
		// through later by a person has taken its place.
		if len(overridden) == 0 || !overridden[0].Ended.After(passed.Ended) {
			until := later(passed.Ended, answered).Add(c.e.freshFor(g.freshFor))
			s.Covers = append([]admission.Cover{coverOf(passed, until, g)}, s.Covers...)
		}
	}
	if err := c.baseline(ctx, repo, k, &s, havePassed); err != nil {
		return s, err
	}
	s.Newest, err = c.newest(ctx, k, s.Covers)
	return s, err
}

// overriddenUntil is when an override ends; one without an end covers nothing.
func overriddenUntil(r store.Stored) time.Time {
	if r.Override == nil {
		return time.Time{}
	}
	return r.Override.Ends()
}

// lost reports that a revision, or the Gate in it, can never be read.
func lost(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// baseline adds what was last good after its sync.
func (c *covers) baseline(ctx context.Context, repo *Repository, k store.Key, s *admission.State, havePassed bool) error {
	good, err := c.e.store.Baselines(ctx, k, 1)
	if err != nil || len(good) == 0 {
		return err
	}
	k.Revision, k.Phase = good[0].Revision, hooks.PostSync
	g, err := c.guarded(ctx, repo, k)
	if lost(err) && havePassed {
		return nil // an object that is made anew must be covered by a Run, then
	}
	if err != nil {
		return err
	}
	if !havePassed {
		s.Proved = g.guards
	}
	s.Baseline = &admission.Cover{Phase: hooks.PostSync, Revision: k.Revision, Verdict: hooks.Passed, Values: g.values}
	return nil
}

func coverOf(r store.Stored, until time.Time, g guarded) admission.Cover {
	return admission.Cover{
		Run: r.ID, Phase: r.Change.Phase, Revision: r.Change.Revision, Verdict: r.Verdict, Until: until, Values: g.values,
	}
}

// newest is the newest Run, for people.
func (c *covers) newest(ctx context.Context, k store.Key, all []admission.Cover) (*admission.Seen, error) {
	r, err := c.e.store.LastStarted(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // none is none
	}
	if err != nil {
		return nil, err
	}
	seen := &admission.Seen{Run: r.ID, Phase: r.Change.Phase, Revision: r.Change.Revision, Verdict: r.Verdict, Reason: r.Reason, Ended: r.Ended}
	for _, cover := range all {
		if cover.Run == r.ID {
			seen.FreshUntil = cover.Until
		}
	}
	return seen, nil
}

// freshFor is how long a passed Run is fresh, within the server's own bound.
func (e *Engine) freshFor(d time.Duration) time.Duration { return min(d, e.opts.Limits.MaxFreshFor) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
