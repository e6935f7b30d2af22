package admission

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Index is what is known, in memory. Reading it waits for nobody. It is safe
// for concurrent use.
type Index struct {
	required []Required
	now      func() time.Time

	mu   sync.Mutex // of writers
	view atomic.Pointer[view]
}

// view is the Index at one moment; it does not change.
type view struct {
	loaded   bool
	clusters map[string]*cluster
}

type cluster struct {
	gates []known // sorted by key
	// namespaces are those that any guard speaks of.
	namespaces map[string]bool
}

type known struct {
	key   Key
	state State
}

// NewIndex is an Index that refuses everything until Loaded.
func NewIndex(required []Required, now func() time.Time) *Index {
	x := &Index{required: required, now: now}
	x.view.Store(&view{clusters: map[string]*cluster{}})
	return x
}

// Loaded says that the Index now holds what there is to know.
func (x *Index) Loaded() {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := *x.view.Load()
	next.loaded = true
	x.view.Store(&next)
}

// Set puts what is known of a Gate in place of what was.
func (x *Index) Set(k Key, s State) { x.put(k, &s) }

// Forget takes a Gate out.
func (x *Index) Forget(k Key) { x.put(k, nil) }

// Get is what is known of a Gate.
func (x *Index) Get(k Key) (State, bool) {
	c := x.view.Load().clusters[k.Cluster]
	if c == nil {
		return State{}, false
	}
	i, ok := c.find(k)
	if !ok {
		return State{}, false
	}
	return c.gates[i].state, true
}

func (c *cluster) find(k Key) (int, bool) {
	return slices.BinarySearchFunc(c.gates, k, func(a known, k Key) int {
		return cmp.Or(cmp.Compare(a.key.Repository, k.Repository), cmp.Compare(a.key.Gate, k.Gate))
	})
}

func (x *Index) put(k Key, s *State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.view.Load()
	next := &view{loaded: now.loaded, clusters: maps.Clone(now.clusters)}
	c := &cluster{}
	if was := now.clusters[k.Cluster]; was != nil {
		c.gates = slices.Clone(was.gates)
	}
	i, there := c.find(k)
	switch {
	case s == nil && !there:
		return
	case s == nil:
		c.gates = slices.Delete(c.gates, i, i+1)
	case there:
		c.gates[i].state = *s
	default:
		c.gates = slices.Insert(c.gates, i, known{k, *s})
	}
	c.namespaces = map[string]bool{}
	for _, g := range c.gates {
		for _, guard := range slices.Concat(g.state.Proved, g.state.Head) {
			c.namespaces[guard.Namespace] = true
		}
	}
	next.clusters[k.Cluster] = c
	x.view.Store(next)
}

// guardFor is a guard that matches a request, and the Gate it belongs to.
type guardFor struct {
	guard Guard
	key   Key
	state *State // nil when nothing is known of the Gate
}

// matching are the guards of an object, those of the configuration first.
func (x *Index) matching(v *view, name string, r *Request) []guardFor {
	var out []guardFor
	c := v.clusters[name]
	for _, req := range x.required {
		if req.on(name) && req.Guard.matches(r) {
			k := Key{req.Repository, req.Gate, name}
			out = append(out, guardFor{req.Guard, k, c.state(k)})
		}
	}
	if c == nil {
		return out
	}
	for i := range c.gates {
		g := &c.gates[i]
		if g.state.Gone && c.replaced(g.key, r) {
			continue
		}
		for _, guard := range g.state.Proved {
			if guard.matches(r) {
				out = append(out, guardFor{guard, g.key, &g.state})
			}
		}
		for _, guard := range g.state.Head {
			if guard.matches(r) && !contains(g.state.Proved, guard) {
				out = append(out, guardFor{guard, g.key, &g.state})
			}
		}
	}
	return out
}

func (c *cluster) state(k Key) *State {
	if c == nil {
		return nil
	}
	i, ok := c.find(k)
	if !ok {
		return nil
	}
	return &c.gates[i].state
}

// replaced reports whether another Gate of the same repository has taken over
// the object from a Gate that is gone: renaming a Gate must not leave guards
// behind that no Run can cover any more, and removing one must not remove its
// guards.
func (c *cluster) replaced(gone Key, r *Request) bool {
	for i := range c.gates {
		g := &c.gates[i]
		if g.key.Repository != gone.Repository || g.key.Gate == gone.Gate || g.state.Gone {
			continue
		}
		if slices.ContainsFunc(g.state.Proved, func(guard Guard) bool { return guard.matches(r) }) {
			return true
		}
	}
	return false
}

func contains(guards []Guard, g Guard) bool {
	return slices.ContainsFunc(guards, func(o Guard) bool {
		return o.Kind == g.Kind && o.Namespace == g.Namespace && o.Name == g.Name &&
			slices.EqualFunc(o.Fields, g.Fields, func(a, b Field) bool { return a.Path == b.Path && a.Unset == b.Unset })
	})
}

// trouble is why some guards of the cluster are not known, "" when all are.
func (c *cluster) trouble() string {
	if c == nil {
		return ""
	}
	for i := range c.gates {
		if t := c.gates[i].state.Trouble; t != "" {
			return t
		}
	}
	return ""
}

// speaksOf reports whether any guard speaks of the namespace.
func (x *Index) speaksOf(v *view, name, namespace string) bool {
	for _, req := range x.required {
		if req.on(name) && req.Guard.Namespace == namespace {
			return true
		}
	}
	c := v.clusters[name]
	return c != nil && c.namespaces[namespace]
}
