package delivery

import (
	"context"
	"io/fs"
	"path"

	"github.com/syncgate/syncgate/policies/kustomize"
)

// applied are the files that Flux applies for one path.
type applied struct {
	files map[string]bool
	err   error // why they are not known
}

// appliedAt is what Flux applies of a folder. Every HelmRelease asks for it, so
// it is worked out once for each folder, failures too.
func (x *expansion) appliedAt(ctx context.Context, dir string) *applied {
	if known, ok := x.paths[dir]; ok {
		return known
	}
	a := &applied{files: map[string]bool{}}
	a.err = x.apply(ctx, dir, a)
	if x.paths == nil {
		x.paths = map[string]*applied{}
	}
	x.paths[dir] = a
	return a
}

// apply adds what Flux applies of a folder: what a kustomization there reads, and
// without one what the kustomization lists that Flux writes into it (of
// github.com/fluxcd/pkg/kustomize, Generator). That has each folder below which has
// a kustomization, without what lies in that one beside, and all other YAML files.
func (x *expansion) apply(ctx context.Context, dir string, a *applied) error {
	if hasKustomization(x.tree, dir) {
		return x.build(ctx, dir, a)
	}
	if !x.tree.Holds(dir) {
		return errPart
	}
	looked := 0
	return fs.WalkDir(x.tree.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if looked++; looked > maxEntries {
			return errTooMany
		}
		switch ext := path.Ext(name); {
		case entry.IsDir() && hasKustomization(x.tree, name):
			if err := x.build(ctx, name, a); err != nil {
				return err
			}
			return fs.SkipDir
		case !entry.IsDir() && (ext == ".yaml" || ext == ".yml"):
			a.files[name] = true
		}
		return nil
	})
}

// build adds the files that a kustomization reads.
func (x *expansion) build(ctx context.Context, dir string, a *applied) error {
	built, err := kustomize.Build(ctx, x.tree.FS(), dir, kustomize.Limits{Files: maxBuildFiles, InputBytes: maxBuildBytes})
	for _, f := range built.Files {
		a.files[f.Name] = true
	}
	return err
}
