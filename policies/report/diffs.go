package report

import (
	"context"
	"io/fs"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/gate"
)

// maxSteps is how often changes are looked for on top of others.
const maxSteps = 4

// addDiffs gives findings the diff that makes them hold, or the reason why
// there is none. With no findings it costs nothing.
func (r *Report) addDiffs(ctx context.Context, fsys fs.FS, gates map[string]*gate.Gate, opts Options) {
	if r.Findings() == 0 {
		return
	}
	plan, err := r.plan(ctx, fsys, gates, opts)
	if err != nil {
		r.Problems = append(r.Problems, explain(err)...)
		return
	}
	next := 0
	for _, g := range r.Gates {
		if gates[g.File] == nil {
			continue
		}
		for j, a := range plan.Answers[next] {
			g.Findings[j].Diff = a.Diff
			if a.Reason != "" {
				g.Findings[j].Fix += "; no diff: " + a.Reason
			}
		}
		next++
	}
	for step := 1; step < maxSteps && plan.Again && len(plan.Changes) > 0; step++ {
		tree := plan.Tree(fsys)
		after, gates := collectAll(ctx, tree, opts)
		more, err := after.plan(ctx, tree, gates, opts)
		if err == nil {
			err = plan.Then(more, opts.Policies.Limits)
		}
		if err != nil {
			r.Problems = append(r.Problems, explain(err)...)
			return
		}
		if len(more.Changes) == 0 {
			break
		}
	}
	r.Changes = plan.Changes
}

// plan looks for what makes the findings hold in a tree.
func (r *Report) plan(ctx context.Context, tree fs.FS, gates map[string]*gate.Gate, opts Options) (fix.Plan, error) {
	fixes := fix.Options{Tree: tree, Problems: r.problems(), Limits: opts.Policies.Limits}
	for _, g := range r.Gates {
		if gates[g.File] != nil {
			fixes.Gates = append(fixes.Gates, fix.Gate{Gate: gates[g.File], Findings: g.Findings})
		}
	}
	opts.Diffs = false
	fixes.Evaluate = func(ctx context.Context, tree fs.FS) fix.Outcome {
		again, _ := collectAll(ctx, tree, opts)
		return fix.Outcome{Findings: again.findings(), Problems: again.problems()}
	}
	return fix.New(ctx, fixes)
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
