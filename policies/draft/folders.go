package draft

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// folders are folders of clusters that have the same files.
func (s *survey) folders() []candidate {
	var all []candidate
	for _, p := range s.folderGroups() {
		all = append(all, s.clusterFolders(p))
	}
	return all
}

// clusterFolders is the candidate of folders of clusters. What every cluster has under
// the same name are its values: a file that only some have may be anything.
func (s *survey) clusterFolders(p pattern) candidate {
	var c candidate
	kept, with := p.settle(s.plain)
	for _, name := range p.clusters {
		c.dirs = append(c.dirs, p.of(name))
		if len(with) > 0 && !slices.Contains(kept.clusters, name) {
			c.left = append(c.left, fmt.Sprintf("not covered: folder %s, which has no %s", p.of(name), with[0]))
		}
	}
	for _, name := range kept.clusters {
		cluster := gate.Cluster{Name: name}
		for _, file := range with {
			cluster.Values = append(cluster.Values, s.rel(path.Join(kept.of(name), file)))
		}
		c.gate.Spec.Clusters = append(c.gate.Spec.Clusters, cluster)
	}
	if len(with) > 1 {
		c.left = append(c.left, fmt.Sprintf("to confirm: the values of a cluster are %s, the last one wins", strings.Join(with, ", ")))
	}
	manifests := kept.common(s.manifests)
	if len(with) == 0 {
		for _, file := range manifests {
			name := label(strings.TrimSuffix(file, path.Ext(file)))
			c.gate.Spec.Files = append(c.gate.Spec.Files, gate.File{Name: name, Path: s.rel(path.Join(p.text, file)), Optional: true})
			with = append(with, file)
		}
	}
	source := &c.gate.Spec.Source
	switch {
	case kept.all(s.overlays):
		source.Kustomize = &gate.Directory{Path: s.rel(p.text)}
	case len(s.charts) == 1:
		source.Helm = &gate.Helm{Chart: s.rel(s.charts[0])}
	case len(manifests) > 0:
		source.Plain = &gate.Directory{Path: s.rel(p.text)}
	}
	c.about = fmt.Sprintf("folders %s with %s", p.text, some(with))
	return c
}

// valuesFolders are folders with a values file for each cluster.
func (s *survey) valuesFolders() []candidate {
	var all []candidate
	for _, p := range patterns(s.plain, s.dir) {
		if strings.Contains(path.Dir(p.text), mark) {
			continue // a folder for each cluster
		}
		g := gate.Gate{}
		var base []string
		for _, file := range s.plain {
			if path.Dir(file) == path.Dir(p.text) && sharedName(stem(file)) {
				base = append(base, s.rel(file))
			}
		}
		for _, name := range p.clusters {
			file := s.rel(strings.ReplaceAll(p.text, mark, name))
			g.Spec.Clusters = append(g.Spec.Clusters, gate.Cluster{Name: name, Values: append(slices.Clone(base), file)})
		}
		if len(s.charts) == 1 {
			g.Spec.Source.Helm = &gate.Helm{Chart: s.rel(s.charts[0])}
		}
		all = append(all, candidate{about: fmt.Sprintf("values files %s", p.text), gate: g})
	}
	return all
}
