package policies

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/provenance"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// Expand is g with the clusters that spec.clustersFrom finds in the tree. A
// Gate without it, or that has them already, is returned as it is.
func Expand(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) (*gate.Gate, error) {
	return delivery.Expand(ctx, tree.New(fsys), g, opts.withDefaults().Limits)
}

// source reads the values of a Gate's clusters. A file of several clusters is
// parsed once, and kept until the last of them had it.
type source struct {
	tree   *tree.Tree
	limits values.Limits
	over   Overrides
	gate   *gate.Gate
	layers [][]gate.Layer // of each cluster, the weakest first
	charts []*sharedChart // of each cluster; nil without one
	mu     sync.Mutex
	shared map[string]*sharedFile
}

// sharedFile is a file of more than one cluster.
type sharedFile struct {
	once sync.Once
	node *values.Node
	err  error
	left int // clusters that will still ask
}

// sharedChart is a chart, loaded when the first cluster asks for it.
type sharedChart struct {
	once     sync.Once
	dir      string
	defaults []string // in place of its values.yaml, nil when that one stays
	chart    *values.Chart
	err      error
}

// newSource prepares a Gate that was expanded.
func newSource(fsys fs.FS, g *gate.Gate, opts Options) (*source, error) {
	s := &source{tree: tree.New(fsys), limits: opts.Limits, over: opts.Overrides, gate: g, shared: map[string]*sharedFile{}}
	uses := map[string]int{}
	charts := map[string]*sharedChart{}
	for _, c := range g.Spec.Clusters {
		layers, err := layersOf(g, c)
		if err != nil {
			return nil, err
		}
		for _, l := range layers {
			if l.File != "" {
				uses[l.File]++
			}
		}
		s.layers = append(s.layers, layers)
		chart, err := chartOf(g, c, charts)
		if err != nil {
			return nil, err
		}
		s.charts = append(s.charts, chart)
	}
	for p, n := range uses {
		if n > 1 {
			s.shared[p] = &sharedFile{left: n}
		}
	}
	return s, nil
}

// Layers are what a cluster of an expanded Gate has its values from, the weakest
// first, without the chart's defaults.
func Layers(g *gate.Gate, c gate.Cluster) ([]gate.Layer, error) { return layersOf(g, c) }

// layersOf are a cluster's values, still to be read.
func layersOf(g *gate.Gate, c gate.Cluster) ([]gate.Layer, error) {
	if c.Release != nil {
		return c.Release.Layers, nil
	}
	if len(g.Spec.ClustersFrom) > 0 {
		return nil, fmt.Errorf("read values of cluster %s: the clusters of gate %s were not looked for", c.Name, g.Metadata.Name)
	}
	layers := make([]gate.Layer, 0, len(c.Values))
	for _, v := range c.Values {
		p, err := g.Resolve(v)
		if err != nil {
			return nil, fmt.Errorf("find values file of cluster %s: %w", c.Name, err)
		}
		layers = append(layers, gate.Layer{Name: provenance.LayerFile, File: p})
	}
	return layers, nil
}

// chartOf is the chart of a cluster, which clusters share.
func chartOf(g *gate.Gate, c gate.Cluster, known map[string]*sharedChart) (*sharedChart, error) {
	dir, err := g.ChartPath(c)
	if err != nil || dir == "" {
		return nil, err
	}
	var defaults []string
	if c.Release != nil {
		defaults = c.Release.Defaults
	}
	key := dir
	if defaults != nil {
		key += "\x00" + strings.Join(defaults, "\x00")
	}
	if known[key] == nil {
		known[key] = &sharedChart{dir: dir, defaults: defaults}
	}
	return known[key], nil
}

// chart is the chart of a cluster, nil without one.
func (s *source) chart(i int) (*values.Chart, error) {
	c := s.charts[i]
	if c == nil {
		return nil, nil
	}
	c.once.Do(func() {
		if c.chart, c.err = values.LoadChart(s.tree, c.dir, s.limits); c.err != nil || c.defaults == nil {
			return
		}
		nodes := make([]*values.Node, len(c.defaults))
		for i, name := range c.defaults {
			if nodes[i], c.err = s.parse(name); c.err != nil {
				return
			}
		}
		c.chart = c.chart.WithDefaults(values.Overlay(nodes...))
	})
	return c.chart, c.err
}

