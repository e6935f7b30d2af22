package survey

import (
	"context"
	"io/fs"
	"slices"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
)

// Differ looks at every Gate that lies under the paths.
func Differ(ctx context.Context, fsys fs.FS, opts Options) report.Matrix {
	m := report.Matrix{Version: opts.Version}
	files, problems := find(fsys, opts.Paths)
	m.Problems = problems
	names := map[string]string{}
	picked := opts.Gate == ""
	for _, file := range files {
		one := report.MatrixGate{File: file}
		g, err := gate.Load(fsys, file)
		if err == nil {
			one.Name = g.Metadata.Name
			names[one.Name] = file
			if opts.Gate != "" && opts.Gate != one.Name {
				continue
			}
			picked = true
			one.Matrix, err = policies.Differ(ctx, fsys, g, opts.Policies)
		}
		if err != nil {
			one.Problems = explain(err)
		}
		m.Gates = append(m.Gates, one)
	}
	if opts.Gate == "" {
		return m
	}
	if !picked {
		r := report.Report{Problems: m.Problems}
		pick(&r, opts.Gate, names)
		m.Problems = r.Problems
		return m
	}
	m.Gates = slices.DeleteFunc(m.Gates, func(g report.MatrixGate) bool { return g.Name != opts.Gate })
	return m
}
