package fix

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/syncgate/syncgate/policies/finding"
)

// prover evaluates the Gates again with some candidates' edits made.
type prover struct {
	*planner
	known map[subject]*spread
	left  int // evaluations
}

// subject is what a finding is about.
type subject struct{ gate, file, rule, path, text string }

// spread is the clusters that the findings of a subject name.
type spread struct{ clusters map[string]bool }

var lineNumbers = regexp.MustCompile(`:\d+(:\d+)?`)

// subjectOf tells findings apart. One that names no cluster is told apart by its
// text, without the places in it, which edits move.
func subjectOf(f finding.Finding) subject {
	s := subject{f.Gate, f.GateFile, f.Rule, f.Path, ""}
	if len(f.Holdings) == 0 {
		s.text = lineNumbers.ReplaceAllString(f.Message, "")
	}
	return s
}

func subjects(list []finding.Finding) map[subject]*spread {
	out := map[subject]*spread{}
	for _, f := range list {
		s := subjectOf(f)
		if out[s] == nil {
			out[s] = &spread{map[string]bool{}}
		}
		for _, h := range f.Holdings {
			for _, p := range h.Places {
				out[s].clusters[p.Cluster] = true
			}
		}
	}
	return out
}

// prove keeps those of the candidates after whose edits their findings are gone
// and no other has come; the rest are refused. The sheet has all that are kept.
func (p *planner) prove(ctx context.Context) (*sheet, error) {
	if len(p.list) == 0 {
		return p.sheet(), nil
	}
	var all []finding.Finding
	for _, g := range p.opts.Gates {
		all = append(all, g.Findings...)
	}
	v := &prover{p, subjects(all), maxEvaluations}
	kept := v.keep(ctx, nil, p.list)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("prove fixes: %w", err)
	}
	s := p.sheet()
	for _, c := range kept {
		if _, err := s.solve(c); err != nil {
			return nil, fmt.Errorf("make fix of %s: %w", c.finding.Path, err)
		}
	}
	return s, nil
}

// inVain is why a diff is taken back after which its finding is still there.
const inVain = "with it the finding would still be there: another layer sets the value"

// keep is base with those of more that hold on top of it.
func (v *prover) keep(ctx context.Context, base, more []candidate) []candidate {
	if len(more) == 0 {
		return base
	}
	why, still := v.try(ctx, base, more)
	switch {
	case why == "" && len(still) == 0:
		return slices.Concat(base, more)
	case len(more) == 1:
		v.plan.Again = v.plan.Again || why != ""
		v.refuse(more[0], cmp.Or(why, inVain))
		return base
	case why != "" || len(still) == len(more):
		half := len(more) / 2
		return v.keep(ctx, v.keep(ctx, base, more[:half]), more[half:])
	}
	// Those in vain may be so because of each other: they come last.
	rest := slices.DeleteFunc(slices.Clone(more), func(c candidate) bool {
		return slices.ContainsFunc(still, func(s candidate) bool { return s.gate == c.gate && s.at == c.at })
	})
	return v.keep(ctx, v.keep(ctx, base, rest), still)
}

// try says why the edits may not be made, or which of more would be in vain.
func (v *prover) try(ctx context.Context, base, more []candidate) (why string, still []candidate) {
	if v.left == 0 || ctx.Err() != nil {
		return limit("evaluations", maxEvaluations).Error(), nil
	}
	s := v.sheet()
	for _, c := range slices.Concat(base, more) {
		if _, err := s.solve(c); err != nil {
			return err.Error(), nil
		}
	}
	v.left--
	after := v.opts.Evaluate(ctx, s.overlay)
	if after.Problems > v.opts.Problems {
		return "with it not everything could be told any more", nil
	}
	found := subjects(after.Findings)
	for _, c := range base {
		if found[subjectOf(c.finding)] != nil {
			return "with it " + c.finding.Path + " would differ again", nil
		}
	}
	for _, c := range more {
		if found[subjectOf(c.finding)] != nil {
			still = append(still, c)
		}
	}
	for _, f := range after.Findings {
		known := v.known[subjectOf(f)]
		if known == nil {
			return fmt.Sprintf("with it another rule would not hold: %s %s", f.Rule, f.Path), nil
		}
		for _, cluster := range slices.Sorted(maps.Keys(found[subjectOf(f)].clusters)) {
			if !known.clusters[cluster] {
				return fmt.Sprintf("with it %s %s would not hold in %s, too", f.Rule, f.Path, cluster), nil
			}
		}
	}
	return "", still
}
