// Package fix makes the shortest change of values files after which findings are
// gone. It writes where there is one answer and the place for it is certain, and
// says of the rest why not; every byte that need not change stays.
package fix

import (
	"bytes"
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/secrets"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// Bounds of a Plan.
const (
	maxFindings    = 200      // findings that are looked at
	maxEdits       = 100      // places that one finding may change
	maxAllEdits    = 1000     // places that all findings together may change
	maxEvaluations = 16       // times that the Gates are evaluated again
	maxDiff        = 32 << 10 // bytes of one finding's diff
)

// Gate is a Gate, expanded, and what does not hold in it.
type Gate struct {
	Gate     *gate.Gate
	Findings []finding.Finding
}

// Outcome is what the Gates say of a tree.
type Outcome struct {
	Findings []finding.Finding
	// Problems is how much could not be told.
	Problems int
}

// Options say what is to be fixed.
type Options struct {
	// Tree is the repository.
	Tree fs.FS
	// Gates are those that were evaluated, and Problems is how much could not be
	// told of them.
	Gates    []Gate
	Problems int
	// Evaluate asks all of them again, of a tree in which files were changed.
	Evaluate func(ctx context.Context, tree fs.FS) Outcome
	// Limits bound the files that are read.
	Limits values.Limits
}

// Change is a file before and after.
type Change struct {
	File          string
	Before, After []byte
	// Diff is what changes, as a unified diff; Redacted when a secret next to
	// it is taken out, so that no tool can apply it.
	Diff     string
	Redacted bool
}

// Answer is what there is to be done for one finding.
type Answer struct {
	// Diff makes the finding hold, applied to the tree as it is. Secrets next
	// to the change are redacted.
	Diff string
	// Reason says why there is no diff; empty also for rules that have none by
	// their nature.
	Reason string
}

// Plan is what there is to be done.
type Plan struct {
	// Answers are those to the findings of each Gate, in their order.
	Answers [][]Answer
	// Changes are all diffs together. That the findings are gone afterwards and
	// that no other came was seen by evaluating the Gates again.
	Changes []Change
	// Again is true when a finding has no diff because of what others would
	// bring with it: after Changes there may be one.
	Again bool
}

// Tree is a tree after the Plan's changes.
func (p Plan) Tree(base fs.FS) fs.FS {
	o := overlay{base, map[string][]byte{}}
	for _, c := range p.Changes {
		o.files[c.File] = c.After
	}
	return o
}

// Then adds the changes of a Plan that was made of p's Tree.
func (p *Plan) Then(next Plan, limits values.Limits) error {
	d := differ{limits: limits.WithDefaults(), detector: secrets.NewDetector()}
	for _, c := range next.Changes {
		at := slices.IndexFunc(p.Changes, func(first Change) bool { return first.File == c.File })
		if at < 0 {
			p.Changes = append(p.Changes, c)
			continue
		}
		diff, whole, err := d.diff(c.File, p.Changes[at].Before, c.After)
		if err != nil {
			return err
		}
		p.Changes[at].After, p.Changes[at].Diff, p.Changes[at].Redacted = c.After, diff, !whole
	}
	slices.SortFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.File, b.File) })
	p.Again = next.Again
	return nil
}

// candidate is a finding that may be fixed.
type candidate struct {
	gate, at int
	finding  finding.Finding
}

// planner makes a Plan.
type planner struct {
	opts   Options
	tree   *tree.Tree
	owners map[string][]string // of each file, the clusters that read it
	layers []map[string][]gate.Layer
	files  map[string][]byte // as they are
	differ differ
	list   []candidate
	plan   Plan
}

// New looks for what makes the findings hold. The error is that of ctx.
func New(ctx context.Context, opts Options) (Plan, error) {
	opts.Limits = opts.Limits.WithDefaults()
	p := &planner{
		opts: opts, tree: tree.New(opts.Tree), owners: map[string][]string{}, files: map[string][]byte{},
		differ: differ{limits: opts.Limits, detector: secrets.NewDetector()},
	}
	for i, g := range opts.Gates {
		p.plan.Answers = append(p.plan.Answers, make([]Answer, len(g.Findings)))
		for j, f := range g.Findings {
			p.consider(candidate{i, j, f})
		}
	}
	if len(p.list) == 0 {
		return p.plan, nil
	}
	for _, g := range opts.Gates {
		p.own(g.Gate)
	}
	p.each()
	kept, err := p.prove(ctx)
	if err != nil {
		return Plan{}, err
	}
	return p.plan, p.finish(kept)
}

// refuse says why a finding has no diff.
func (p *planner) refuse(c candidate, reason string) {
	p.plan.Answers[c.gate][c.at] = Answer{Reason: reason}
}

// each gives every candidate the diff that it has by itself.
func (p *planner) each() {
	edits := 0
	var kept []candidate
	for _, c := range p.list {
		s := p.sheet()
		n, err := s.solve(c)
		if edits += n; err == nil && edits > maxAllEdits {
			err = limit("edits", maxAllEdits)
		}
		var diff string
		if err == nil {
			diff, err = p.show(s)
		}
		if err != nil {
			p.refuse(c, err.Error())
			continue
		}
		p.plan.Answers[c.gate][c.at].Diff = diff
		kept = append(kept, c)
	}
	p.list = kept
}

// show is the diff of what a sheet changes.
func (p *planner) show(s *sheet) (string, error) {
	var b bytes.Buffer
	for _, name := range s.names() {
		diff, _, err := p.differ.diff(name, p.files[name], s.files[name])
		if err != nil {
			return "", err
		}
		b.WriteString(diff)
		if b.Len() > maxDiff {
			return "", limit("diff", maxDiff)
		}
	}
	return b.String(), nil
}

// finish makes the changes of the candidates that were kept.
func (p *planner) finish(kept *sheet) error {
	for _, name := range kept.names() {
		diff, whole, err := p.differ.diff(name, p.files[name], kept.files[name])
		if err != nil {
			return err
		}
		p.plan.Changes = append(p.plan.Changes, Change{
			File: name, Before: p.files[name], After: kept.files[name], Diff: diff, Redacted: !whole,
		})
	}
	return nil
}
