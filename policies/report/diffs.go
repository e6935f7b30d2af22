package report

import (
	"context"
	"io/fs"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/gate"
)

// addDiffs gives findings the diff that makes them hold, or the reason why
// there is none. With no findings it costs nothing.
func (r *Report) addDiffs(ctx context.Context, fsys fs.FS, gates map[string]*gate.Gate, opts Options) {
	if r.Findings() == 0 {
		return
	}
	fixes := fix.Options{Tree: fsys, Problems: r.problems(), Limits: opts.Policies.Limits}
	var at []int
	for i, g := range r.Gates {
		if gates[g.File] != nil {
			fixes.Gates = append(fixes.Gates, fix.Gate{Gate: gates[g.File], Findings: g.Findings})
			at = append(at, i)
		}
	}
	fixes.Evaluate = func(ctx context.Context, tree fs.FS) fix.Outcome {
		again, _ := collectAll(ctx, tree, opts)
		return fix.Outcome{Findings: again.findings(), Problems: again.problems()}
	}
	plan, err := fix.New(ctx, fixes)
	if err != nil {
		r.Problems = append(r.Problems, explain(err)...)
		return
	}
	r.Changes = plan.Changes
	for i, answers := range plan.Answers {
		list := r.Gates[at[i]].Findings
		for j, a := range answers {
			list[j].Diff = a.Diff
			if a.Reason != "" {
				list[j].Fix += "; no diff: " + a.Reason
			}
		}
	}
}

// findings are those of all Gates.
func (r *Report) findings() []finding.Finding {
	var all []finding.Finding
	for _, g := range r.Gates {
		all = append(all, g.Findings...)
	}
	return all
}

// problems is the number of problems.
func (r *Report) problems() int {
	n := len(r.Problems)
	for _, g := range r.Gates {
		n += len(g.Problems)
	}
	return n
}
