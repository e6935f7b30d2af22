package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
)

// Select loads the Gate that an Application at the path dir means. name is ""
// for the one the path belongs to; a path, relative to dir, of a Gate file or
// its folder; or the name of a Gate of the tree. A path has a slash, is "." or
// "..", or ends in ".yaml".
func Select(fsys fs.FS, dir, name string) (*Gate, error) {
	return (*Known)(nil).Select(fsys, dir, name)
}

// Select is the package's Select.
func (k *Known) Select(fsys fs.FS, dir, name string) (*Gate, error) {
	dir, err := CleanDir(dir)
	if err != nil {
		return nil, err
	}
	if name != "" {
		if isPath(name) {
			return k.at(fsys, dir, name)
		}
		return k.named(fsys, name)
	}
	file, err := Nearest(fsys, dir)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, noGate(fsys, dir)
	}
	return k.load(fsys, file)
}

// CleanDir is an Application's path in the form of fs.FS.
func CleanDir(dir string) (string, error) {
	if dir == "" {
		return ".", nil
	}
	clean, err := tree.Join(".", dir)
	if err != nil {
		return "", fmt.Errorf("find the Application's path: %w", err)
	}
	return clean, nil
}

func isPath(gateParameter string) bool {
	return strings.Contains(gateParameter, "/") || strings.HasSuffix(gateParameter, ".yaml") ||
		gateParameter == "." || gateParameter == ".."
}

// Nearest is the Gate file of dir or else of the nearest folder above it; ""
// when there is none.
func Nearest(fsys fs.FS, dir string) (string, error) {
	for {
		file := path.Join(dir, FileName)
		_, err := fs.Stat(fsys, file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find gate: %w", err)
		}
		if dir == "." {
			return "", nil
		}
		dir = path.Dir(dir)
	}
}

// at loads the Gate at a path relative to dir: a Gate file, or its folder.
func (k *Known) at(fsys fs.FS, dir, rel string) (*Gate, error) {
	file, err := tree.Join(dir, rel)
	if err != nil {
		return nil, fmt.Errorf("find gate: %w", err)
	}
	if info, err := fs.Stat(fsys, file); err == nil && info.IsDir() {
		file = path.Join(file, FileName)
	}
	return k.load(fsys, file)
}

// named loads the Gate of the repository that has the name.
func (k *Known) named(fsys fs.FS, name string) (*Gate, error) {
	files, err := Find(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("find gate %s: %w", name, err)
	}
	var found []*Gate
	var names []string
	var broken error
	for _, file := range files {
		g, err := k.load(fsys, file)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		names = append(names, g.Metadata.Name)
		if g.Metadata.Name == name {
			found = append(found, g)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("find gate %s: %s and %s both have that name; rename one", name, found[0].File, found[1].File)
	case broken != nil:
		return nil, fmt.Errorf("find gate %s: none of that name could be read: %w", name, broken)
	}
	return nil, fmt.Errorf("find gate %s: no such gate; the repository has %s", name, SomeOrNone(names))
}

func (k *Known) load(fsys fs.FS, file string) (*Gate, error) {
	g, err := k.Load(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("load gate: %w", err)
	}
	return g, nil
}

// noGate says that no Gate belongs to dir, and which ones there are.
func noGate(fsys fs.FS, dir string) error {
	files, err := Find(fsys, ".")
	if err != nil {
		files = nil // the list is a help only
	}
	return fmt.Errorf("find gate: no %s in %s or above it; the repository has %s: add one there, or name it with the plugin parameter \"gate\"",
		FileName, dir, SomeOrNone(files))
}

// SomeOrNone lists names for a message, the first ten when there are more.
func SomeOrNone(names []string) string {
	const shown = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > shown:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// SelectCluster is the name of the cluster that an Application at the path dir
// means; name is what the Application says, "" when the cluster follows from
// the path.
func (g *Gate) SelectCluster(dir, name string) (string, error) {
	if name != "" {
		c, err := g.Cluster(name)
		if err != nil {
			return "", fmt.Errorf("choose cluster of gate %s: %w", g.Metadata.Name, err)
		}
		return c.Name, nil
	}
	if len(g.Spec.Clusters) == 1 {
		return g.Spec.Clusters[0].Name, nil
	}
	dir, err := CleanDir(dir)
	if err != nil {
		return "", err
	}
	below, err := g.ClustersBelow(dir)
	if err != nil {
		return "", err
	}
	if len(below) == 1 {
		return below[0], nil
	}
	return "", fmt.Errorf("choose cluster of gate %s: the Application does not say which, and %d of them have values under %s; "+
		"set the plugin parameter \"cluster\" (or the plugin variable CLUSTER) to one of %s",
		g.Metadata.Name, len(below), dir, strings.Join(g.ClusterNames(), ", "))
}

// ClustersBelow are the clusters that have a values file, or a source folder of
// their own, at or below dir.
func (g *Gate) ClustersBelow(dir string) ([]string, error) {
	var names []string
	for _, c := range g.Spec.Clusters {
		found := false
		for _, v := range c.Values {
			file, err := g.Resolve(v)
			if err != nil {
				return nil, fmt.Errorf("find values of cluster %s: %w", c.Name, err)
			}
			found = found || isBelow(file, dir)
		}
		if own, err := ownSource(g, c.Name); err != nil {
			return nil, err
		} else if own != "" {
			found = found || isBelow(own, dir)
		}
		if found {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// ownSource is the source folder of a cluster when its path names the cluster.
func ownSource(g *Gate, cluster string) (string, error) {
	for _, d := range []*Directory{g.Spec.Source.Kustomize, g.Spec.Source.Plain} {
		if d == nil || !strings.Contains(d.Path, "${cluster}") {
			continue
		}
		dir, err := g.SourcePath(cluster)
		if err != nil {
			return "", fmt.Errorf("find source of cluster %s: %w", cluster, err)
		}
		return dir, nil
	}
	return "", nil
}

// isBelow reports whether file is dir or lies in it.
func isBelow(file, dir string) bool {
	return dir == "." || file == dir || strings.HasPrefix(file, dir+"/")
}

// ClusterNames are the names of the clusters, in order.
func (g *Gate) ClusterNames() []string {
	names := make([]string, len(g.Spec.Clusters))
	for i, c := range g.Spec.Clusters {
		names[i] = c.Name
	}
	return names
}
