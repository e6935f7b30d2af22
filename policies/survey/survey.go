// Package survey looks for the Gates of a tree and gathers what they say of their
// values, for package report to write down. What one Gate cannot tell hides nothing
// of another.
package survey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/fix"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// Options say what Collect looks at.
type Options struct {
	// Paths are slash paths of the tree: folders to look for Gates in, or
	// Gate files. Default: the whole tree.
	Paths []string
	// Gate keeps the Gate of that name only; "" keeps all.
	Gate string
	// Base is the tree that passed before, against which changes are held, and
	// BaseName says what it is. Nil: rules over a change are not asked.
	Base     fs.FS
	BaseName string
	// Diffs has the diffs made that make findings hold, which takes about as long
	// again as to find them.
	Diffs bool
	// Policies say how a Gate is evaluated.
	Policies policies.Options
	// Version goes into the Report.
	Version string
}

// Collect evaluates every Gate that lies under the paths. What one Gate could
// not tell hides nothing of another: it is among the problems of its own. The
// changes are the diffs of all findings together, proved, where the options ask
// for them.
func Collect(ctx context.Context, fsys fs.FS, opts Options) (report.Report, []fix.Change) {
	start := time.Now()
	r, gates := collectAll(ctx, fsys, opts)
	var changes []fix.Change
	if opts.Diffs {
		changes = addDiffs(ctx, fsys, &r, gates, opts)
	}
	r.Elapsed = time.Since(start)
	return r, changes
}

// collectAll evaluates the Gates. Where diffs are wanted the second value has each
// Gate of the Report that could be read, by its file.
func collectAll(ctx context.Context, fsys fs.FS, opts Options) (report.Report, map[string]*gate.Gate) {
	r := report.Report{Version: opts.Version}
	files, problems := find(fsys, opts.Paths)
	r.Problems = problems
	names := make(map[string]string) // name of a Gate to its file
	gates := make(map[string]*gate.Gate)
	for _, file := range files {
		if res, g, ok := collect(ctx, fsys, file, names, opts); ok {
			r.Gates = append(r.Gates, res)
			if opts.Diffs { // else it would be kept in vain
				gates[file] = g
			}
		}
	}
	if opts.Gate != "" {
		pick(&r, opts.Gate, names)
	}
	return r, gates
}

// find lists the Gate files under the paths, each once.
func find(fsys fs.FS, paths []string) (files []string, problems []report.Problem) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	seen := make(map[string]bool)
	for _, p := range paths {
		found, err := gate.Find(fsys, p)
		switch {
		case err != nil:
			problems = append(problems, explain(err)...)
		case len(found) == 0:
			problems = append(problems, report.Problem{Message: fmt.Sprintf(
				"find gates under %s: expected a file %s, found none; write one there, or name the folder that has it",
				p, gate.FileName)})
		}
		for _, file := range found {
			if !seen[file] {
				seen[file] = true
				files = append(files, file)
			}
		}
	}
	return files, problems
}

// NameTaken is what there is to say of a Gate in file whose name the one in
// other has too.
func NameTaken(name, file, other string) report.Problem {
	return report.Problem{
		Position: finding.Position{File: file},
		Message: fmt.Sprintf("metadata.name: expected a name of its own, found %q, which is the name of %s too; rename one of them",
			name, other),
	}
}

// collect evaluates one Gate; ok is false when the options leave it out, and g
// nil when it could not be read. names are the Gates read so far.
func collect(ctx context.Context, fsys fs.FS, file string, names map[string]string, opts Options) (res report.Gate, g *gate.Gate, ok bool) {
	res = report.Gate{File: file}
	g, err := gate.Load(fsys, file)
	if err != nil {
		res.Problems = explain(err)
		return res, nil, true
	}
	res.Name, res.Clusters, res.Rules = g.Metadata.Name, len(g.Spec.Clusters), rulesIn(g)
	if opts.Gate != "" && opts.Gate != res.Name {
		names[res.Name] = file
		return res, nil, false
	}
	if other, taken := names[res.Name]; taken {
		res.Problems = []report.Problem{NameTaken(res.Name, file, other)}
	}
	names[res.Name] = file
	if g, err = policies.Expand(ctx, fsys, g, opts.Policies); err != nil {
		res.Problems = append(res.Problems, explain(err)...)
		return res, nil, true
	}
	res.Clusters = len(g.Spec.Clusters)
	if opts.Base != nil {
		if opts.Policies.Baseline, err = policies.BaselineIn(ctx, opts.Base, opts.BaseName, g); err != nil {
			res.Problems = append(res.Problems, explain(err)...)
			return res, nil, true
		}
	}
	found, err := policies.Evaluate(ctx, fsys, g, opts.Policies)
	res.Findings, res.Waived, res.Skipped = found.Findings, found.Waived, found.Skipped
	if err != nil {
		res.Problems = append(res.Problems, explain(err)...)
	}
	return res, g, true
}

// pick leaves only the Gate that was asked for. Files that could not be read
// stay when it was not found: it may be one of them.
func pick(r *report.Report, name string, names map[string]string) {
	var picked []report.Gate
	for _, g := range r.Gates {
		if g.Name == name {
			picked = append(picked, g)
		}
	}
	if len(picked) > 0 {
		r.Gates = picked
		return
	}
	there := "there is none that can be read"
	if len(names) > 0 {
		there = "there are " + strings.Join(slices.Sorted(maps.Keys(names)), ", ")
	}
	r.Problems = append(r.Problems, report.Problem{Message: fmt.Sprintf("find gate %q: not found; %s", name, there)})
}

// explain makes problems of an error: one for each it joins, its place apart
// from its text where it names one.
func explain(err error) []report.Problem {
	// Only an outermost join is taken apart, so that no text before one is lost.
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []report.Problem
		for _, e := range many.Unwrap() {
			all = append(all, explain(e)...)
		}
		return all
	}
	place := placeOf(err)
	text := err.Error()
	if place.File != "" {
		text = strings.Replace(text, place.String()+": ", "", 1)
	}
	return []report.Problem{{Position: place, Message: text}}
}

// placeOf is the place an error names, zero when it names none.
func placeOf(err error) finding.Position {
	var inGate *gate.Error
	var inValues *values.Error
	var inTree *tree.Error
	var inDelivery *delivery.Error
	switch {
	case errors.As(err, &inGate):
		return inGate.Position
	case errors.As(err, &inValues):
		return inValues.Position
	case errors.As(err, &inDelivery):
		return inDelivery.Position
	case errors.As(err, &inTree):
		return finding.Position{File: inTree.Path}
	}
	return finding.Position{}
}

// rulesIn are the identities of the rules that a Gate asks.
func rulesIn(g *gate.Gate) []string {
	all := policies.RulesOf(g)
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.ID
	}
	return ids
}
