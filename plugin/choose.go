package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
)

// chooseGate loads the Gate that a request means.
func chooseGate(fsys fs.FS, req Request) (*gate.Gate, error) {
	dir, err := cleanDir(req.Dir)
	if err != nil {
		return nil, err
	}
	if req.Gate != "" {
		if isPath(req.Gate) {
			return gateAt(fsys, dir, req.Gate)
		}
		return gateNamed(fsys, req.Gate)
	}
	file, err := gateOf(fsys, dir)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, noGate(fsys, dir)
	}
	return load(fsys, file)
}

// cleanDir is the Application's path in the form of fs.FS.
func cleanDir(dir string) (string, error) {
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

// gateOf is the Gate file of dir or else of the nearest folder above it; ""
// when there is none.
func gateOf(fsys fs.FS, dir string) (string, error) {
	for {
		file := path.Join(dir, gate.FileName)
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

// gateAt loads the Gate at a path relative to dir: a Gate file, or its folder.
func gateAt(fsys fs.FS, dir, rel string) (*gate.Gate, error) {
	file, err := tree.Join(dir, rel)
	if err != nil {
		return nil, fmt.Errorf("find gate: %w", err)
	}
	if info, err := fs.Stat(fsys, file); err == nil && info.IsDir() {
		file = path.Join(file, gate.FileName)
	}
	return load(fsys, file)
}

// gateNamed loads the Gate of the repository that has the name.
func gateNamed(fsys fs.FS, name string) (*gate.Gate, error) {
	files, err := gate.Find(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("find gate %s: %w", name, err)
	}
	var found []*gate.Gate
	var names []string
	var broken error
	for _, file := range files {
		g, err := load(fsys, file)
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
	return nil, fmt.Errorf("find gate %s: no such gate; the repository has %s", name, orNone(names))
}

func load(fsys fs.FS, file string) (*gate.Gate, error) {
	g, err := gate.Load(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("load gate: %w", err)
	}
	return g, nil
}

// noGate says that no Gate belongs to dir, and which ones there are.
func noGate(fsys fs.FS, dir string) error {
	files, err := gate.Find(fsys, ".")
	if err != nil {
		files = nil // the list is a help only
	}
	return fmt.Errorf("find gate: no %s in %s or above it; the repository has %s: add one there, or name it with the plugin parameter \"gate\"",
		gate.FileName, dir, orNone(files))
}

func orNone(names []string) string {
	const shown = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > shown:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// chooseCluster is the name of the cluster that a request means.
func chooseCluster(g *gate.Gate, req Request) (string, error) {
	if req.Cluster != "" {
		c, err := g.Cluster(req.Cluster)
		if err != nil {
			return "", fmt.Errorf("choose cluster of gate %s: %w", g.Metadata.Name, err)
		}
		return c.Name, nil
	}
	if len(g.Spec.Clusters) == 1 {
		return g.Spec.Clusters[0].Name, nil
	}
	dir, err := cleanDir(req.Dir)
	if err != nil {
		return "", err
	}
	below, err := clustersBelow(g, dir)
	if err != nil {
		return "", err
	}
	if len(below) == 1 {
		return below[0], nil
	}
	return "", fmt.Errorf("choose cluster of gate %s: the Application does not say which, and %d of them have values under %s; "+
		"set the plugin parameter \"cluster\" (or the plugin variable CLUSTER) to one of %s",
		g.Metadata.Name, len(below), dir, strings.Join(clusterNames(g), ", "))
}

// clustersBelow are the clusters that have a values file, or a source folder of
// their own, at or below dir.
func clustersBelow(g *gate.Gate, dir string) ([]string, error) {
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
func ownSource(g *gate.Gate, cluster string) (string, error) {
	for _, d := range []*gate.Directory{g.Spec.Source.Kustomize, g.Spec.Source.Plain} {
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

func isBelow(file, dir string) bool {
	return dir == "." || file == dir || strings.HasPrefix(file, dir+"/")
}

func clusterNames(g *gate.Gate) []string {
	names := make([]string, len(g.Spec.Clusters))
	for i, c := range g.Spec.Clusters {
		names[i] = c.Name
	}
	return names
}
