package values

import (
	"fmt"

	"github.com/syncgate/syncgate/policies/finding"
)

// globalKey is the map that a chart hands down to its subcharts.
const globalKey = "global"

// Overlay merges values files, later ones over earlier ones, as Helm merges
// its --values: maps are merged, everything else is replaced, null stays null.
// The files are not changed; the result shares their nodes.
func Overlay(files ...*Node) *Node {
	switch len(files) {
	case 0:
		return emptyMap("")
	case 1:
		return files[0]
	}
	base := files[0]
	for _, f := range files[1:] {
		base = overlay(base, f)
	}
	return base
}

func overlay(a, b *Node) *Node {
	out := a.shallow()
	out.File, out.Line, out.Column = b.File, b.Line, b.Column
	for _, f := range b.Fields {
		if below := out.Get(f.Key); below != nil && below.Kind == Map && f.Value.Kind == Map {
			out.set(f.Key, overlay(below, f.Value))
			continue
		}
		out.set(f.Key, f.Value)
	}
	return out
}

// Merge lays the values of the user over the defaults of the chart and of its
// subcharts, as Helm does before it renders: dependencies are switched by
// their conditions and tags, child values imported, globals handed down, and
// null takes a default away. Neither c nor user is changed.
func (c *Chart) Merge(user *Node) (*Node, error) {
	c = c.instance()
	if err := c.processDependencies(user); err != nil {
		return nil, err
	}
	return c.coalesceValues(user)
}

// coalesceValues is Helm's CoalesceValues.
func (c *Chart) coalesceValues(user *Node) (*Node, error) {
	return c.coalesce(user.deep(), false)
}

// coalesce fills dest, which is private to the caller, from the defaults of c
// and its subcharts. With keepNull, null takes nothing away.
func (c *Chart) coalesce(dest *Node, keepNull bool) (*Node, error) {
	c.fill(dest, keepNull)
	for _, sub := range c.deps {
		name := sub.md.Name
		below := dest.Get(name)
		switch {
		case below == nil:
			below = &Node{Kind: Map, File: sub.file}
			dest.set(name, below)
		case below.Kind != Map:
			return nil, &Error{
				Position: below.Position(), Key: name,
				Problem: fmt.Sprintf("expected a map of values for subchart %q, found %s", name, below.Kind),
				Remedy:  "give a map, or leave the key out",
			}
		}
		handDown(below, dest)
		if _, err := sub.coalesce(below, keepNull); err != nil {
			return nil, err
		}
	}
	return dest, nil
}

// fill copies the chart's own defaults to where dest has nothing.
func (c *Chart) fill(dest *Node, keepNull bool) {
	for _, f := range c.values.Fields {
		value := dest.Get(f.Key)
		switch {
		case value == nil:
			dest.set(f.Key, f.Value.deep())
		case value.Kind == Null && !keepNull:
			dest.remove(f.Key)
		case value.Kind == Map && f.Value.Kind == Map:
			fillTable(value, f.Value.deep(), keepNull || c.hasDependency(f.Key))
		}
	}
}

func (c *Chart) hasDependency(name string) bool {
	for _, d := range c.deps {
		if d.md.Name == name {
			return true
		}
	}
	return false
}

// fillTable merges src into dst, which wins. It changes both: a null of dst is
// noted in src, and maps of src may become part of dst, as in Helm.
func fillTable(dst, src *Node, keepNull bool) {
	for _, f := range dst.Fields {
		if f.Value.Kind == Null {
			src.set(f.Key, &Node{Kind: Null, File: f.Value.File, Line: f.Value.Line, Column: f.Value.Column})
		}
	}
	fields := src.Fields
	if dst == src {
		fields = append([]Field(nil), fields...)
	}
	for _, f := range fields {
		value := dst.Get(f.Key)
		switch {
		case value == nil:
			dst.add(f.Key, f.Value)
		case value.Kind == Null && !keepNull:
			dst.remove(f.Key)
		case value.Kind == Map && f.Value.Kind == Map:
			fillTable(value, f.Value, keepNull)
		}
	}
}

// handDown merges the globals of a chart into those of its subchart, the
// chart's winning. Maps inside a global map are shared between the two, as in
// Helm, where a subchart's defaults for them reach the chart above.
func handDown(sub, chart *Node) {
	below, above := sub.Get(globalKey), chart.Get(globalKey)
	if below == nil {
		below = &Node{Kind: Map, File: sub.File, Line: sub.Line, Column: sub.Column}
	}
	if above == nil {
		above = &Node{Kind: Map}
	}
	if below.Kind != Map || above.Kind != Map {
		return
	}
	if above.File != "" && len(below.Fields) == 0 {
		below.File, below.Line, below.Column = above.File, above.Line, above.Column
	}
	for _, f := range above.Fields {
		old := below.Get(f.Key)
		switch {
		case f.Value.Kind == Map:
			merged := f.Value.shallow()
			if old != nil && old.Kind != Map {
				continue
			}
			if old != nil {
				fillTable(merged, old, true)
			}
			below.set(f.Key, merged)
		case old != nil && old.Kind == Map:
		default:
			below.set(f.Key, f.Value)
		}
	}
	sub.set(globalKey, below)
}

// Count is the number of values in n, n and its maps and lists included.
func (n *Node) Count() int {
	count := 1
	for _, f := range n.Fields {
		count += f.Value.Count()
	}
	for _, item := range n.Items {
		count += item.Count()
	}
	return count
}

// CheckSize holds merged values against the limits.
func (n *Node) CheckSize(limits Limits) error {
	limits = limits.WithDefaults()
	if n.Count() > limits.Leaves {
		return limitError(finding.Position{File: n.File}, "", "leaves", limits.Leaves, "the merged values of the cluster are more")
	}
	return nil
}
