package engine

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/store"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// head is what the newest revision of a repository's branch guards. A guard
// holds once it is merged; one that is taken away holds until a revision
// without it has passed.
type head struct {
	revision string
	// files are the Gates by file; one that cannot be read now is kept as it
	// was.
	files map[string]headGate
	// whole is true when every Gate file could be read.
	whole bool
}

type headGate struct {
	name   string
	guards map[string][]admission.Guard // by cluster
}

// start fills the index, and keeps it current until stop.
func (c *covers) start(ctx context.Context) error {
	for name := range c.e.repos {
		if _, err := c.look(ctx, c.e.repos[name]); err != nil {
			c.e.log.WarnContext(ctx, "newest guards not read; those of passed runs hold", "repository", name, "error", err)
		}
	}
	keys, err := c.e.store.Gates(ctx)
	if err != nil {
		return err
	}
	for _, k := range append(keys, c.headKeys()...) {
		c.e.changed(ctx, k)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read guards: %w", context.Cause(ctx))
	}
	c.index.Loaded()
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel, c.ended = cancel, make(chan struct{})
	go c.loop(loop)
	return nil
}

func (c *covers) stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.ended
	}
}

func (c *covers) loop(ctx context.Context) {
	defer close(c.ended)
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.e.LookForGuards(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// LookForGuards takes guards that were merged since the last look into the
// index, and tries again what failed. The engine does it once a minute.
func (e *Engine) LookForGuards(ctx context.Context) {
	c := e.covers
	if c == nil {
		return
	}
	stale := map[store.Key]bool{}
	for name := range e.repos {
		changed, err := c.look(ctx, e.repos[name])
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "newest guards not read; those that are known hold", "repository", name, "error", err)
		}
		for _, k := range changed {
			stale[k] = true
		}
	}
	c.mu.Lock()
	for k := range c.dirty {
		stale[k] = true
	}
	c.mu.Unlock()
	for k := range stale {
		e.changed(ctx, k)
	}
}

// look reads the branch of a repository when it has moved, and lists the Gates
// on clusters for which it changed something.
func (c *covers) look(ctx context.Context, repo *Repository) ([]store.Key, error) {
	revision, err := repo.Git.Branch(ctx, repo.Branch)
	if err != nil {
		return nil, fmt.Errorf("read branch %s: %w", repo.Branch, err)
	}
	c.mu.Lock()
	was := c.heads[repo.Name]
	c.mu.Unlock()
	if was.revision == revision {
		return nil, nil
	}
	is, err := c.read(ctx, repo, revision, was)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.heads[repo.Name] = is
	c.mu.Unlock()
	stored, err := c.e.store.Gates(ctx)
	if err != nil {
		return nil, err
	}
	var changed []store.Key
	for _, k := range append(stored, c.headKeys()...) {
		if k.Repository != repo.Name {
			continue
		}
		oldGuards, oldGone := was.of(k)
		newGuards, newGone := is.of(k)
		if oldGone != newGone || !reflect.DeepEqual(oldGuards, newGuards) {
			changed = append(changed, k)
		}
	}
	for _, g := range was.files {
		for cluster := range g.guards {
			changed = append(changed, store.Key{Repository: repo.Name, Gate: g.name, Cluster: cluster})
		}
	}
	return changed, nil
}

// read reads the Gates at a revision.
func (c *covers) read(ctx context.Context, repo *Repository, revision string, was head) (head, error) {
	tree, err := repo.Git.Tree(ctx, revision)
	if err != nil {
		return head{}, fmt.Errorf("read revision %.12s: %w", revision, err)
	}
	files, err := gate.Find(tree, ".")
	if err != nil {
		return head{}, fmt.Errorf("find gates at revision %.12s: %w", revision, err)
	}
	out := head{revision: revision, files: map[string]headGate{}, whole: true}
	for _, f := range files {
		g, err := gate.Load(tree, f)
		if err == nil && len(g.Spec.Guards) > 0 {
			g, err = policies.Expand(ctx, tree, g, c.e.opts.Policies)
		}
		if unread(err) {
			return head{}, fmt.Errorf("read %s at revision %.12s: %w", f, revision, err)
		}
		var is headGate
		if err == nil {
			is, err = guardsOf(g)
		}
		if err != nil {
			out.whole = false
			c.e.log.WarnContext(ctx, "a gate cannot be read; its guards are held as they were", "file", f, "revision", revision, "error", err)
			if old, ok := was.files[f]; ok {
				out.files[f] = old
			}
			continue
		}
		out.files[f] = is
	}
	return out, nil
}

func guardsOf(g *gate.Gate) (headGate, error) {
	out := headGate{name: g.Metadata.Name, guards: map[string][]admission.Guard{}}
	if len(g.Spec.Guards) == 0 {
		return out, nil
	}
	for _, cluster := range g.Spec.Clusters {
		for i, spec := range g.Spec.Guards {
			guard, err := admission.NewGuard(spec, g.Namespace(cluster.Name))
			if err != nil {
				return out, fmt.Errorf("%s: spec.guards[%d]: %w", g.File, i, err)
			}
			out.guards[cluster.Name] = append(out.guards[cluster.Name], guard)
		}
	}
	return out, nil
}

// of are the guards of a Gate on a cluster, and whether there is no such Gate.
func (h head) of(k store.Key) (guards []admission.Guard, gone bool) {
	gone = h.whole
	for _, g := range h.files {
		if g.name == k.Gate {
			gone = false
			guards = append(guards, g.guards[k.Cluster]...)
		}
	}
	return guards, gone
}

func (c *covers) head(k store.Key) (guards []admission.Guard, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heads[k.Repository].of(k)
}

// headKeys are the Gates on clusters that the branches' newest revisions guard
// something of.
func (c *covers) headKeys() (keys []store.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for repository, h := range c.heads {
		for _, g := range h.files {
			for cluster := range g.guards {
				keys = append(keys, store.Key{Repository: repository, Gate: g.name, Cluster: cluster})
			}
		}
	}
	return keys
}
