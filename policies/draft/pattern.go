package draft

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// pattern is a path in which one part is a cluster's name.
type pattern struct {
	text     string // with the mark
	clusters []string
}

var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// sharedName reports whether a name is one of what clusters have in common.
func sharedName(name string) bool {
	return slices.Contains([]string{"base", "bases", "common", "default", "defaults", "shared", "all", "global", "globals", "values", "components", "template"}, name)
}

// stem is a file's name without its extension.
func stem(file string) string { return strings.TrimSuffix(path.Base(file), path.Ext(file)) }

// patterns are the paths that at least two of the names have in common but for
// one part: the name of a folder or file, or what follows "values-" in it.
// Those with more clusters come first.
func patterns(names []string, dir string) []pattern {
	found := map[string][]string{}
	add := func(text, cluster string) {
		if clusterName.MatchString(cluster) && !sharedName(cluster) && !slices.Contains(found[text], cluster) {
			found[text] = append(found[text], cluster)
		}
	}
	for _, name := range names {
		parts := strings.Split(name, "/")
		below := strings.Count(dir+"/", "/")
		if dir == "." {
			below = 0
		}
		for i := below; i < len(parts); i++ {
			with := func(part string) string {
				return strings.Join(slices.Concat(parts[:i], []string{part}, parts[i+1:]), "/")
			}
			ext := ""
			if i == len(parts)-1 {
				ext = path.Ext(parts[i])
			}
			part := strings.TrimSuffix(parts[i], ext)
			if before, after, ok := cutShared(part); ok {
				add(with(before+mark+ext), after)
			} else {
				add(with(mark+ext), part)
			}
		}
	}
	var all []pattern
	for text, clusters := range found {
		if len(clusters) > 1 {
			slices.Sort(clusters)
			all = append(all, pattern{text, clusters})
		}
	}
	slices.SortFunc(all, func(a, b pattern) int {
		if len(a.clusters) != len(b.clusters) {
			return len(b.clusters) - len(a.clusters)
		}
		return strings.Compare(a.text, b.text)
	})
	return all
}

// cutShared parts what clusters have in common from a name: "values-" of
// "values-eu".
func cutShared(name string) (shared, cluster string, ok bool) {
	i := strings.IndexAny(name, "-._")
	if i < 0 || !sharedName(name[:i]) {
		return "", "", false
	}
	return name[:i+1], name[i+1:], true
}

// covers reports whether a file lies where the pattern's files do.
func (p pattern) covers(file string) bool {
	return slices.ContainsFunc(p.clusters, func(c string) bool {
		return path.Dir(file) == path.Dir(p.of(c))
	})
}

// folderGroups are patterns of folders that have files of the same names.
func (s *survey) folderGroups() []pattern {
	files := slices.Concat(s.plain, s.manifests)
	var dirs []string
	for _, f := range files {
		// A folder that is a chart is one of an application; umbrellas tells of
		// those that are not.
		if d := path.Dir(f); !slices.Contains(dirs, d) && d != s.dir && s.chartIn(d) == nil {
			dirs = append(dirs, d)
		}
	}
	var all []pattern
	for _, p := range patterns(dirs, s.dir) {
		if len(p.common(files)) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// of is the path of one cluster.
func (p pattern) of(cluster string) string { return strings.ReplaceAll(p.text, mark, cluster) }

// files are those that lie in the folder of one cluster.
func (p pattern) files(list []string, cluster string) []string {
	dir := p.of(cluster)
	var found []string
	for _, f := range list {
		if path.Dir(f) == dir {
			found = append(found, f)
		}
	}
	return found
}

// count is how many clusters' folders have a file of each name.
func (p pattern) count(list []string) map[string]int {
	count := map[string]int{}
	for _, c := range p.clusters {
		for _, f := range p.files(list, c) {
			count[path.Base(f)]++
		}
	}
	return count
}

// common are the names of files that the folders of at least two clusters have.
func (p pattern) common(list []string) []string {
	var names []string
	for name, n := range p.count(list) {
		if n > 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// settle keeps the clusters that have the file that most of them have, and says
// which files each of these has, a values.yaml first. Those without it may be
// no clusters.
func (p pattern) settle(list []string) (kept pattern, names []string) {
	count := p.count(list)
	names = p.common(list)
	if len(names) == 0 {
		return p, nil
	}
	slices.SortStableFunc(names, func(a, b string) int {
		x, y := sharedName(stem(a)), sharedName(stem(b))
		switch {
		case count[a] != count[b]:
			return count[b] - count[a]
		case x == y:
			return strings.Compare(a, b)
		case x:
			return -1
		}
		return 1
	})
	kept.text = p.text
	for _, c := range p.clusters {
		if slices.Contains(list, path.Join(p.of(c), names[0])) {
			kept.clusters = append(kept.clusters, c)
		}
	}
	count = kept.count(list)
	return kept, slices.DeleteFunc(names, func(name string) bool { return count[name] < len(kept.clusters) })
}

// all reports whether the folder of every cluster is in the list.
func (p pattern) all(list []string) bool {
	return !slices.ContainsFunc(p.clusters, func(c string) bool {
		return !slices.Contains(list, p.of(c))
	})
}
