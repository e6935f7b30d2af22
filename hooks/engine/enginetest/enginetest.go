// Package enginetest holds what stands in for the world around an engine in
// tests: a Git repository in memory, checks whose answers are scripted, and a
// reverter that remembers what it was asked.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/engine"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies/gate"
)

// URL is the repository's address.
const URL = "https://git.example/acme/fleet.git"

// Rev is a revision made of one hex digit.
func Rev(digit string) string { return strings.Repeat(digit, 40) }

// World is everything an engine works with.
type World struct {
	Git *Git
	// Repository is used in place of Git where it is set.
	Repository engine.Git
	Checks     *Checks
	Reverter   *Reverter
	Reviewer   engine.Reviewer // nil for none
	Clusters   *Clusters
	Minimums   engine.Minimums
	Limits     engine.Limits
	// Admission has the engine keep the admission index, for both clusters.
	Admission bool
	Now       func() time.Time
	Path      string   // of the database
	Aliases   []string // other addresses of the repository
}

// NewWorld has no commits and no checks.
func NewWorld(t testing.TB) *World {
	return &World{
		Git: &Git{commits: map[string]commit{}}, Checks: &Checks{ask: map[string]Ask{}},
		Reverter: &Reverter{}, Clusters: &Clusters{}, Now: time.Now,
		Limits: engine.Limits{MinInterval: time.Millisecond, HeadInterval: 10 * time.Millisecond}, Path: t.TempDir() + "/gate.db",
	}
}

