// Package engine turns a Change into a Run and brings the Run to its verdict.
// It reads the Gate from Git at the Change's revision, asks the checks until
// they hold, one says no or the deadline comes, and starts the revert where a
// change that was applied did not pass. All of it is in the database before
// anybody is told, and the work is in a durable queue beside it: the process
// may end at any moment, and the next one goes on.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// Repository is a Git repository that Gates are read from.
type Repository struct {
	// Name is the server's own name for it. Runs and baselines are kept under
	// it: a repository that gets another name starts without a history.
	Name string
	// URLs are the spellings by which a Change may name it, the first one
	// being its own. A trailing ".git", the scheme and the user do not matter.
	URLs []string
	// Branch is the branch that is synced, where a Gate names no other.
	Branch   string
	Git      Git
	Reverter gitops.Reverter
}

// Clusters gives the clients of a cluster. An error means that there is no
// speaking to it now.
type Clusters interface {
	Clients(name string) (kubernetes.Interface, dynamic.Interface, error)
}

// Minimums are checks that every Gate has, whatever it says: a Gate can add to
// them, and not weaken them.
type Minimums struct {
	PreSync  []gate.Check
	PostSync []gate.Check
	// Revert names the PreSync ones that a proved revert needs; nil is all.
	Revert []string
	// Guards hold beside those of the Gates.
	Guards []RequiredGuard
}

// Limits bound the engine. A field that is 0 takes its default.
type Limits struct {
	// Runs is how many Runs are worked on at one moment. Default 32.
	Runs int
	// Checks is how many checks of one Run are asked at one moment. Default 4.
	Checks int
	// CheckTimeout is how long one question may take. Default 2m.
	CheckTimeout time.Duration
	// MinInterval is the least time between two rounds of one Run, whatever
	// its Gate says. Default 1s.
	MinInterval time.Duration
	// MaxDeadline is the longest deadline a Gate may set. Default 24h.
	MaxDeadline time.Duration
	// MaxFreshFor is how long a passed Run may be fresh, whatever its Gate
	// says. Default 24h.
	MaxFreshFor time.Duration
	// MaxOverride is the longest time a person may override a gate for.
	// Default 24h.
	MaxOverride time.Duration
	// HeadInterval is the time between two looks at the branches that the
	// Applications of waiting Runs follow. Default 10s.
	HeadInterval time.Duration
	// RevertTries is how often a revert is tried, from seconds up to ten
	// minutes apart, before it is given up. Default 150, about a day.
	RevertTries int
	// Retention is how long finished Runs and the audit log are kept.
	// Default 2160h, 90 days.
	Retention time.Duration
}

func (l *Limits) defaults() {
	def(&l.Runs, 32)
	def(&l.Checks, 4)
	def(&l.CheckTimeout, 2*time.Minute)
	def(&l.MinInterval, time.Second)
	def(&l.MaxDeadline, 24*time.Hour)
	def(&l.MaxFreshFor, 24*time.Hour)
	def(&l.MaxOverride, 24*time.Hour)
	def(&l.HeadInterval, 10*time.Second)
	def(&l.RevertTries, 150)
	def(&l.Retention, 90*24*time.Hour)
}

