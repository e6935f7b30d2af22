package policies

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of an Explanation.
const (
	maxPaths      = 64     // key paths that a glob names, of one Gate
	maxKnownPaths = 20_000 // key paths that suggestions are looked for in
)

// Explanation says where the values at some key paths come from.
type Explanation struct {
	// Paths are the key paths that the glob names, sorted.
	Paths []PathChains
	// More is how many key paths there are at least beside them.
	More int
	// Nearest are key paths that may have been meant, the likeliest first, when
	// no cluster holds anything at one that the glob names.
	Nearest []string
}

// Found reports whether a cluster holds a value at one of the paths.
func (e Explanation) Found() bool {
	for _, p := range e.Paths {
		for _, c := range p.Chains {
			if !c.Missing {
				return true
			}
		}
	}
	return false
}

// PathChains is one key path. A cluster in which no layer says anything of the
// path is in no chain.
type PathChains struct {
	Path string `json:"path" jsonschema:"required"`
	// Chains are the clusters by how they come to what they hold, the largest
	// group first.
	Chains []Chain `json:"chains" jsonschema:"required"`
	// Unset are the clusters in which no layer sets the path.
	Unset []string `json:"unset,omitempty"`
}

// Chain is clusters that hold the same value for the same reason: the same
// layers say the same. Only the files may be different ones.
type Chain struct {
	// Value is what they hold, as in a finding: JSON, shortened, secret-like
	// values redacted. Empty when Missing.
	Value string `json:"value,omitempty"`
	// Missing is true when a layer takes away what others set.
	Missing bool `json:"missing,omitempty"`
	// Clusters are in the Gate's order.
	Clusters []string `json:"clusters" jsonschema:"required"`
	// Steps are the layers that say something of the path, the weakest first.
	Steps []Step `json:"steps" jsonschema:"required"`
}

// Step is what one layer says.
type Step struct {
	Layer string `json:"layer" jsonschema:"required"`
	// Subchart is the subchart's path in the values, for a default of one.
	Subchart string `json:"subchart,omitempty"`
	// Above is the key path at which the layer has its value, when that is one
	// above: it leaves no room for the path that was asked for.
	Above string `json:"above,omitempty"`
	Value string `json:"value" jsonschema:"required"`
	// Outcome is what became of it.
	Outcome Outcome `json:"outcome" jsonschema:"required"`
	// Places are where it stands in each of the chain's clusters.
	Places []finding.Place `json:"places" jsonschema:"required"`
}

// The layers of a cluster's values, the weakest first. What objects of Argo CD
// and Flux give has the name of its field there.
const (
	LayerSubchart = "subchart default"
	LayerChart    = "chart default"
	LayerFile     = "values file"
	// LayerBeside is what is compared beside the values: what delivers them,
	// other files, Secrets.
	LayerBeside = "beside values"
	// LayerPassed is a value that another key path was given: a global that a
	// chart hands down, or a value imported from a subchart.
	LayerPassed = "handed on"
)

// Outcome is what became of what a layer says.
type Outcome string

// The outcomes.
const (
	Won        Outcome = "won"        // it is what the cluster holds
	Merged     Outcome = "merged"     // a map that is part of what the cluster holds
	Overridden Outcome = "overridden" // a later layer says otherwise
	Removes    Outcome = "removes"    // it takes away what weaker layers set
)

// Explain says for every cluster what it holds at the key paths that key names,
// and which layer it comes from. An error means that this could not be told.
func Explain(ctx context.Context, fsys fs.FS, g *gate.Gate, key keypath.Glob, opts Options) (Explanation, error) {
	opts = opts.withDefaults()
	g, err := Expand(ctx, fsys, g, opts)
	if err != nil {
		return Explanation{}, err
	}
	src, err := newSource(fsys, g, opts)
	if err != nil {
		return Explanation{}, err
	}
	about, err := ruleOptions(g, src.target)
	if err != nil {
		return Explanation{}, err
	}
	stacks, err := rules.NewStacks(about.ListKeys)
	if err != nil {
		return Explanation{}, err
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
		return Explanation{}, err
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
		c.layers = append(c.layers, layer{LayerBeside, ""})
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
		l := layer{LayerChart, ""}
		if d.Subchart != "" {
			l = layer{LayerSubchart, d.Subchart}
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
