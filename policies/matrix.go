package policies

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/provenance"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// Differ says where the clusters of a Gate differ and by which layers, and which
// of the differences are findings. An error means that this could not be told.
func Differ(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) (provenance.Matrix, error) {
	opts = opts.withDefaults()
	g, err := Expand(ctx, fsys, g, opts)
	if err != nil {
		return provenance.Matrix{}, err
	}
	judged, err := Evaluate(ctx, fsys, g, opts)
	if err != nil {
		return provenance.Matrix{}, err
	}
	m := provenance.Matrix{Rows: []provenance.MatrixRow{}}
	for _, c := range g.Spec.Clusters {
		m.Clusters = append(m.Clusters, c.Name)
	}
	paths, more, err := differing(ctx, fsys, g, opts)
	if err != nil {
		return provenance.Matrix{}, err
	}
	m.More = more
	chains, err := chainsAt(ctx, fsys, g, opts, paths)
	if err != nil {
		return provenance.Matrix{}, err
	}
	broken := map[string][]string{}
	for _, f := range judged.Findings {
		if f.Path != "" && !slices.Contains(broken[f.Path], f.Rule) {
			broken[f.Path] = append(broken[f.Path], f.Rule)
		}
	}
	allowed, err := allowances(g)
	if err != nil {
		return provenance.Matrix{}, err
	}
	for _, c := range chains {
		row := provenance.MatrixRow{PathChains: c, Broken: broken[c.Path]}
		if len(row.Broken) == 0 {
			row.Allowed, row.Reason = allowedBy(allowed, row.Path)
		}
		m.Rows = append(m.Rows, row)
	}
	return m, nil
}

// differing are the paths at which the clusters differ when nothing may, up to
// the bound of an answer.
func differing(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) (paths [][]string, more int, err error) {
	src, err := newSource(fsys, g, opts)
	if err != nil {
		return nil, 0, err
	}
	about, err := ruleOptions(g, src.target)
	if err != nil {
		return nil, 0, err
	}
	about = rules.Options{
		Gate: about.Gate, GateFile: about.GateFile, Clusters: about.Clusters, Files: about.Files, ListKeys: about.ListKeys,
	}
	fleet, err := rules.NewFleet(about)
	if err != nil {
		return nil, 0, err
	}
	in := &inspection{src: src, rules: about}
	if err := readAll(ctx, g, in, fleet, opts.Workers); err != nil {
		return nil, 0, err
	}
	found, _, err := fleet.Findings(ctx, make([]rules.Before, len(g.Spec.Clusters)))
	if err != nil {
		return nil, 0, err
	}
	for _, f := range found {
		switch f.Rule {
		case rules.Limits:
			more = max(more, 1)
		case rules.Identical:
			glob, err := keypath.Parse(f.Path)
			if err != nil {
				more++ // too long to be named
				continue
			}
			segments, ok := glob.Exact()
			if !ok {
				more++ // a star in a name: the path cannot be written as one
				continue
			}
			paths = append(paths, segments)
		}
	}
	return paths, more, nil
}

// chainsAt are the chains of every cluster at some paths.
func chainsAt(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options, paths [][]string) ([]provenance.PathChains, error) {
	src, err := newSource(fsys, g, opts)
	if err != nil {
		return nil, err
	}
	about, err := ruleOptions(g, src.target)
	if err != nil {
		return nil, err
	}
	stacks, err := rules.NewStacks(about.ListKeys)
	if err != nil {
		return nil, err
	}
	set := rules.NewPathSet(paths)
	x := &explainer{gate: g, source: src, stacks: stacks}
	x.find = func(layers []*values.Node, merged *values.Node) ([]rules.Spot, int) {
		return stacks.FindAll(layers, merged, set), 0
	}
	if err := x.readAll(ctx, opts.Workers); err != nil {
		return nil, err
	}
	return x.fold(math.MaxInt).Paths, nil
}

// allowance is an entry of a Gate by which clusters may differ.
type allowance struct {
	glob         keypath.Glob
	name, reason string
}

func allowances(g *gate.Gate) ([]allowance, error) {
	var all []allowance
	add := func(list, path, reason string) error {
		glob, err := keypath.Parse(path)
		if err != nil {
			return fmt.Errorf("%s: spec.%s: %w", g.File, list, err)
		}
		all = append(all, allowance{glob, list + ": " + path, reason})
		return nil
	}
	for _, p := range g.Spec.PerCluster {
		if err := add("perCluster", p.Path, p.Reason); err != nil {
			return nil, err
		}
	}
	for _, p := range g.Spec.Unique {
		if err := add("unique", p.Path, p.Reason); err != nil {
			return nil, err
		}
	}
	for _, p := range g.Spec.Skew {
		if err := add("skew", p.Path, p.Reason); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// allowedBy is the first entry that names the path, and its reason; both are empty
// where there is none.
func allowedBy(entries []allowance, path string) (name, reason string) {
	glob, err := keypath.Parse(path)
	if err != nil {
		return "", ""
	}
	segments, _ := glob.Exact()
	for _, a := range entries {
		if a.glob.MatchBelow(segments) {
			return a.name, a.reason
		}
	}
	return "", ""
}
