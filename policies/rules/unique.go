package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
)

// unique reports the values that more than one cluster holds.
func (c *comparer) unique() {
	if len(c.opts.Unique) == 0 || len(c.clusters) == 0 {
		return
	}
	matches := c.matches(c.opts.Unique)
	for i, g := range c.opts.Unique {
		c.differAll(g, matches[i])
	}
}

// spot is a value of a cluster at a path.
type spot struct {
	path uint32
	cell cell
}

// differAll asks that a value at any of the paths stands in one cluster only.
func (c *comparer) differAll(g keypath.Glob, paths []uint32) {
	spots := map[uint32][]spot{}
	var order []uint32
	for _, p := range paths {
		for _, at := range c.column(p) {
			value := c.row(at).value
			if c.bears(kindOf(value)) || c.isNothing(value) {
				continue
			}
			if spots[value] == nil {
				order = append(order, value)
			}
			spots[value] = append(spots[value], spot{p, at})
		}
	}
	if len(order) == 0 {
		c.out.add(c.nothingAt(Unique, g, paths))
		return
	}
	var found []finding.Finding
	for _, value := range order {
		at := spots[value]
		slices.SortStableFunc(at, func(a, b spot) int { return int(a.cell.cluster) - int(b.cell.cluster) })
		at = slices.CompactFunc(at, func(a, b spot) bool { return a.cell.cluster == b.cell.cluster })
		if len(at) > 1 {
			found = append(found, c.shared(g, value, at))
		}
	}
	slices.SortFunc(found, func(a, b finding.Finding) int { return strings.Compare(a.Message, b.Message) })
	for _, f := range found {
		c.out.add(f)
	}
}

// shared is the finding of a value that several clusters hold.
func (c *comparer) shared(g keypath.Glob, value uint32, at []spot) finding.Finding {
	f := finding.Finding{Rule: Unique, Path: g.String()}
	if !slices.ContainsFunc(at, func(s spot) bool { return s.path != at[0].path }) {
		f.Path = keypath.Format(segmentsOf(c.nodes, at[0].path))
	}
	h := finding.Holding{Value: shorten(c.shortText(value))}
	for _, s := range at {
		h.Places = append(h.Places, finding.Place{Cluster: c.opts.Clusters[s.cell.cluster], Position: c.place(s.path, s.cell.cluster)})
	}
	f.Holdings = []finding.Holding{h}
	f.Message = fmt.Sprintf("expected a value of its own in every cluster, found %s in %s", h.Value, names(h.Places))
	f.Fix = fmt.Sprintf("give all but one of them another value, or take %s off spec.unique in %s", g, c.opts.GateFile)
	return f
}

// nothingAt is the finding of a rule that has nothing to look at: a path that
// is misspelled must not make it hold.
func (c *comparer) nothingAt(rule string, g keypath.Glob, paths []uint32) finding.Finding {
	found := "that no cluster sets it"
	if len(paths) > 0 {
		found = "a map, a list or nothing in every cluster"
	}
	f := finding.Finding{
		Rule: rule, Path: g.String(), Message: "expected a single value there, found " + found,
		Fix: fmt.Sprintf("correct the path in spec.%s of %s: `syncgate explain` tells what there is", rule, c.opts.GateFile),
	}
	h := finding.Holding{Missing: true}
	for i, name := range c.opts.Clusters {
		h.Places = append(h.Places, finding.Place{Cluster: name, Position: finding.Position{File: c.opts.Files[i]}})
	}
	f.Holdings = []finding.Holding{h}
	return f
}