// Start starts an engine on the world's database, and stops it when the test
// ends or when stop is called.
func (w *World) Start(t testing.TB) (e *engine.Engine, stop func()) {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, w.Path)
	if err != nil {
		t.Fatal(err)
	}
	var repo engine.Git = w.Git
	if w.Repository != nil {
		repo = w.Repository
	}
	e, err = engine.New(engine.Options{
		Store:        s,
		Repositories: []engine.Repository{{Name: "fleet", URLs: append([]string{URL}, w.Aliases...), Branch: "main", Git: repo, Reverter: w.Reverter}},
		Clusters:     w.Clusters, Checks: w.Checks.Make, Minimums: w.Minimums, Limits: w.Limits, Admission: w.admission(), Reviewer: w.Reviewer,
		PublicURL: "https://gate.example/", Now: w.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = e.Start(ctx)
	}
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			if err := errors.Join(e.Stop(ctx), s.Close()); err != nil {
				t.Errorf("stop engine: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return e, stop
}

func (w *World) admission() []string {
	if !w.Admission {
		return nil
	}
	return []string{"eu", "us"}
}

// Change is a Change of gate chat on cluster eu.
func Change(phase hooks.Phase, rev, attempt string) hooks.Change {
	return hooks.Change{Repository: URL, Gate: "chat", Cluster: "eu", Revision: Rev(rev), Phase: phase, Attempt: attempt}
}

// Gate is the text of a Gate named chat with clusters eu and us. spec is more
// of its spec, indented by two.
func Gate(spec string) string {
	return `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata:
  name: chat
spec:
  clusters:
    - name: eu
      values: [eu.yaml]
    - name: us
      values: [us.yaml]
` + spec
}

// Tree is a tree with the Gate and values that agree.
func Tree(spec string) fstest.MapFS {
	return fstest.MapFS{
		gate.FileName: {Data: []byte(Gate(spec))},
		"eu.yaml":     {Data: []byte("image: {tag: \"1\"}\n")},
		"us.yaml":     {Data: []byte("image: {tag: \"1\"}\n")},
	}
}

// Wait reads the Run until it is settled: it has a verdict and no revert is to
// come.
func Wait(t testing.TB, e *engine.Engine, id string) hooks.Run {
	t.Helper()
	return Until(t, e, id, func(r hooks.Run) bool { return r.Done() && !r.RevertPending() })
}

// Until reads the Run whenever it has news until cond holds.
func Until(t testing.TB, e *engine.Engine, id string, cond func(hooks.Run) bool) hooks.Run {
	t.Helper()
	signal, stop := e.Watch(id)
	defer stop()
	limit := time.After(4 * time.Minute)
	for {
		r, err := e.Run(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if cond(r) {
			return r
		}
		select {
		case <-signal:
		case <-limit:
			t.Fatalf("run %s did not get there: %+v", id, r)
		}
	}
}

// Ask answers question number n of a check, from 1.
type Ask func(ctx context.Context, n int) (check.Answer, error)

// Checks makes checks by their name.
type Checks struct {
	mu    sync.Mutex
	ask   map[string]Ask
	count map[string]int
}

// Set says how the check of a name answers.
func (c *Checks) Set(name string, ask Ask) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ask[name] = ask
}

// Count is how often a check was asked.
func (c *Checks) Count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[name]
}

// Make is a check.Checks. A check that was not Set cannot be made.
func (c *Checks) Make(spec gate.Check) (check.Check, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ask[spec.Name] == nil {
		return nil, fmt.Errorf("nodes.selector: expected a selector for %s", spec.Name)
	}
	return scripted{c, spec.Name}, nil
}

type scripted struct {
	c    *Checks
	name string
}

func (s scripted) Evaluate(ctx context.Context, _ check.Target) (check.Answer, error) {
	s.c.mu.Lock()
	if s.c.count == nil {
		s.c.count = map[string]int{}
	}
	s.c.count[s.name]++
	n, ask := s.c.count[s.name], s.c.ask[s.name]
	s.c.mu.Unlock()
	return ask(ctx, n)
}

// Always answers the same.
func Always(status hooks.Status, reason string) Ask {
	return func(context.Context, int) (check.Answer, error) {
		return check.Answer{Status: status, Reason: reason, Evidence: []hooks.Evidence{{Object: "node/a", Fact: reason}}}, nil
	}
}

// Then answers Wait n times and then as next.
func Then(n int, next Ask) Ask {
	return func(ctx context.Context, i int) (check.Answer, error) {
		if i <= n {
			return check.Answer{Status: hooks.Wait, Reason: "not yet"}, nil
		}
		return next(ctx, i)
	}
}

// Reverter remembers. It opens one pull request for a gate's revision.
type Reverter struct {
	mu       sync.Mutex
	Requests []gitops.RevertRequest
	Settled  []string
	Before   func(ctx context.Context, call int) error // runs first in each Revert
}

// Revert implements gitops.Reverter.
func (r *Reverter) Revert(ctx context.Context, req gitops.RevertRequest) (gitops.Outcome, error) {
	r.mu.Lock()
	r.Requests = append(r.Requests, req)
	n, before := len(r.Requests), r.Before
	r.mu.Unlock()
	if before != nil {
		if err := before(ctx, n); err != nil {
			return gitops.Outcome{}, err
		}
	}
	if req.LastGood == "" {
		return gitops.Outcome{Action: gitops.Issue, URL: "https://forge.example/issues/1", Reason: "no last good revision is known"}, nil
	}
	return gitops.Outcome{Action: gitops.PullRequest, URL: "https://forge.example/pull/1", Reason: "opened"}, nil
}

// Settle implements gitops.Reverter.
func (r *Reverter) Settle(_ context.Context, gateName, revision, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Settled = append(r.Settled, gateName+"@"+revision)
	return nil
}

// Calls are the requests so far.
func (r *Reverter) Calls() []gitops.RevertRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]gitops.RevertRequest(nil), r.Requests...)
}

// Settles are the settled revisions so far.
func (r *Reverter) Settles() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.Settled...)
}

// Clusters knows every cluster, unless it is broken.
type Clusters struct {
	mu  sync.Mutex
	err error
}

// Break makes every call fail until it is called with nil.
func (c *Clusters) Break(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Clients implements engine.Clusters. Scripted checks need no clients.
func (c *Clusters) Clients(string) (kubernetes.Interface, dynamic.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return nil, nil, c.err
}
