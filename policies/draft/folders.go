package draft

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// folders are folders of clusters that have the same files.
func (s *survey) folders() []candidate {
	var all []candidate
	for _, p := range s.folderGroups() {
		kept, names := p.settle(s.plain)
		if len(names) == 0 {
			if with := p.common(s.manifests); len(with) > 0 {
				all = append(all, s.manifestFolders(p, with))
			}
			continue
		}
		byApp := s.byApp(names)
		for _, app := range slices.Sorted(maps.Keys(byApp)) {
			with := byApp[app]
			c := s.fleet(p, kept, with)
			c.app = cmp.Or(app, c.app)
			if c.score == 0 && !s.related(c.main) {
				continue // files of any kind
			}
			if kept.all(s.overlays) {
				c.gate.Spec.Source.Kustomize = &gate.Directory{Path: s.rel(p.text)}
			} else {
				s.helm(&c, together(c.below))
			}
			c.about = fmt.Sprintf("folders %s with %s", p.text, some(with))
			all = append(all, c)
		}
	}
	return all
}

// byApp are the values files of each application, of those that every cluster
// has, by its name; "" when the files do not say it. A file of a chart's name is
// one of that application; several of which none is called as values are, are of
// one each.
func (s *survey) byApp(names []string) map[string][]string {
	var shared, charted, rest []string
	for _, name := range names {
		switch _, after, ok := cutShared(stem(name)); {
		case sharedName(stem(name)) || ok && after != "":
			shared = append(shared, name)
		case s.chartNamed(stem(name)) != "":
			charted = append(charted, name)
		default:
			rest = append(rest, name)
		}
	}
	own := charted
	if len(charted) == 0 && len(shared) == 0 {
		own = rest
	}
	if len(charted) == 0 && len(own) < 2 {
		return map[string][]string{"": names}
	}
	all := map[string][]string{}
	for _, name := range own {
		all[stem(name)] = append(slices.Clone(shared), name)
	}
	return all
}

// manifestFolders are folders of clusters with manifests, compared as files.
func (s *survey) manifestFolders(p pattern, with []string) candidate {
	c := s.fleet(p, p, nil)
	for _, file := range with {
		name := label(strings.TrimSuffix(file, path.Ext(file)))
		c.gate.Spec.Files = append(c.gate.Spec.Files, gate.File{Name: name, Path: s.rel(path.Join(p.text, file)), Optional: true})
		for _, cluster := range p.clusters {
			c.main = append(c.main, path.Join(p.of(cluster), file))
		}
	}
	dir := &gate.Directory{Path: s.rel(p.text)}
	if p.all(s.overlays) {
		c.gate.Spec.Source.Kustomize = dir
	} else {
		c.gate.Spec.Source.Plain = dir
	}
	c.about = fmt.Sprintf("folders %s with %s", p.text, some(with))
	return c
}

// fleet is a candidate of folders of clusters, those that are kept, whose values
// are what every one of them has under the same names: a file that only some
// have may be anything.
func (s *survey) fleet(p, kept pattern, with []string) candidate {
	c := candidate{app: s.appOf(p.text), score: s.axis(p)}
	for _, name := range p.clusters {
		c.below = append(c.below, p.of(name))
		if !slices.Contains(kept.clusters, name) {
			c.left = append(c.left, fmt.Sprintf("not covered: folder %s, which has no %s", p.of(name), with[0]))
		}
	}
	for _, name := range kept.clusters {
		cluster := gate.Cluster{Name: name}
		for i, file := range with {
			file = path.Join(kept.of(name), file)
			cluster.Values = append(cluster.Values, s.rel(file))
			if i == len(with)-1 {
				c.main = append(c.main, file)
			}
		}
		c.gate.Spec.Clusters = append(c.gate.Spec.Clusters, cluster)
	}
	if len(with) > 1 {
		c.left = append(c.left, fmt.Sprintf("to confirm: the values of a cluster are %s, the last one wins", strings.Join(with, ", ")))
	}
	return c
}

// helm gives a candidate the chart that values below folder home belong to.
func (s *survey) helm(c *candidate, home string) {
	dir, left := s.chartOf(home, c.app)
	if dir != "" {
		c.gate.Spec.Source.Helm = &gate.Helm{Chart: s.rel(dir)}
	}
	c.left = append(c.left, left...)
}

// umbrella is a candidate of clusters that each have a chart of their own. A Gate
// names one chart, so Chart.yaml is compared in its place: it has the versions.
func (s *survey) umbrella(p pattern) candidate {
	kept, with := p.settle(slices.Concat(s.defaults, s.plain))
	c := s.fleet(p, kept, with)
	c.score = max(c.score, 0)
	for _, name := range kept.clusters {
		c.main = append(c.main, path.Join(kept.of(name), "Chart.yaml"))
	}
	c.about = fmt.Sprintf("charts %s with the same dependencies", p.text)
	c.gate.Spec.Files = []gate.File{{Name: "chart", Path: s.rel(path.Join(p.text, "Chart.yaml"))}}
	c.left = append(c.left,
		"not covered: the defaults of the dependencies, and rendering: each cluster has a chart of its own, and source.helm.chart names one; compared are "+
			strings.Join(append(with, "Chart.yaml"), ", "))
	return c
}

// valuesFolders are folders with a values file for each cluster.
func (s *survey) valuesFolders() []candidate {
	var all []candidate
	for _, p := range patterns(s.plain, s.dir) {
		dir := path.Dir(p.text)
		switch {
		case strings.Contains(dir, mark):
			continue // a folder for each cluster
		case strings.HasPrefix(path.Base(p.text), mark) && s.chartIn(dir) != nil:
			continue // any YAML file may lie beside a chart
		}
		c := candidate{about: fmt.Sprintf("values files %s", p.text), in: dir, app: s.appOf(dir), score: s.axis(p)}
		base := s.shareds(dir)
		if len(base) > 0 {
			c.left = append(c.left, fmt.Sprintf("to confirm: the first values of every cluster are %s", strings.Join(base, ", ")))
		}
		for _, name := range p.clusters {
			c.main = append(c.main, p.of(name))
			c.gate.Spec.Clusters = append(c.gate.Spec.Clusters, gate.Cluster{Name: name, Values: append(slices.Clone(base), s.rel(p.of(name)))})
		}
		if c.score == 0 && !s.related(c.main) {
			continue // files of any kind
		}
		s.helm(&c, dir)
		all = append(all, c)
	}
	return all
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
