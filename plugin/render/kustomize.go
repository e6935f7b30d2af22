package render

import (
	"context"
	"fmt"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
)

// Kustomize builds a kustomization as `kustomize build` does, from the files
// of the repository alone: no plugins, no functions, no Helm inflation, nothing
// remote. A file is only read from below the kustomization that names it; other
// kustomizations may lie anywhere in the repository.
type Kustomize struct {
	run *runner
	// one lets one build run at a time: the library keeps the OpenAPI schema
	// a kustomization names in a variable of the program.
	one chan struct{}
}

// Render implements Renderer.
func (k *Kustomize) Render(ctx context.Context, in Input) ([]Object, error) {
	return k.run.do(ctx, in.Path, func() ([]Object, error) {
		select {
		case k.one <- struct{}{}:
			defer func() { <-k.one }()
		case <-ctx.Done():
			return nil, stopped(ctx, in.Path)
		}
		r := newReader(in, k.run.limits)
		if err := checkKustomization(ctx, r, in.Path); err != nil {
			return nil, err
		}
		return k.build(newRepoFS(ctx, r), in.Path)
	})
}

func (k *Kustomize) build(fsys *repoFS, dir string) ([]Object, error) {
	opts := krusty.MakeDefaultOptions()
	opts.LoadRestrictions = types.LoadRestrictionsRootOnly
	opts.PluginConfig = types.DisabledPluginConfig()
	built, err := krusty.MakeKustomizer(opts).Run(fsys, fsys.abs(dir))
	if err != nil {
		// What the library makes of a limit or a cancel is less clear.
		if fsys.failed != nil {
			return nil, fsys.failed
		}
		return nil, fmt.Errorf("build kustomization %s: %w; correct the kustomization", dir, err)
	}
	out := collector{limits: k.run.limits, where: dir}
	for _, res := range built.Resources() {
		text, err := res.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("write %s of kustomization %s: %w", res.CurId(), dir, err)
		}
		if err := out.add([]document{{file: dir, line: 1, data: text, rendered: true}}); err != nil {
			return nil, err
		}
	}
	return out.objects, nil
}
