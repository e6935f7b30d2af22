package policies

import (
	"fmt"
	"io/fs"
	"sync"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// source reads the values of a Gate's clusters. A file of several clusters is
// parsed once, and kept until the last of them had it.
type source struct {
	tree   *tree.Tree
	limits values.Limits
	over   Overrides
	gate   *gate.Gate
	chart  *values.Chart // nil without one
	files  [][]string    // of each cluster
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

func newSource(fsys fs.FS, g *gate.Gate, opts Options) (*source, error) {
	s := &source{tree: tree.New(fsys), limits: opts.Limits, over: opts.Overrides, gate: g, shared: map[string]*sharedFile{}}
	uses := map[string]int{}
	for _, c := range g.Spec.Clusters {
		paths := make([]string, 0, len(c.Values))
		for _, v := range c.Values {
			p, err := g.Resolve(v)
			if err != nil {
				return nil, fmt.Errorf("find values file of cluster %s: %w", c.Name, err)
			}
			paths = append(paths, p)
			uses[p]++
		}
		s.files = append(s.files, paths)
	}
	for p, n := range uses {
		if n > 1 {
			s.shared[p] = &sharedFile{left: n}
		}
	}
	if g.Spec.Source.Helm == nil {
		return s, nil
	}
	dir, err := g.Resolve(g.Spec.Source.Helm.Chart)
	if err != nil {
		return nil, fmt.Errorf("find chart: %w", err)
	}
	s.chart, err = values.LoadChart(s.tree, dir, s.limits)
	return s, err
}

// target is the file that a value missing in a cluster would be written to.
func (s *source) target(cluster int) string {
	if files := s.files[cluster]; len(files) > 0 {
		return files[len(files)-1]
	}
	return s.gate.File
}

// cluster reads and merges the values of a cluster: with the chart's, and the
// values files alone. The nodes are shared and must not be changed.
func (s *source) cluster(i int) (merged, user *values.Node, err error) {
	merged, user, _, err = s.merge(i)
	return merged, user, err
}

// layers reads and merges the values of a cluster: what they came to, the
// defaults of the chart and its subcharts, and the values files in order.
func (s *source) layers(i int) (merged *values.Node, defaults []values.Layer, files []*values.Node, err error) {
	merged, user, files, err := s.merge(i)
	if err == nil && s.chart != nil {
		defaults, err = s.chart.Layers(user)
	}
	return merged, defaults, files, err
}

func (s *source) merge(i int) (merged, user *values.Node, layers []*values.Node, err error) {
	layers = make([]*values.Node, 0, 4)
	for _, name := range s.files[i] {
		n, err := s.file(name)
		if err != nil {
			return nil, nil, nil, err
		}
		layers = append(layers, n)
	}
	user = values.Overlay(layers...)
	if merged, err = s.withDefaults(user); err != nil {
		return nil, nil, nil, err
	}
	if s.over.Cluster == s.gate.Spec.Clusters[i].Name {
		over, err := s.overrides(merged)
		if err != nil {
			return nil, nil, nil, err
		}
		layers = append(layers, over...)
		user = values.Overlay(layers...)
		if merged, err = s.withDefaults(user); err != nil {
			return nil, nil, nil, err
		}
		if err := s.heeded(merged); err != nil {
			return nil, nil, nil, err
		}
	}
	if len(layers) > 1 || s.chart != nil {
		err = merged.CheckSize(s.limits)
	}
	return merged, user, layers, err
}

// withDefaults lays the user's values over the chart's, if there is one.
func (s *source) withDefaults(user *values.Node) (*values.Node, error) {
	if s.chart == nil {
		return user, nil
	}
	return s.chart.Merge(user)
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
