package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/syncgate/syncgate/policies/tree"
)

// The bounds of a search for Gates.
const (
	maxEntries = 500_000 // files and folders looked at
	maxGates   = 10_000
	maxAtOnce  = 1024 // folders whose lists are in memory
)

// Load reads and decodes the Gate file at a slash path of fsys. Presets that
// its checks use are resolved, and its packs read.
func Load(fsys fs.FS, file string) (*Gate, error) { return (*Known)(nil).Load(fsys, file) }

// Find lists the Gate files of fsys under root, slash paths, sorted. A root
// that is a file is itself the answer. Folders that begin with a dot, and
// those that a chart or package manager fills, are left out; symbolic links
// are not followed.
func Find(fsys fs.FS, root string) ([]string, error) {
	root = path.Clean(root)
	fail := func(err error) ([]string, error) { return nil, fmt.Errorf("find gates under %s: %w", root, err) }
	info, err := fs.Stat(fsys, root)
	if err != nil {
		return fail(err)
	}
	if !info.IsDir() {
		return []string{root}, nil
	}
	var found []string
	seen := 0
	for folders := []string{root}; len(folders) > 0; {
		now := folders[:min(len(folders), maxAtOnce)]
		folders = folders[len(now):]
		for i, list := range listAll(fsys, now) {
			if list.err != nil {
				return fail(list.err)
			}
			for _, entry := range list.entries {
				name := path.Join(now[i], entry.Name())
				if seen++; seen > maxEntries {
					return fail(fmt.Errorf("limit entries=%d hit at %s; name a folder nearer to the Gates", maxEntries, name))
				}
				switch {
				case !entry.IsDir():
					if entry.Name() == FileName {
						found = append(found, name)
					}
				case !strings.HasPrefix(entry.Name(), ".") && entry.Name() != "node_modules":
					folders = append(folders, name)
				}
				if len(found) > maxGates {
					return fail(fmt.Errorf("limit gates=%d hit; name a folder with fewer", maxGates))
				}
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// listing is what lies in a folder, or why that cannot be told.
type listing struct {
	entries []fs.DirEntry
	err     error
}

// listAll lists folders, several at once.
func listAll(fsys fs.FS, folders []string) []listing {
	lists := make([]listing, len(folders))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(folders)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(folders)); i = next.Add(1) - 1 {
				lists[i].entries, lists[i].err = fs.ReadDir(fsys, folders[i])
			}
		})
	}
	wg.Wait()
	return lists
}

// Cluster is the cluster of that name; the error lists the clusters there are.
func (g *Gate) Cluster(name string) (Cluster, error) {
	names := make([]string, len(g.Spec.Clusters))
	for i, c := range g.Spec.Clusters {
		if c.Name == name {
			return c, nil
		}
		names[i] = c.Name
	}
	return Cluster{}, fmt.Errorf("gate %s has no cluster %q; expected one of %s", g.Metadata.Name, name, list(names))
}

