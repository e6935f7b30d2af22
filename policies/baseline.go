package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/syncgate/syncgate/policies/gate"
)

// BaselineIn finds the Gate of that name in a tree that passed before, at the
// same path or elsewhere, and gives what passed on each of its clusters. Where
// no Gate has the name, it is the one at the same path: it was renamed, and what
// it guards is there still. name says what the tree is, for people. That the tree has no such Gate is told by
// each Baseline; that it could not be read is an error.
func BaselineIn(ctx context.Context, fsys fs.FS, name string, g *gate.Gate) (func(cluster string) Baseline, error) {
	was, err := findGate(fsys, g)
	if err == nil && was != nil {
		was, err = Expand(ctx, fsys, was, Options{})
	}
	if err != nil {
		return nil, fmt.Errorf("read gate %s in %s: %w", g.Metadata.Name, name, err)
	}
	b := Baseline{FS: fsys, Gate: was}
	if was == nil {
		b.None = fmt.Sprintf("%s has no gate %s", name, g.Metadata.Name)
	}
	return func(string) Baseline { return b }, nil
}

// findGate is the Gate of g's name in the tree, else the one of g's path, nil
// when there is none.
func findGate(fsys fs.FS, g *gate.Gate) (*gate.Gate, error) {
	here, err := gate.Load(fsys, g.File)
	switch {
	case err == nil && here.Metadata.Name == g.Metadata.Name:
		return here, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	files, err := gate.Find(fsys, ".")
	if err != nil {
		return nil, err
	}
	var unread error
	for _, file := range files {
		was, err := gate.Load(fsys, file)
		switch {
		case err != nil:
			unread = errors.Join(unread, err) // it may be the one
		case was.Metadata.Name == g.Metadata.Name:
			return was, nil
		}
	}
	if unread != nil {
		return nil, unread
	}
	return here, nil
}

// formerly is the index of the cluster in was that the i-th of g was, -1 when it
// is new. That is the one of its name. Where no cluster of g has its name there,
// all were renamed, and rules over changes would ask nobody: then it is the one
// with its values files, else the one at its place.
func formerly(g, was *gate.Gate, i int) int {
	named := func(c gate.Cluster) int {
		return slices.IndexFunc(was.Spec.Clusters, func(o gate.Cluster) bool { return o.Name == c.Name })
	}
	at := named(g.Spec.Clusters[i])
	if at >= 0 || slices.ContainsFunc(g.Spec.Clusters, func(c gate.Cluster) bool { return named(c) >= 0 }) {
		return at
	}
	same := func(a, b gate.Cluster) bool { return len(a.Values) > 0 && slices.Equal(a.Values, b.Values) }
	at = slices.IndexFunc(was.Spec.Clusters, func(o gate.Cluster) bool { return same(o, g.Spec.Clusters[i]) })
	if at >= 0 || i >= len(was.Spec.Clusters) {
		return at
	}
	if slices.ContainsFunc(g.Spec.Clusters, func(c gate.Cluster) bool { return same(c, was.Spec.Clusters[i]) }) {
		return -1
	}
	return i
}
