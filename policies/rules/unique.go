package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
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
	spots, unknown := map[string][]spot{}, map[string][]spot{}
	for _, p := range paths {
		for _, at := range c.column(p) {
			value := c.row(at).value
			switch {
			case c.bears(kindOf(value)), c.isNothing(value):
			case c.isUnknown(value):
				text := c.shortText(value)
				unknown[text] = append(unknown[text], spot{p, at})
			default:
				text := c.sameText(value)
				spots[text] = append(spots[text], spot{p, at})
			}
		}
	}
	if len(spots)+len(unknown) == 0 {
		c.out.add(c.nothingAt(Unique, g, paths))
		return
	}
	var found []finding.Finding
	if len(unknown) > 0 && len(c.clusters) > 1 {
		found = append(found, c.untold(g, unknown))
	}
	for _, at := range spots {
		slices.SortStableFunc(at, func(a, b spot) int { return int(a.cell.cluster) - int(b.cell.cluster) })
		at = slices.CompactFunc(at, func(a, b spot) bool { return a.cell.cluster == b.cell.cluster })
		if len(at) > 1 {
			found = append(found, c.shared(g, at))
		}
	}
	slices.SortFunc(found, func(a, b finding.Finding) int {
		return cmp.Or(strings.Compare(a.Message, b.Message), strings.Compare(a.Path, b.Path))
	})
	for _, f := range found {
		c.out.add(f)
	}
}

// sameText is the same for scalars that name the same thing: a template writes 1
// and "1" alike, and names of hosts and buckets are the same in either case.
// Values that two clusters may hold all the same can be waived.
func (c *comparer) sameText(value uint32) string {
	d := c.datums[value]
	switch {
	case d.hidden:
		return "hash " + d.text
	case d.kind == values.String:
		return "text " + strings.ToLower(d.text)
	default:
		return "text " + strings.ToLower(c.shortText(value))
	}
}

// shared is the finding of a value that several clusters hold.
func (c *comparer) shared(g keypath.Glob, at []spot) finding.Finding {
	f := finding.Finding{Rule: Unique, Path: g.String()}
	if !slices.ContainsFunc(at, func(s spot) bool { return s.path != at[0].path }) {
		f.Path = keypath.Format(segmentsOf(c.nodes, at[0].path))
	}
	var h finding.Holding
	var written []string
	for _, s := range at {
		if text := shorten(c.shortText(c.row(s.cell).value)); !slices.Contains(written, text) && len(written) < maxNamed {
			written = append(written, text)
		}
		h.Places = append(h.Places, finding.Place{Cluster: c.opts.Clusters[s.cell.cluster], Position: c.place(s.path, s.cell.cluster)})
	}
	slices.Sort(written) // the order of clusters means nothing
	h.Value = strings.Join(written, " or ")
	f.Holdings = []finding.Holding{h}
	f.Message = fmt.Sprintf("expected a value of its own in every cluster, found %s in %s", h.Value, names(h.Places))
	f.Fix = fmt.Sprintf("give all but one of them another value, or take %s off spec.unique in %s", g, c.opts.GateFile)
	return f
}

// untold is the finding of values that cannot be read in Git: they may be those of
// other clusters.
func (c *comparer) untold(g keypath.Glob, unknown map[string][]spot) finding.Finding {
	f := finding.Finding{Rule: Unique, Path: g.String()}
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(unknown)) {
		h := finding.Holding{Value: shorten(text)}
		for _, s := range unknown[text] {
			h.Places = append(h.Places, finding.Place{Cluster: c.opts.Clusters[s.cell.cluster], Position: c.place(s.path, s.cell.cluster)})
		}
		f.Holdings = append(f.Holdings, h)
		parts = append(parts, h.Value+" in "+names(h.Places))
	}
	f.Message = "expected a value of its own in every cluster, found what cannot be read in Git: " + strings.Join(parts, "; ")
	f.Fix = fmt.Sprintf("set it in plain values, or take %s off spec.unique in %s", g, c.opts.GateFile)
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
