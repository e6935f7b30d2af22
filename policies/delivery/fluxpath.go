package delivery

import (
	"context"

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
	a.err = x.build(ctx, dir, a)
	if x.paths == nil {
		x.paths = map[string]*applied{}
	}
	x.paths[dir] = a
	return a
}

// build adds the files that a kustomization reads.
func (x *expansion) build(ctx context.Context, dir string, a *applied) error {
	built, err := kustomize.Build(ctx, x.tree.FS(), dir, kustomize.Limits{Files: maxBuildFiles, InputBytes: maxBuildBytes})
	for _, f := range built.Files {
		a.files[f.Name] = true
	}
	return err
}
