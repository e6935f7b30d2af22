package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// required reports the required paths that a cluster does not set.
func (c *comparer) required() {
	if len(c.opts.Required) == 0 || len(c.clusters) == 0 {
		return
	}
	matches := c.matches(c.opts.Required)
	for i, g := range c.opts.Required {
		c.require(g, matches[i])
	}
}

// matches are, for each glob, the paths that it names and a cluster has.
func (c *comparer) matches(globs []keypath.Glob) [][]uint32 {
	c.index()
	matches := make([][]uint32, len(globs))
	for p := 1; p < len(c.nodes); p++ {
		segments := segmentsOf(c.nodes, uint32(p))
		for i, g := range globs {
			if g.Match(segments) {
				matches[i] = append(matches[i], uint32(p))
			}
		}
	}
	for _, paths := range matches {
		slices.SortFunc(paths, func(a, b uint32) int {
			return slices.Compare(segmentsOf(c.nodes, a), segmentsOf(c.nodes, b))
		})
	}
	return matches
}

// require asks of every cluster that it has one of the paths, and that those
// it has are not empty.
func (c *comparer) require(g keypath.Glob, paths []uint32) {
	set := make([]bool, len(c.clusters))
	empty := make([]*spot, len(c.clusters))
	for _, p := range paths {
		for _, cell := range c.column(p) {
			set[cell.cluster] = true
			if c.isNothing(c.row(cell).value) && empty[cell.cluster] == nil {
				empty[cell.cluster] = &spot{p, cell}
			}
		}
	}
	var missing []finding.Place
	without := map[string][]finding.Place{} // by what stands there
	for i, name := range c.opts.Clusters {
		place := finding.Place{Cluster: name, Position: finding.Position{File: c.opts.Files[i]}}
		switch at := empty[i]; {
		case !set[i]:
			missing = append(missing, place)
		case at != nil:
			r := c.row(at.cell)
			place.Position = finding.Position{File: c.files[r.file], Line: int(r.line), Column: int(r.column)}
			text := c.text(at.path, at.cell, maxValue)
			without[text] = append(without[text], place)
		}
	}
	if len(missing)+len(without) == 0 {
		return
	}
	f := finding.Finding{Rule: Required, Path: g.String()}
	var parts []string
	if len(missing) > 0 {
		f.Holdings = append(f.Holdings, finding.Holding{Missing: true, Places: missing})
		parts = append(parts, "not set in "+names(missing))
	}
	for _, text := range slices.Sorted(maps.Keys(without)) {
		f.Holdings = append(f.Holdings, finding.Holding{Value: text, Places: without[text]})
		parts = append(parts, text+" in "+names(without[text]))
	}
	f.Message = "expected a value in every cluster, found " + strings.Join(parts, "; ")
	f.Fix = fmt.Sprintf("set %s there, or take it off spec.required in %s", g, c.opts.GateFile)
	c.out.add(f)
}

// isNothing reports whether a value is null or empty.
func (c *comparer) isNothing(value uint32) bool {
	if value < firstFree {
		return value == emptyMap || value == emptyList
	}
	d := c.datums[value]
	switch d.kind {
	case values.Null:
		return true
	case values.String:
		return d.text == ""
	case values.List:
		return d.num == 0
	default:
		return false
	}
}

// listKeyFindings reports items of keyed lists that cannot be told apart.
func (f *Fleet) listKeyFindings(t *table, out *collector) {
	type problem struct {
		list     uint32
		key, why string
	}
	places := map[problem][]finding.Place{}
	var order []problem
	for i, name := range f.opts.Clusters {
		for _, w := range f.workers {
			for _, o := range w.odd {
				if o.cluster != i {
					continue
				}
				p := problem{o.list, o.key, o.problem}
				if places[p] == nil {
					order = append(order, p)
				}
				places[p] = append(places[p], finding.Place{Cluster: name, Position: o.at})
			}
		}
	}
	for _, p := range order {
		path := keypath.Format(segmentsOf(t.nodes, p.list))
		out.add(finding.Finding{
			Rule: ListKeys, Path: path,
			Message:  fmt.Sprintf("expected items that %s tells apart, found in %s that %s", p.key, names(places[p]), p.why),
			Fix:      fmt.Sprintf("give every item its own %s, or take the list key for %s out of %s", p.key, path, f.opts.GateFile),
			Holdings: []finding.Holding{{Value: p.why, Places: places[p]}},
		})
	}
}
