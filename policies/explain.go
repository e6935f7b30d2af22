package policies

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/provenance"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of an Explanation.
const (
	maxPaths      = 64     // key paths that a glob names, of one Gate
	maxKnownPaths = 20_000 // key paths that suggestions are looked for in
)

// Explain says for every cluster what it holds at the key paths that key names,
// and which layer it comes from. An error means that this could not be told.
func Explain(ctx context.Context, fsys fs.FS, g *gate.Gate, key keypath.Glob, opts Options) (provenance.Explanation, error) {
	opts = opts.withDefaults()
	g, err := Expand(ctx, fsys, g, opts)
	if err != nil {
		return provenance.Explanation{}, err
	}
	src, err := newSource(fsys, g, opts)
	if err != nil {
		return provenance.Explanation{}, err
	}
	about, err := ruleOptions(g, src.target)
	if err != nil {
		return provenance.Explanation{}, err
	}
	stacks, err := rules.NewStacks(about.ListKeys)
	if err != nil {
		return provenance.Explanation{}, err
	}
	x := &explainer{gate: g, source: src, stacks: stacks, known: map[string]bool{}}
	x.find = func(layers []*values.Node, merged *values.Node) ([]rules.Spot, int) {
		spots, more := stacks.Find(layers, merged, key, maxPaths)
		if len(spots) == 0 {
			x.learn(merged)
		}
		return spots, more
	}
	if err := x.readAll(ctx, opts.Workers); err != nil {
		return provenance.Explanation{}, err
	}
	e := x.fold(maxPaths)
	if !e.Found() {
		e.Nearest = nearest(key.String(), x.known)
	}
	return e, nil
}

// explainer looks key paths up in the clusters of a Gate.
type explainer struct {
	gate   *gate.Gate
	source *source
	stacks *rules.Stacks
	// find looks them up in the layers of one cluster and what they merged to,
	// and says how many it did not return.
	find  func(layers []*values.Node, merged *values.Node) (spots []rules.Spot, more int)
	found []clusterSpots // of each cluster

	mu    sync.Mutex
	known map[string]bool // paths of clusters in which the key named none
}

// clusterSpots is what one cluster has of the paths.
type clusterSpots struct {
	layers []layer
	spots  []rules.Spot
	more   int
}

// layer is where a layer of a cluster comes from.
type layer struct{ name, subchart string }

func (x *explainer) readAll(ctx context.Context, workers int) error {
	clusters := x.gate.Spec.Clusters
	x.found = make([]clusterSpots, len(clusters))
	failed := make([]error, len(clusters))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, len(clusters)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(clusters) {
					return
				}
				x.found[i], failed[i] = x.cluster(i)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("explain values of gate %s: %w", x.gate.Metadata.Name, err)
	}
	return joinErrors(x.gate, failed)
}

// cluster looks the paths up in one cluster.
func (x *explainer) cluster(i int) (clusterSpots, error) {
	m, err := x.source.merge(i)
	if err != nil {
		return clusterSpots{}, err
	}
	merged, beside, err := x.source.beside(i, m.values)
	if err != nil {
		return clusterSpots{}, err
	}
	c, nodes, err := x.defaults(i, m.user)
	if err != nil {
		return clusterSpots{}, err
	}
	for j, l := range x.source.layers[i] {
		c.layers = append(c.layers, layer{l.Name, ""})
		nodes = append(nodes, m.layers[j])
	}
	if beside != nil {
		c.layers = append(c.layers, layer{provenance.LayerBeside, ""})
		nodes = append(nodes, beside)
	}
	c.spots, c.more = x.find(nodes, merged)
	return c, nil
}

// defaults are the layers that charts give to one cluster.
func (x *explainer) defaults(i int, user *values.Node) (c clusterSpots, nodes []*values.Node, err error) {
	chart, err := x.source.chart(i)
	if chart == nil || err != nil {
		return c, nil, err
	}
	list, err := chart.Layers(user)
	for _, d := range list {
		l := layer{provenance.LayerChart, ""}
		if d.Subchart != "" {
			l = layer{provenance.LayerSubchart, d.Subchart}
		}
		c.layers = append(c.layers, l)
		nodes = append(nodes, d.Values)
	}
	return c, nodes, err
}

// learn remembers which paths there are, to name those that may be meant.
func (x *explainer) learn(merged *values.Node) {
	paths := x.stacks.Paths(merged, maxKnownPaths)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range paths {
		if len(x.known) < maxKnownPaths {
			x.known[p] = true
		}
	}
}
