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
		c, kept, values := s.fleet(p, s.plain)
		manifests := kept.common(s.manifests)
		with := values
		if len(values) == 0 {
			with = manifests
			for _, file := range manifests {
				name := label(strings.TrimSuffix(file, path.Ext(file)))
				c.gate.Spec.Files = append(c.gate.Spec.Files, gate.File{Name: name, Path: s.rel(path.Join(p.text, file)), Optional: true})
			}
		}
		switch {
		case kept.all(s.overlays):
			c.gate.Spec.Source.Kustomize = &gate.Directory{Path: s.rel(p.text)}
		case len(values) > 0:
			s.helm(&c, together(c.below))
		default:
			c.gate.Spec.Source.Plain = &gate.Directory{Path: s.rel(p.text)}
		}
		c.about = fmt.Sprintf("folders %s with %s", p.text, some(with))
		all = append(all, c)
	}
	return all
}

// fleet is a candidate of folders of clusters, of which list has the files. What
// every cluster has under the same name are its values: a file that only some
// have may be anything.
func (s *survey) fleet(p pattern, list []string) (c candidate, kept pattern, with []string) {
	kept, with = p.settle(list)
	for _, name := range p.clusters {
		c.below = append(c.below, p.of(name))
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
	return c, kept, with
}

// helm gives a candidate the chart that values below folder home belong to.
func (s *survey) helm(c *candidate, home string) {
	dir, left := s.chartOf(home)
	if dir != "" {
		c.gate.Spec.Source.Helm = &gate.Helm{Chart: s.rel(dir)}
	}
	c.left = append(c.left, left...)
}

// umbrella is a candidate of clusters that each have a chart of their own. A Gate
// names one chart, so Chart.yaml is compared in its place: it has the versions.
func (s *survey) umbrella(p pattern) candidate {
	c, _, with := s.fleet(p, slices.Concat(s.defaults, s.plain))
	c.about = fmt.Sprintf("charts %s with the same dependencies", p.text)
	c.gate.Spec.Files = []gate.File{{Name: "chart", Path: s.rel(path.Join(p.text, "Chart.yaml"))}}
	c.left = append(c.left,
		fmt.Sprintf("to confirm: %s are clusters, since their charts have the same dependencies and no templates", some(p.clusters)),
		"not covered: the defaults of the dependencies, and rendering: each cluster has a chart of its own, and source.helm.chart names one; compared are "+
			strings.Join(append(with, "Chart.yaml"), ", "))
	return c
}

// valuesFolders are folders with a values file for each cluster. Those that say
// so by their names, "values-eu.yaml", come first.
func (s *survey) valuesFolders() []candidate {
	var named, bare []candidate
	for _, p := range patterns(s.plain, s.dir) {
		dir := path.Dir(p.text)
		says := !strings.HasPrefix(path.Base(p.text), mark)
		switch {
		case strings.Contains(dir, mark):
			continue // a folder for each cluster
		case !says && s.chartIn(dir) != nil:
			continue // any YAML file may lie beside a chart
		}
		c := candidate{about: fmt.Sprintf("values files %s", p.text), in: dir}
		base := s.shareds(dir)
		if len(base) > 0 {
			c.left = append(c.left, fmt.Sprintf("to confirm: the first values of every cluster are %s", strings.Join(base, ", ")))
		}
		for _, name := range p.clusters {
			c.gate.Spec.Clusters = append(c.gate.Spec.Clusters, gate.Cluster{Name: name, Values: append(slices.Clone(base), s.rel(p.of(name)))})
		}
		s.helm(&c, dir)
		if says {
			named = append(named, c)
		} else {
			bare = append(bare, c)
		}
	}
	return append(named, bare...)
}

// shareds are the values files of a folder that every cluster has, by their
// names: "base.yaml", "values-common.yaml".
func (s *survey) shareds(dir string) []string {
	var base []string
	for _, file := range s.plain {
		_, after, _ := cutShared(stem(file))
		if path.Dir(file) == dir && (sharedName(stem(file)) || sharedName(after)) {
			base = append(base, s.rel(file))
		}
	}
	return base
}
