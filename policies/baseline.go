package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/syncgate/syncgate/policies/gate"
)

// BaselineIn finds the Gate of that name in a tree that passed before, at the
// same path or elsewhere, and gives what passed on each of its clusters. name
// says what the tree is, for people. That the tree has no such Gate is told by
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

// findGate is the Gate of g's name in the tree, nil when there is none.
func findGate(fsys fs.FS, g *gate.Gate) (*gate.Gate, error) {
	was, err := gate.Load(fsys, g.File)
	switch {
	case err == nil && was.Metadata.Name == g.Metadata.Name:
		return was, nil
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
	return nil, unread
}
