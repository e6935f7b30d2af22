package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
	"github.com/syncgate/syncgate/policies/version"
)

// SkewRule lets clusters hold different versions at the paths of a glob.
type SkewRule struct {
	Path keypath.Glob
	// Versions is how many different ones there may be.
	Versions int
	// Apart is how far neighbours may be apart, one of version.Apart….
	Apart string
	// Oldest is the oldest version there may be, nil for any.
	Oldest *version.Version
}

// skew reports paths at which the versions of clusters are too far apart.
func (c *comparer) skew() {
	if len(c.opts.Skew) == 0 || len(c.clusters) == 0 {
		return
	}
	globs := make([]keypath.Glob, len(c.opts.Skew))
	for i, s := range c.opts.Skew {
		globs[i] = s.Path
	}
	for i, paths := range c.matches(globs) {
		looked := false
		for _, p := range paths {
			groups, _ := c.group(p, nil)
			if !slices.ContainsFunc(groups, func(g group) bool { return c.isSingle(g.value) }) {
				continue
			}
			looked = true
			if g := c.missing(p, nil); len(g.cells) > 0 {
				g.cells = slices.DeleteFunc(g.cells, func(at cell) bool { return c.mayLack(globs[i], p, at.cluster) })
				if len(g.cells) > 0 {
					groups = append(groups, g)
				}
			}
			c.judgeSkew(c.opts.Skew[i], p, groups)
		}
		if !looked {
			c.out.add(c.nothingAt(Skew, globs[i], paths))
		}
	}
}

// isSingle reports whether a value is a scalar that says something.
func (c *comparer) isSingle(value uint32) bool { return !c.bears(value) && !c.isNothing(value) }

// mayLack reports whether a cluster may have nothing at a path that a glob of
// several names: it lacks something above too, and that may differ. A path that
// is spelled out is asked of every cluster.
func (c *comparer) mayLack(g keypath.Glob, path, cluster uint32) bool {
	if _, exact := g.Exact(); exact {
		return false
	}
	for p := c.nodes[path].parent; p != 0 && c.find(p, cluster) == nil; p = c.nodes[p].parent {
		if matchAny(c.opts.PerCluster, segmentsOf(c.nodes, p)) {
			return true
		}
	}
	return false
}

// held is one version and who holds it.
type held struct {
	shown
	version version.Version
	known   bool
}

// judgeSkew makes a finding when the versions at a path are too many, too far
// apart, too old, or none: a cluster without a version is not compared by any
// other rule there.
func (c *comparer) judgeSkew(s SkewRule, path uint32, groups []group) {
	all := make([]held, len(groups))
	for i, g := range groups {
		all[i].shown = c.show(path, g)
		if c.isSingle(g.value) {
			all[i].version, all[i].known = version.Parse(c.scalarOf(g.value))
		}
	}
	slices.SortFunc(all, func(a, b held) int {
		switch {
		case a.known && !b.known:
			return -1
		case !a.known && b.known:
			return 1
		case a.known:
			if n := a.version.Compare(b.version); n != 0 {
				return n
			}
		}
		return cmp.Or(strings.Compare(a.value, b.value), len(a.places)-len(b.places))
	})
	problems := s.problems(all)
	if len(problems) == 0 {
		return
	}
	f := c.finding(Skew, path)
	f.Message = s.wish() + ", found " + strings.Join(problems, "; ")
	f.Fix = "bring the clusters that are behind to a version beside the newest, one step at a time"
	if slices.ContainsFunc(all, func(h held) bool { return !h.known }) {
		f.Fix = `write a version there, "1.2.3" or "1.2.3@sha256:…"`
	}
	if slices.ContainsFunc(all, func(h held) bool { return h.missing }) {
		f.Fix += "; where a cluster may lack it, name the path with a star, and in perCluster what it lacks above"
	}
	for _, h := range all {
		f.Holdings = append(f.Holdings, finding.Holding{Value: h.value, Missing: h.missing, Places: h.places})
	}
	c.out.add(f)
}

// wish is what the rule asks for, in words.
func (s SkewRule) wish() string {
	text := fmt.Sprintf("expected at most %d neighbouring versions (%s)", s.Versions, s.Apart)
	if s.Oldest != nil {
		text += ", none older than " + s.Oldest.Text
	}
	return text
}

// problems are what is wrong with the versions, which are sorted.
func (s SkewRule) problems(all []held) []string {
	var out []string
	for _, h := range all {
		switch {
		case h.missing:
			out = append(out, fmt.Sprintf("nothing in %s, where a version is expected", names(h.places)))
		case h.unknown:
			out = append(out, fmt.Sprintf("%s in %s, which cannot be read in Git", h.value, names(h.places)))
		case !h.known:
			out = append(out, fmt.Sprintf("%s in %s, which is no version", h.value, names(h.places)))
		}
	}
	known := slices.DeleteFunc(slices.Clone(all), func(h held) bool { return !h.known })
	if len(known) > s.Versions {
		list := make([]string, 0, maxNamed)
		for _, h := range known[:min(len(known), maxNamed)] {
			list = append(list, h.value)
		}
		if len(known) > maxNamed {
			list = append(list, fmt.Sprintf("%d more", len(known)-maxNamed))
		}
		out = append(out, fmt.Sprintf("%d: %s", len(known), strings.Join(list, ", ")))
	}
	for i, h := range known {
		if s.Oldest != nil && h.version.Compare(*s.Oldest) < 0 {
			out = append(out, h.value+" in "+names(h.places))
		}
		if i > 0 && !version.Neighbours(known[i-1].version, h.version, s.Apart) {
			out = append(out, fmt.Sprintf("%s in %s and next %s in %s, which are no neighbours",
				known[i-1].value, names(known[i-1].places), h.value, names(h.places)))
		}
	}
	return out
}

// scalarOf is a scalar as a template would write it; "" for a secret one.
func (c *comparer) scalarOf(value uint32) string {
	d := c.datums[value]
	if d.hidden || d.unknown {
		return ""
	}
	if d.kind == values.String {
		return d.text
	}
	return c.shortText(value)
}
