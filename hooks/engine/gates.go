package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// maxSnapshots is how many revisions are kept in memory.
const maxSnapshots = 64

// maxResults is how many answers of the rules are kept for a revision: one for
// each cluster, baseline and day.
const maxResults = 1_000

// maxListed is how many names an error lists.
const maxListed = 50

// snapshot is a Gate at a revision. A revision never changes, so neither does
// what is computed from it.
type snapshot struct {
	tree fs.FS
	gate *gate.Gate

	mu      sync.Mutex
	values  map[string]policies.Values
	results map[string]policies.Result
}

// gates reads Gates from Git and keeps the newest revisions.
type gates struct {
	opts  policies.Options
	cache *lru.Cache
	group singleflight.Group
}

func newGates(opts policies.Options) *gates {
	return &gates{opts: opts, cache: lru.New(maxSnapshots)}
}

// load is the Gate of that name at the revision. A *RefusedError says that it is
// not there or cannot be read; any other error is worth another try.
func (g *gates) load(ctx context.Context, r *Repository, revision, name string) (*snapshot, error) {
	key := r.Name + "\x00" + revision + "\x00" + name
	if s, ok := g.cache.Get(key); ok {
		return s.(*snapshot), nil
	}
	// Whoever asks first works for all, and its leaving must not fail them.
	// The Repository bounds its own work in time.
	shared := context.WithoutCancel(ctx)
	c := g.group.DoChan(key, func() (any, error) {
		s, err := read(shared, r, revision, name)
		if err == nil {
			g.cache.Add(key, s)
		}
		return s, err
	})
	select {
	case res := <-c:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*snapshot), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read gate %s at %.12s: %w", name, revision, context.Cause(ctx))
	}
}

func read(ctx context.Context, r *Repository, revision, name string) (*snapshot, error) {
	tree, err := r.Git.Tree(ctx, revision)
	if errors.Is(err, gitops.ErrNoRevision) {
		return nil, refuse(hooks.CodeUnknownRevision,
			"push the commit to the repository that the server reads, or correct the repository in the server's configuration",
			"repository %s has no revision %s", r.Name, revision)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %.12s of repository %s: %w", revision, r.Name, err)
	}
	files, err := gate.Find(tree, ".")
	if err != nil {
		return nil, fmt.Errorf("find gates at revision %.12s of repository %s: %w", revision, r.Name, err)
	}
	var (
		found   []*gate.Gate
		names   []string
		broken  []string
		trouble error
	)
	for _, f := range files {
		g, err := gate.Load(tree, f)
		switch {
		case unread(err):
			trouble = fmt.Errorf("read %s at revision %.12s of repository %s: %w", f, revision, r.Name, err)
		case err != nil:
			broken = append(broken, err.Error())
		case g.Metadata.Name == name:
			found = append(found, g)
		default:
			names = append(names, g.Metadata.Name)
		}
	}
	if len(found) == 1 {
		g, err := policies.Expand(ctx, tree, found[0], policies.Options{})
		if unread(err) {
			return nil, fmt.Errorf("read %s at revision %.12s of repository %s: %w", found[0].File, revision, r.Name, err)
		}
		if err != nil {
			return nil, refuse(hooks.CodeInvalidChange, "correct what is named and commit; `syncgate validate` shows the same",
				"gate %q at revision %.12s of repository %s: %v", name, revision, r.Name, err)
		}
		return &snapshot{tree: tree, gate: g, values: map[string]policies.Values{}, results: map[string]policies.Result{}}, nil
	}
	if trouble != nil && len(found) == 0 {
		return nil, trouble
	}
	return nil, notOne(found, names, broken, fmt.Sprintf("revision %.12s of repository %s", revision, r.Name), name)
}

// unread reports an error that says nothing about what is in the tree: it
// could not be read. Trees answer with *fs.PathError then; whatever else is
// wrong at a revision stays wrong.
func unread(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var path *fs.PathError
	return errors.As(err, &path) && !gitops.Lasting(err)
}

// notOne says why there is not exactly one Gate of the name.
func notOne(found []*gate.Gate, names, broken []string, where, name string) error {
	if len(found) > 1 {
		var files []string
		for _, g := range found {
			files = append(files, g.File)
		}
		return refuse(hooks.CodeInvalidChange, "give each Gate of the repository a name of its own",
			"%s has gate %q %d times: %s", where, name, len(found), list(files))
	}
	if len(broken) > 0 {
		return refuse(hooks.CodeInvalidChange, "correct the Gate file and commit; `syncgate validate` shows the same",
			"%s has no readable gate %q; these cannot be read: %s", where, name, list(broken))
	}
	if len(names) == 0 {
		return refuse(hooks.CodeUnknownGate, "commit a "+gate.FileName, "%s has no gate %q, and no other", where, name)
	}
	return refuse(hooks.CodeUnknownGate, "correct the gate's name, or commit its "+gate.FileName,
		"%s has no gate %q; there are: %s", where, name, list(names))
}

func list(items []string) string {
	if n := len(items); n > maxListed {
		items = append(items[:maxListed:maxListed], fmt.Sprintf("and %d more", n-maxListed))
	}
	return strings.Join(items, ", ")
}

// clusterValues are the cluster's merged values.
func (s *snapshot) clusterValues(ctx context.Context, cluster string, opts policies.Options) (policies.Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[cluster]; ok {
		return v, nil
	}
	v, err := policies.ClusterValues(ctx, s.tree, s.gate, cluster, opts)
	if err == nil {
		s.values[cluster] = v
	}
	return v, err
}
