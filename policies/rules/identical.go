package rules

import (
	"slices"

	"github.com/syncgate/syncgate/policies/values"
)

// comparer holds the clusters against each other.
type comparer struct {
	*table
	opts Options
	out  *collector
}

// subset is some of the clusters; nil is all of them.
type subset struct {
	in   []bool
	size int
}

func (s *subset) has(cluster uint32) bool { return s == nil || s.in[cluster] }

// group is the clusters that hold one value.
type group struct {
	value uint32 // without what kindOf takes away; noValue: missing
	cells []cell // for a missing value only cluster is set
}

// identical compares all clusters from the root down.
func (c *comparer) identical() {
	if !c.dirty[0] || len(c.clusters) < 2 {
		return
	}
	c.index()
	for _, child := range c.children[0] {
		c.compare(child, nil)
	}
}

func (c *comparer) active(s *subset) int {
	if s == nil {
		return len(c.clusters)
	}
	return s.size
}

// compare reports where the clusters of s differ at a path, or else below it.
func (c *comparer) compare(path uint32, s *subset) {
	if !c.dirty[path] || s != nil && s.size < 2 {
		return
	}
	if s == nil && !c.mixed[path] && int(c.count[path]) == len(c.clusters) {
		c.below(path, s)
		return
	}
	if c.nodes[path].allowed && len(c.children[path]) == 0 {
		return
	}
	groups, present := c.group(path, s)
	switch missing := present < c.active(s); {
	case present == 0, len(groups) == 1 && !missing:
		c.below(path, s)
	case c.nodes[path].allowed:
		for _, g := range groups {
			c.below(path, c.subsetOf(g))
		}
	case len(groups) == 1 && c.bears(groups[0].value):
		// Some have the map, some have nothing. When what all holders have
		// below may not differ, the map itself is what is missing.
		if len(c.children[path]) > 0 && !c.strictBelow(path, c.subsetOf(groups[0])) {
			c.below(path, s)
			return
		}
		c.report(path, groups, s)
		c.below(path, c.subsetOf(groups[0]))
	case c.onlyLists(groups) && !c.strictBelow(path, nil):
		// Lists of different lengths whose every item may differ.
	default:
		c.report(path, groups, s)
		c.below(path, c.subsetOf(c.largest(groups)))
	}
}

func (c *comparer) below(path uint32, s *subset) {
	for _, child := range c.children[path] {
		c.compare(child, s)
	}
}

// group parts the clusters of s by what they hold at a path, those that hold
// nothing left out. The order is that of the values' numbers.
func (c *comparer) group(path uint32, s *subset) (groups []group, present int) {
	at := map[uint32]int{}
	for _, cell := range c.column(path) {
		if !s.has(cell.cluster) {
			continue
		}
		present++
		value := kindOf(c.row(cell).value)
		i, ok := at[value]
		if !ok {
			i = len(groups)
			at[value] = i
			groups = append(groups, group{value: value})
		}
		groups[i].cells = append(groups[i].cells, cell)
	}
	return groups, present
}

// bears reports whether there may be paths below a value.
func (c *comparer) bears(value uint32) bool {
	return value == mapValue || value == listValue || c.isPlainList(value)
}

func (c *comparer) isPlainList(value uint32) bool {
	return value >= firstFree && c.datums[value].kind == values.List
}

func (c *comparer) onlyLists(groups []group) bool {
	return !slices.ContainsFunc(groups, func(g group) bool { return !c.isPlainList(g.value) })
}

// largest is the largest group below which there is something to compare; of
// equal ones the one whose text comes first.
func (c *comparer) largest(groups []group) group {
	var best group
	for _, g := range groups {
		if !c.bears(g.value) {
			continue
		}
		if len(g.cells) > len(best.cells) || len(g.cells) == len(best.cells) && c.shortText(g.value) < c.shortText(best.value) {
			best = g
		}
	}
	return best
}

func (c *comparer) subsetOf(g group) *subset {
	s := &subset{in: make([]bool, len(c.clusters)), size: len(g.cells)}
	for _, cell := range g.cells {
		s.in[cell.cluster] = true
	}
	return s
}

// strictBelow reports whether below a path there is a leaf that may not differ
// and that, with s, every cluster of s has.
func (c *comparer) strictBelow(path uint32, s *subset) bool {
	for _, child := range c.children[path] {
		if c.strictBelow(child, s) {
			return true
		}
		if c.nodes[child].allowed {
			continue
		}
		held, leaves := 0, 0
		for _, cell := range c.column(child) {
			if !s.has(cell.cluster) {
				continue
			}
			held++
			if c.isLeaf(c.row(cell).value) {
				leaves++
			}
		}
		if leaves > 0 && (s == nil || held == s.size) {
			return true
		}
	}
	return false
}

// isLeaf reports whether nothing is below a value.
func (c *comparer) isLeaf(value uint32) bool {
	if c.isPlainList(value) {
		return c.datums[value].num == 0
	}
	return value != mapValue && value != listValue
}

// missing is the group of the clusters of s that hold nothing at a path.
func (c *comparer) missing(path uint32, s *subset) group {
	var g group
	column := c.column(path)
	for i := range c.clusters {
		cluster := uint32(i)
		if len(column) > 0 && column[0].cluster == cluster {
			column = column[1:]
			continue
		}
		if s.has(cluster) {
			g.cells = append(g.cells, cell{cluster: cluster})
		}
	}
	return g
}

// report makes a finding of the groups at a path.
func (c *comparer) report(path uint32, groups []group, s *subset) {
	if c.out.full() {
		c.out.more++
		return
	}
	if g := c.missing(path, s); len(g.cells) > 0 {
		groups = append(groups, g)
	}
	shown := make([]shown, 0, len(groups))
	for _, g := range groups {
		shown = append(shown, c.show(path, g))
	}
	c.tellApart(groups, shown)
	sortShown(shown)
	c.out.add(c.differ(path, shown))
}
