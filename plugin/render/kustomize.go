package render

import (
	"context"
	"errors"

	"github.com/syncgate/syncgate/policies/kustomize"
)

// Kustomize builds a kustomization as `kustomize build` does, from the files
// of the repository alone.
type Kustomize struct {
	run *runner
}

// Render implements Renderer.
func (k *Kustomize) Render(ctx context.Context, in Input) ([]Object, error) {
	return k.run.do(ctx, in.Path, func() ([]Object, error) {
		limits := kustomize.Limits{Files: k.run.limits.Files, FileBytes: k.run.limits.FileBytes, InputBytes: k.run.limits.InputBytes}
		built, err := kustomize.Build(ctx, in.FS, in.Path, limits)
		var hit *kustomize.LimitError
		if errors.As(err, &hit) {
			return nil, &LimitError{Limit: hit.Limit, Value: hit.Value, Where: hit.Where, Remedy: hit.Remedy}
		}
		if err != nil {
			return nil, err
		}
		out := collector{limits: k.run.limits, heads: k.run.heads, where: in.Path}
		for _, o := range built.Objects {
			if err := out.add([]document{{file: in.Path, line: 1, data: o.Data, rendered: true}}); err != nil {
				return nil, err
			}
		}
		return out.objects, nil
	})
}
