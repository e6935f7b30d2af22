package review

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
)

// loosened notes what the change takes out of its own Gate: by what stands in
// it, and by what the Gate as it was would have found in the values as they are.
func (j *judgement) loosened(ctx context.Context, file string, now report.Report) error {
	if j.base == nil || !slices.Contains(j.changed, file) {
		return nil
	}
	was, errWas := gate.Load(j.base, file)
	is, errIs := gate.Load(j.head, file)
	if errWas != nil || errIs != nil {
		return ctx.Err() // the report says what is wrong with the one that counts
	}
	for _, lost := range lostOf(was, is) {
		j.loosens = true
		j.notes = append(j.notes, fmt.Sprintf("gate %s: %s", is.Metadata.Name, lost))
	}
	opts := j.reviewer.opts.Policies
	opts.Now = j.reviewer.opts.Now()
	var err error
	if opts.Baseline, err = policies.BaselineIn(ctx, j.base, j.baseName, was); err != nil {
		return ctx.Err() // the report says what cannot be read
	}
	old, err := policies.Evaluate(ctx, j.head, was, opts)
	if ctx.Err() != nil {
		return fmt.Errorf("judge by the gate as it was: %w", context.Cause(ctx))
	}
	if err != nil {
		j.loosens = true
		j.notes = append(j.notes, fmt.Sprintf("gate %s, as it is at %s, cannot judge what is here: %v", was.Metadata.Name, j.baseName, err))
		return nil
	}
	found := map[string]bool{}
	for _, g := range now.Gates {
		for _, f := range g.Findings {
			found[f.Rule+"\x00"+f.Path] = true
		}
	}
	for _, f := range old.Findings {
		if found[f.Rule+"\x00"+f.Path] {
			continue
		}
		j.loosens = true
		j.notes = append(j.notes, fmt.Sprintf("gate %s, as it is at %s, would find here: %s %s: %s", was.Metadata.Name, j.baseName, f.Rule, f.Path, f.Message))
	}
	return nil
}

// lostOf are the entries of a Gate that another one does not have, and those by
// which that one allows more.
func lostOf(was, is *gate.Gate) (lost []string) {
	compare := func(what string, before, after []string) {
		for _, b := range before {
			if !slices.Contains(after, b) {
				lost = append(lost, fmt.Sprintf("%s %q is taken out", what, b))
			}
		}
	}
	grown := func(what string, before, after []string) {
		for _, a := range after {
			if !slices.Contains(before, a) {
				lost = append(lost, fmt.Sprintf("%s %q is new", what, a))
			}
		}
	}
	a, b := was.Spec, is.Spec
	compare("cluster", names(a.Clusters, func(c gate.Cluster) string { return c.Name }), names(b.Clusters, func(c gate.Cluster) string { return c.Name }))
	compare("pack", names(a.Packs, func(p string) string { return p }), names(b.Packs, func(p string) string { return p }))
	compare("required", a.Required, b.Required)
	compare("unique", names(a.Unique, func(u gate.Unique) string { return u.Path }), names(b.Unique, func(u gate.Unique) string { return u.Path }))
	compare("rule", names(a.Rules, func(r gate.Rule) string { return r.Name }), names(b.Rules, func(r gate.Rule) string { return r.Name }))
	compare("preSync check", names(a.PreSync.Checks, checkName), names(b.PreSync.Checks, checkName))
	compare("postSync check", names(a.PostSync.Checks, checkName), names(b.PostSync.Checks, checkName))
	compare("guard of", names(a.Guards, guardName), names(b.Guards, guardName))
	grown("perCluster", names(a.PerCluster, func(p gate.PerCluster) string { return p.Path }), names(b.PerCluster, func(p gate.PerCluster) string { return p.Path }))
	grown("waiver of", names(a.Waivers, waiverName), names(b.Waivers, waiverName))
	return lost
}

func checkName(c gate.Check) string { return c.Name }
func guardName(g gate.Guard) string { return strings.TrimSpace(g.Use + " " + g.Kind) }
func waiverName(w gate.Waiver) string {
	return strings.TrimSpace(w.Rule + " " + w.Path + " until " + w.Until)
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = name(one)
	}
	return out
}
