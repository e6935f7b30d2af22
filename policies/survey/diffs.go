package survey

import (
	"context"
	"io/fs"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
)

// maxSteps is how often changes are looked for on top of others.
const maxSteps = 4

// addDiffs gives findings the diff that makes them hold, or the reason why
// there is none, and returns what all diffs together change. With no findings it
// costs nothing.
func addDiffs(ctx context.Context, fsys fs.FS, r *report.Report, gates map[string]*gate.Gate, opts Options) []fix.Change {
	if r.Findings() == 0 {
		return nil
	}
	plan, err := planFor(ctx, fsys, *r, gates, opts)
	if err != nil {
		r.Problems = append(r.Problems, explain(err)...)
		return nil
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
		more, err := planFor(ctx, tree, after, gates, opts)
		if err == nil {
			err = plan.Then(more, opts.Policies.Limits)
		}
		if err != nil {
			r.Problems = append(r.Problems, explain(err)...)
			return nil
		}
		if len(more.Changes) == 0 {
			break
		}
	}
	return plan.Changes
}

// planFor looks for what makes the findings of r hold in a tree.
func planFor(ctx context.Context, tree fs.FS, r report.Report, gates map[string]*gate.Gate, opts Options) (fix.Plan, error) {
	fixes := fix.Options{Tree: tree, Problems: problemsIn(r), Limits: opts.Policies.Limits}
	for _, g := range r.Gates {
		if gates[g.File] != nil {
			fixes.Gates = append(fixes.Gates, fix.Gate{Gate: gates[g.File], Findings: g.Findings})
		}
	}
	opts.Diffs = false
	fixes.Evaluate = func(ctx context.Context, tree fs.FS) fix.Outcome {
		again, _ := collectAll(ctx, tree, opts)
		return fix.Outcome{Findings: findingsIn(again), Problems: problemsIn(again)}
	}
	return fix.New(ctx, fixes)
}

// findingsIn are the findings of all Gates.
func findingsIn(r report.Report) []finding.Finding {
	var all []finding.Finding
	for _, g := range r.Gates {
		all = append(all, g.Findings...)
	}
	return all
}

// problemsIn is the number of problems.
func problemsIn(r report.Report) int {
	n := len(r.Problems)
	for _, g := range r.Gates {
		n += len(g.Problems)
	}
	return n
}