func def[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// What a Gate that says nothing gets.
const (
	defaultDeadline = 30 * time.Minute
	defaultInterval = 10 * time.Second
	defaultFreshFor = 15 * time.Minute // before the sync; after it, 0
)

// Options are what an Engine works with. Store, Repositories, Clusters, Checks
// and Log are required.
type Options struct {
	Store        *store.Store
	Repositories []Repository
	Clusters     Clusters
	Checks       check.Checks
	Minimums     Minimums
	Policies     policies.Options
	Limits       Limits
	// Reviewer judges what webhooks tell of; nil for none, and then nothing is
	// done for them.
	Reviewer Reviewer
	// PublicURL is where people see the pages of Runs, "" when nobody does.
	PublicURL string
	// Admission are the clusters for which an admission.Index of what Runs let
	// through is kept; none for none.
	Admission []string
	// Now is the time; default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Engine works on Runs between Start and Stop.
type Engine struct {
	opts  Options
	store *store.Store
	repos map[string]*Repository // by name
	urls  map[string]*Repository // by canonical URL
	gates *gates
	hub   *hub
	// covers is nil when nobody asks for admission.
	covers *covers
	older  *superseder
	river  *river.Client[*sql.Tx]
	now    func() time.Time
	log    *slog.Logger
}

// New makes an Engine. It does not work on anything yet.
func New(opts Options) (*Engine, error) {
	opts.Limits.defaults()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	e := &Engine{
		opts: opts, store: opts.Store, now: opts.Now, log: opts.Log.With("component", "engine"),
		repos: map[string]*Repository{}, urls: map[string]*Repository{},
		hub: newHub(),
	}
	for i := range opts.Repositories {
		r := &opts.Repositories[i]
		if _, twice := e.repos[r.Name]; twice || r.Name == "" || len(r.URLs) == 0 {
			return nil, fmt.Errorf("add repository %q: expected a name of its own and a URL", r.Name)
		}
		e.repos[r.Name] = r
		for _, u := range r.URLs {
			if other, twice := e.urls[canonicalURL(u)]; twice && other != r {
				return nil, fmt.Errorf("add repository %q: its URL is repository %q's too", r.Name, other.Name)
			}
			e.urls[canonicalURL(u)] = r
		}
	}
	e.gates = newGates(opts.Policies)
	e.older = newSuperseder(e)
	if err := e.checkMinimums(); err != nil {
		return nil, err
	}
	var err error
	if len(opts.Admission) > 0 {
		if e.covers, err = newCovers(e); err != nil {
			return nil, err
		}
	}
	if e.river, err = river.NewClient(riversqlite.New(e.store.DB()), e.queue()); err != nil {
		return nil, fmt.Errorf("make job queue: %w", err)
	}
	return e, nil
}

// checkMinimums makes the required checks once, so that a mistake in the
// server's configuration is said when it starts.
func (e *Engine) checkMinimums() error {
	for phase, checks := range map[hooks.Phase][]gate.Check{
		hooks.PreSync: e.opts.Minimums.PreSync, hooks.PostSync: e.opts.Minimums.PostSync,
	} {
		for _, c := range checks {
			if _, err := e.opts.Checks(c); err != nil {
				return fmt.Errorf("make required %s check %q: %w", phase, c.Name, err)
			}
		}
	}
	return nil
}

// Start takes up what the last process left, and works until Stop. The context
// is for starting only.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.rescue(ctx); err != nil {
		return err
	}
	if err := e.requeue(ctx); err != nil {
		return err
	}
	if e.covers != nil {
		if err := e.covers.start(ctx); err != nil {
			return err
		}
	}
	if err := e.river.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start job queue: %w", err)
	}
	e.older.start(ctx)
	return nil
}

// Stop ends the work. Questions that are under way are given up and asked again
// by the next process.
func (e *Engine) Stop(ctx context.Context) error {
	e.older.stop()
	if e.covers != nil {
		e.covers.stop()
	}
	if err := e.river.StopAndCancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stop job queue: %w", err)
	}
	return nil
}

// Run is a Run with its newest Results. store.ErrNotFound when there is none.
func (e *Engine) Run(ctx context.Context, id string) (hooks.Run, error) {
	r, err := e.store.Run(ctx, id)
	return r.Run, err
}

// Runs lists Runs, the newest first.
func (e *Engine) Runs(ctx context.Context, f store.Filter) ([]hooks.Run, error) {
	stored, err := e.store.Runs(ctx, f)
	out := make([]hooks.Run, 0, len(stored))
	for _, s := range stored {
		out = append(out, s.Run)
	}
	return out, err
}

// Gates are the gates and clusters that there are Runs of.
func (e *Engine) Gates(ctx context.Context) ([]store.Key, error) { return e.store.Gates(ctx) }

// Events are a Run's events after the one numbered after, at most limit.
func (e *Engine) Events(ctx context.Context, run string, after int64, limit int) ([]hooks.Event, error) {
	return e.store.Events(ctx, run, after, limit)
}

// Watch is signaled when the Run has new events. The signals may be fewer
// than the events. Call stop in the end.
func (e *Engine) Watch(run string) (signal <-chan struct{}, stop func()) { return e.hub.watch(run) }

// Audit adds a line to the audit log.
func (e *Engine) Audit(ctx context.Context, a store.AuditEntry) error {
	a.At = e.now()
	return e.store.InTx(ctx, func(tx *store.Tx) error { return tx.Audit(ctx, a) })
}

// AuditLog is the newest lines of the audit log, newest first, at most limit.
func (e *Engine) AuditLog(ctx context.Context, limit int) ([]store.AuditEntry, error) {
	return e.store.AuditLog(ctx, limit)
}

// Ready reports whether the engine can take a Change: its database answers.
func (e *Engine) Ready(ctx context.Context) error { return e.store.Ping(ctx) }

// RefusedError says that a Change cannot be evaluated, and that asking again will
// not change it. Any other error may pass.
type RefusedError struct{ hooks.Problem }

func (r *RefusedError) Error() string { return r.Message }

func refuse(code, remedy, format string, args ...any) error {
	return &RefusedError{hooks.Problem{Code: code, Message: fmt.Sprintf(format, args...), Remedy: remedy}}
}
