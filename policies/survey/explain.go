package survey

import (
	"context"
	"io/fs"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/report"
)

// Explain looks key up in every Gate that lies under the paths.
func Explain(ctx context.Context, fsys fs.FS, key keypath.Glob, opts Options) report.Explanation {
	e := report.Explanation{Key: key.String(), Version: opts.Version}
	files, problems := find(fsys, opts.Paths)
	e.Problems = problems
	names := map[string]string{}
	picked := opts.Gate == ""
	for _, file := range files {
		g, err := gate.Load(fsys, file)
		if err != nil {
			e.Gates = append(e.Gates, report.ExplainedGate{File: file, Problems: explain(err)})
			continue
		}
		names[g.Metadata.Name] = file
		if opts.Gate != "" && opts.Gate != g.Metadata.Name {
			continue
		}
		picked = true
		one := report.ExplainedGate{Name: g.Metadata.Name, File: file, Clusters: len(g.Spec.Clusters)}
		if g, err = policies.Expand(ctx, fsys, g, opts.Policies); err != nil {
			one.Problems = explain(err)
			e.Gates = append(e.Gates, one)
			continue
		}
		one.Clusters = len(g.Spec.Clusters)
		if one.Explanation, err = policies.Explain(ctx, fsys, g, key, opts.Policies); err != nil {
			one.Problems = explain(err)
		}
		e.Gates = append(e.Gates, one)
	}
	if opts.Gate != "" {
		pickExplained(&e, opts.Gate, picked, names)
	}
	return e
}

// pickExplained leaves only the Gate that was asked for; files that could not be
// read stay when it was not found.
func pickExplained(e *report.Explanation, name string, picked bool, names map[string]string) {
	r := report.Report{Problems: e.Problems}
	if !picked {
		pick(&r, name, names)
		e.Problems = r.Problems
		return
	}
	var gates []report.ExplainedGate
	for _, g := range e.Gates {
		if g.Name == name {
			gates = append(gates, g)
		}
	}
	e.Gates = gates
}
