package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// BaselineIn finds the Gate of that name in a tree that passed before, at the
// same path or elsewhere, and gives what passed on each of its clusters. Where
// no Gate has the name, it is the one at the same path: it was renamed, and what
// it guards is there still. name says what the tree is, for people. That the tree
// has no such Gate is told by each Baseline; that it could not be read is an error.
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

// formerly says for each cluster of g which one of was it was, by their places; -1
// when it is new. That is the one of its name. Where no cluster of g has its name
// there, all were renamed, and rules over changes would ask nobody: then it is the
// one with its values files, else the one at its place.
func formerly(g, was *gate.Gate) []int {
	by := func(key func(gate.Cluster) string) (places []int, some bool) {
		found := make(map[string]int, len(was.Spec.Clusters))
		for i, c := range was.Spec.Clusters {
			if _, twice := found[key(c)]; !twice {
				found[key(c)] = i
			}
		}
		places = make([]int, len(g.Spec.Clusters))
		for i, c := range g.Spec.Clusters {
			at, ok := found[key(c)]
			if places[i] = at; !ok || key(c) == "" {
				places[i] = -1
			}
			some = some || places[i] >= 0
		}
		return places, some
	}
	named, some := by(func(c gate.Cluster) string { return c.Name })
	if some {
		return named
	}
	places, _ := by(valuesOf)
	taken := make(map[string]bool, len(places))
	for _, c := range g.Spec.Clusters {
		taken[valuesOf(c)] = true
	}
	delete(taken, "")
	for i := range places {
		if places[i] < 0 && i < len(was.Spec.Clusters) && !taken[valuesOf(was.Spec.Clusters[i])] {
			places[i] = i
		}
	}
	return places
}

// valuesOf tells values files apart, "" for none.
func valuesOf(c gate.Cluster) string { return strings.Join(c.Values, "\n") }