func list(names []string) string {
	const shown = 20
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// Dir is the folder of the Gate file in its tree, "." for the root.
func (g *Gate) Dir() string { return path.Dir(g.File) }

// Resolve is the path in the tree of a path relative to the Gate file. A path
// that leaves the tree is an error.
func (g *Gate) Resolve(rel string) (string, error) { return tree.Join(g.Dir(), rel) }

// Namespace is where the application runs on a cluster: the cluster's own
// namespace, else the Gate's, else the chart's, else that of what delivers
// there; "" when none says.
func (g *Gate) Namespace(cluster string) string {
	for _, c := range g.Spec.Clusters {
		if c.Name != cluster {
			continue
		}
		if c.Namespace != "" {
			return c.Namespace
		}
		if c.Release != nil && g.Spec.Namespace == "" && (g.Spec.Source.Helm == nil || g.Spec.Source.Helm.Namespace == "") {
			return c.Release.Namespace
		}
	}
	if g.Spec.Namespace == "" && g.Spec.Source.Helm != nil {
		return g.Spec.Source.Helm.Namespace
	}
	return g.Spec.Namespace
}

// ErrNoSource is the error of a Gate that only guards values.
var ErrNoSource = errors.New("the Gate has no source to render")

// SourcePath is the folder in the tree that is rendered for a cluster.
// ErrNoSource when the Gate has none.
func (g *Gate) SourcePath(cluster string) (string, error) {
	switch s := g.Spec.Source; {
	case s.Helm != nil, s == Source{} && len(g.Spec.ClustersFrom) > 0:
		dir, err := g.ChartPath(g.named(cluster))
		if err == nil && dir == "" {
			err = fmt.Errorf("gate %s: the chart of cluster %s does not lie in the repository; commit a copy of it and name that in spec.source.helm.chart", g.Metadata.Name, cluster)
		}
		return dir, err
	case s.Kustomize != nil:
		return g.Resolve(strings.ReplaceAll(s.Kustomize.Path, clusterMark, cluster))
	case s.Plain != nil:
		return g.Resolve(strings.ReplaceAll(s.Plain.Path, clusterMark, cluster))
	default:
		return "", fmt.Errorf("gate %s: %w", g.Metadata.Name, ErrNoSource)
	}
}

// ChartPath is the folder in the tree of a cluster's chart: the one that
// spec.source.helm names, else the one that what delivers there names; "" when
// neither lies in the repository.
func (g *Gate) ChartPath(c Cluster) (string, error) {
	if g.Spec.Source.Helm != nil {
		dir, err := g.Resolve(g.Spec.Source.Helm.Chart)
		if err != nil {
			return "", fmt.Errorf("find chart: %w", err)
		}
		return dir, nil
	}
	if c.Release != nil {
		return c.Release.Chart, nil
	}
	return "", nil
}

// named is the cluster of a name; one with nothing but it when there is none.
func (g *Gate) named(cluster string) Cluster {
	for _, c := range g.Spec.Clusters {
		if c.Name == cluster {
			return c
		}
	}
	return Cluster{Name: cluster}
}

// clusterMark stands for the cluster's name in a source's path.
const clusterMark = "${cluster}"

// Guarded reports of a path of the tree whether it belongs to the Gate: a
// values file of any cluster, a file of the source folders, or one that
// revert.paths names.
func (g *Gate) Guarded() (func(name string) bool, error) {
	files := map[string]bool{}
	var folders, patterns []string
	for _, c := range g.Spec.Clusters {
		var err error
		for _, v := range c.Values {
			name, err := g.Resolve(v)
			if err != nil {
				return nil, err
			}
			files[name] = true
		}
		for _, f := range g.Spec.Files {
			name, err := g.For(f.Path, c.Name)
			if err != nil {
				return nil, err
			}
			files[name] = true
		}
		var dir string
		if r := c.Release; r != nil {
			for _, name := range r.Files {
				files[name] = true
			}
			for _, l := range r.Layers {
				files[l.File] = true
			}
			for _, name := range r.Defaults {
				files[name] = true
			}
			patterns = append(patterns, r.Patterns...)
			if dir, err = g.ChartPath(c); dir == "" && err == nil {
				continue
			}
		} else {
			dir, err = g.SourcePath(c.Name)
		}
		switch {
		case errors.Is(err, ErrNoSource):
		case err != nil:
			return nil, err
		case !slices.Contains(folders, dir):
			folders = append(folders, dir)
		}
	}
	globs, err := g.guardedGlobs()
	if err != nil {
		return nil, err
	}
	return func(name string) bool {
		return files[name] ||
			slices.ContainsFunc(folders, func(dir string) bool { return below(name, dir) }) ||
			slices.ContainsFunc(globs, func(glob fileGlob) bool { return glob.match(name) }) ||
			slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, name) })
	}, nil
}

// guardedGlobs are those of revert.paths and of the Secrets.
func (g *Gate) guardedGlobs() ([]fileGlob, error) {
	paths := slices.Clone(g.Spec.Revert.Paths)
	for _, s := range g.Spec.Secrets {
		for _, c := range g.Spec.Clusters {
			if one := strings.ReplaceAll(s.Path, clusterMark, c.Name); !slices.Contains(paths, one) {
				paths = append(paths, one)
			}
		}
	}
	globs := make([]fileGlob, len(paths))
	for i, p := range paths {
		glob, err := parseFileGlob(g.Dir(), p)
		if err != nil {
			return nil, err
		}
		globs[i] = glob
	}
	return globs, nil
}

func below(name, dir string) bool { return dir == "." || strings.HasPrefix(name, dir+"/") }

// fileGlob is a glob over file paths: "**" is any number of folders, also
// none; all else is as in path.Match.
type fileGlob []string

func parseFileGlob(dir, text string) (fileGlob, error) {
	joined, err := tree.Join(dir, text)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(joined, "/")
	for _, p := range parts {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("read glob %q: %w; close its brackets, or escape them with a backslash", text, err)
		}
	}
	return parts, nil
}

func (g fileGlob) match(name string) bool { return matchFile(g, strings.Split(name, "/")) }

func matchFile(glob, parts []string) bool {
	for i, g := range glob {
		if g == "**" {
			for n := i; n <= len(parts); n++ {
				if matchFile(glob[i+1:], parts[n:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) {
			return false
		}
		if ok, err := path.Match(g, parts[i]); err != nil || !ok {
			return false
		}
	}
	return len(glob) == len(parts)
}