// target is the file that a value missing in a cluster would be written to.
func (s *source) target(cluster int) string {
	layers := s.layers[cluster]
	for i := len(layers) - 1; i >= 0; i-- {
		switch l := layers[i]; {
		case l.File != "":
			return l.File
		case l.Values != nil && l.Values.File != "":
			return l.Values.File
		}
	}
	if r := s.gate.Spec.Clusters[cluster].Release; r != nil {
		return r.Position.File
	}
	return s.gate.File
}

// merged is what a cluster's values come to.
type merged struct {
	values *values.Node   // with the chart's defaults
	user   *values.Node   // without
	layers []*values.Node // what each layer says by itself; nil for one that cannot be read
	opaque []string       // what cannot be read
	open   []string       // those of opaque of which it is not known what they set
}

// merge reads and merges the values of a cluster. The nodes are shared and must
// not be changed.
func (s *source) merge(i int) (merged, error) {
	var m merged
	chart, err := s.chart(i)
	if err != nil {
		return m, err
	}
	for _, l := range s.layers[i] {
		if err := s.lay(&m, l); err != nil {
			return m, err
		}
	}
	if m.user == nil {
		m.user = values.Overlay()
	}
	if m.values, err = withDefaults(chart, m.user); err != nil {
		return m, err
	}
	if s.over.Cluster == s.gate.Spec.Clusters[i].Name && len(s.over.Values) > 0 {
		if err := s.override(&m, chart); err != nil {
			return m, err
		}
	}
	if len(m.layers) > 1 || chart != nil {
		err = m.values.CheckSize(s.limits)
	}
	return m, err
}

// override lays the values that an Application sets over all else.
func (s *source) override(m *merged, chart *values.Chart) error {
	over, err := s.overrides(m.values)
	if err != nil {
		return err
	}
	m.layers = append(m.layers, over...)
	m.user = values.Overlay(append([]*values.Node{m.user}, over...)...)
	if m.values, err = withDefaults(chart, m.user); err != nil {
		return err
	}
	return s.heeded(m.values)
}

// withDefaults lays the user's values over the chart's, if there is one.
func withDefaults(chart *values.Chart, user *values.Node) (*values.Node, error) {
	if chart == nil {
		return user, nil
	}
	return chart.Merge(user)
}

// lay lays one layer over what is there.
func (s *source) lay(m *merged, l gate.Layer) error {
	n := l.Values
	switch {
	case l.Opaque != "" && l.Set == nil:
		m.opaque, m.open = append(m.opaque, l.Opaque), append(m.open, l.Opaque)
		m.layers = append(m.layers, nil)
		return nil
	case l.Set != nil:
		if l.Opaque != "" {
			m.opaque = append(m.opaque, l.Opaque)
		}
		base := m.user
		if base == nil {
			base = values.Overlay()
		}
		var err error
		if m.user, n, err = values.Assign(base, l.Set); err != nil {
			return err
		}
		m.layers = append(m.layers, n)
		return nil
	case l.File != "":
		var err error
		if n, err = s.file(l.File); err != nil {
			return err
		}
	}
	m.layers = append(m.layers, n)
	if m.user == nil {
		m.user = n
	} else {
		m.user = values.Overlay(m.user, n)
	}
	return nil
}

// file parses a values file, or waits for whoever is at it.
func (s *source) file(name string) (*values.Node, error) {
	s.mu.Lock()
	shared := s.shared[name]
	if shared != nil {
		if shared.left--; shared.left == 0 {
			delete(s.shared, name)
		}
	}
	s.mu.Unlock()
	if shared == nil {
		return s.parse(name)
	}
	shared.once.Do(func() { shared.node, shared.err = s.parse(name) })
	return shared.node, shared.err
}

func (s *source) parse(name string) (*values.Node, error) {
	data, err := s.tree.Read(name, s.limits.FileSize)
	if err != nil {
		return nil, err
	}
	return values.Parse(data, name, s.limits)
}
