package enginetest

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing/fstest"

	"github.com/syncgate/syncgate/gitops"
)

type commit struct {
	tree   fs.FS
	parent string
}

// Git is a gitops.Repository in memory, with one branch, main.
type Git struct {
	mu      sync.Mutex
	commits map[string]commit
	stray   map[string]bool
	tip     string
	moves   int
	follows map[string]string // branches beside main
	err     error
}

// head begins the name of the newest commit of main; a number follows, which
// tells one from the next.
const head = "main"

// Commit adds a revision. parent is "" for the first.
func (g *Git) Commit(rev, parent string, tree fs.FS) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if parent != "" {
		parent = Rev(parent)
	}
	g.commits[Rev(rev)] = commit{tree, parent}
	g.tip = Rev(rev)
	g.moves++
}

// Lose forgets a revision, as when a branch was rewritten.
func (g *Git) Lose(rev string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.commits, Rev(rev))
}

// Stray adds a revision that no branch holds, as a forge serves those of forks.
func (g *Git) Stray(rev string, tree fs.FS) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits[Rev(rev)] = commit{tree, ""}
	if g.stray == nil {
		g.stray = map[string]bool{}
	}
	g.stray[Rev(rev)] = true
}

// Break makes every call fail until it is called with nil.
func (g *Git) Break(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

// Tree implements gitops.Repository.
func (g *Git) Tree(_ context.Context, revision string) (fs.FS, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasPrefix(revision, head) {
		revision = g.tip
	}
	c, ok := g.commits[revision]
	switch {
	case g.err != nil:
		return nil, g.err
	case !ok:
		return nil, gitops.ErrNoRevision
	}
	return c.tree, nil
}

// Branch implements gitops.Repository.
func (g *Git) Branch(_ context.Context, name string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return "", g.err
	case g.follows[name] != "":
		return g.follows[name], nil
	case name != head:
		return "", gitops.ErrNoBranch
	}
	return fmt.Sprintf("%s %d", head, g.moves), nil
}

// Move puts a branch other than main, "HEAD" for one, at a revision.
func (g *Git) Move(branch, rev string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.follows == nil {
		g.follows = map[string]string{}
	}
	g.follows[branch] = Rev(rev)
}

// Changed implements gitops.Comparer.
func (g *Git) Changed(_ context.Context, from, to string) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, g.err
	}
	was, is := g.files(from), g.files(to)
	var out []string
	for p := range was {
		if is[p] != was[p] {
			out = append(out, p)
		}
	}
	for p := range is {
		if _, ok := was[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (g *Git) files(revision string) map[string]string {
	out := map[string]string{}
	tree, _ := g.commits[revision].tree.(fstest.MapFS)
	for p, f := range tree {
		out[p] = f.Mode.String() + " " + string(f.Data)
	}
	return out
}

// IsAncestor implements gitops.Repository.
func (g *Git) IsAncestor(_ context.Context, ancestor, revision string) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return false, g.err
	}
	if strings.HasPrefix(revision, head) {
		_, ok := g.commits[ancestor]
		return ok && !g.stray[ancestor], nil
	}
	for revision != "" {
		if revision == ancestor {
			return true, nil
		}
		revision = g.commits[revision].parent
	}
	return false, nil
}
