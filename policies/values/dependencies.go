package values

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v3/pkg/chart"
)

// instance is a copy of c that may be changed for one rendering.
func (c *Chart) instance() *Chart {
	if len(c.deps) == 0 && c.md.Dependencies == nil {
		return c
	}
	out := *c
	md := *c.md
	out.md = &md
	if c.md.Dependencies != nil {
		md.Dependencies = make([]*chart.Dependency, 0, len(c.md.Dependencies))
		for _, d := range c.md.Dependencies {
			if d == nil {
				continue
			}
			copied := *d
			md.Dependencies = append(md.Dependencies, &copied)
		}
	}
	out.deps = make([]*Chart, len(c.deps))
	for i, d := range c.deps {
		out.deps[i] = d.instance()
	}
	return &out
}

// processDependencies is Helm's ProcessDependenciesWithMerge.
func (c *Chart) processDependencies(user *Node) error {
	if err := c.switchDependencies(user, ""); err != nil {
		return err
	}
	return c.importAll()
}

// switchDependencies gives dependencies their aliases and takes out those that
// a condition or a tag switches off. path is that of c in the values, with a
// dot at its end.
func (c *Chart) switchDependencies(user *Node, path string) error {
	if c.md.Dependencies == nil {
		return nil
	}
	c.applyAliases()
	for _, r := range c.md.Dependencies {
		r.Enabled = true
	}
	merged, err := c.coalesceValues(user)
	if err != nil {
		return err
	}
	if err := switchByTags(c.md.Dependencies, merged); err != nil {
		return err
	}
	if err := switchByConditions(c.md.Dependencies, merged, path); err != nil {
		return err
	}
	off := map[string]bool{}
	var kept []*chart.Dependency
	for _, r := range c.md.Dependencies {
		if !r.Enabled {
			off[r.Name] = true
		}
	}
	for _, r := range c.md.Dependencies {
		if !off[r.Name] {
			kept = append(kept, r)
		}
	}
	var on []*Chart
	for _, d := range c.deps {
		if !off[d.md.Name] {
			on = append(on, d)
		}
	}
	for _, d := range on {
		if err := d.switchDependencies(merged, path+d.md.Name+"."); err != nil {
			return err
		}
	}
	c.md.Dependencies, c.deps = kept, on
	return nil
}

// applyAliases makes one subchart of each entry in Chart.yaml's dependencies
// that has its chart in charts/, beside the subcharts no entry speaks of.
func (c *Chart) applyAliases() {
	var deps []*Chart
	for _, d := range c.deps {
		if !c.mentions(d) {
			deps = append(deps, d)
		}
	}
	for _, req := range c.md.Dependencies {
		for _, d := range c.deps {
			if d.md.Name != req.Name || !compatible(req.Version, d.md.Version) {
				continue
			}
			out, md := *d, *d.md
			out.md = &md
			if req.Alias != "" {
				md.Name = req.Alias
			}
			deps = append(deps, &out)
			break
		}
		if req.Alias != "" {
			req.Name = req.Alias
		}
	}
	c.deps = deps
}

func (c *Chart) mentions(d *Chart) bool {
	for _, req := range c.md.Dependencies {
		if d.md.Name == req.Name && compatible(req.Version, d.md.Version) {
			return true
		}
	}
	return false
}

func compatible(constraint, version string) bool {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	c, err := semver.NewConstraint(constraint)
	return err == nil && c.Check(v)
}

func switchByTags(reqs []*chart.Dependency, merged *Node) error {
	tags := merged.Get("tags")
	if tags == nil || tags.Kind != Map {
		return nil
	}
	for _, r := range reqs {
		var on, off bool
		for _, tag := range r.Tags {
			v := tags.Get(tag)
			switch {
			case v == nil:
			case v.Unknown:
				return unknownSwitch(v, "tags."+tag, r)
			case v.Kind == Bool:
				on, off = on || v.Num != 0, off || v.Num == 0
			}
		}
		r.Enabled = on || !off
	}
	return nil
}

// unknownSwitch is the error where it cannot be told whether a subchart is on.
func unknownSwitch(v *Node, key string, r *chart.Dependency) error {
	return &Error{
		Position: v.Position(), Key: key,
		Problem: fmt.Sprintf("expected a boolean that switches subchart %q, found %s, which cannot be read in Git", r.Name, v.Text),
		Remedy:  "set it in plain values",
	}
}

// switchByConditions takes the first condition that names a boolean.
func switchByConditions(reqs []*chart.Dependency, merged *Node, path string) error {
	for _, r := range reqs {
		for _, condition := range strings.Split(strings.TrimSpace(r.Condition), ",") {
			if condition == "" {
				continue
			}
			v := merged.lookup(path + condition)
			if v != nil && v.Unknown {
				return unknownSwitch(v, path+condition, r)
			}
			if v != nil && v.Kind == Bool {
				r.Enabled = v.Num != 0
				break
			}
		}
	}
	return nil
}

// lookup finds a value by a path with dots, nil when there is none.
func (n *Node) lookup(path string) *Node {
	for _, key := range strings.Split(path, ".") {
		if n == nil || n.Kind != Map {
			return nil
		}
		n = n.Get(key)
	}
	return n
}

// importAll brings values from children to parents, the deepest first.
func (c *Chart) importAll() error {
	for _, d := range c.deps {
		if err := d.importAll(); err != nil {
			return err
		}
	}
	return c.importValues()
}

func (c *Chart) importValues() error {
	if c.md.Dependencies == nil {
		return nil
	}
	defaults, err := c.coalesce(&Node{Kind: Map, File: c.file}, true)
	if err != nil {
		return err
	}
	imported := &Node{Kind: Map, File: c.file}
	for _, r := range c.md.Dependencies {
		for _, entry := range r.ImportValues {
			child, parent, ok := importOf(entry)
			if !ok {
				continue
			}
			table := defaults.lookup(r.Name + "." + child)
			if table == nil || table.Kind != Map {
				continue
			}
			fillTable(imported, wrap(parent, table), true)
		}
		r.ImportValues = nil
	}
	c.values = defaults.deep()
	fillTable(c.values, imported, true)
	return nil
}

// importOf reads an entry of import-values: a name under the child's exports,
// or a pair of paths.
func importOf(entry any) (child, parent string, ok bool) {
	switch e := entry.(type) {
	case string:
		return "exports." + e, ".", true
	case map[string]any:
		return fmt.Sprint(e["child"]), fmt.Sprint(e["parent"]), true
	}
	return "", "", false
}

// wrap puts a table at a path with dots into new maps; "." is the table itself.
func wrap(path string, table *Node) *Node {
	if len(table.Fields) == 0 {
		table = &Node{Kind: Map, File: table.File, Line: table.Line, Column: table.Column}
	}
	if path == "." {
		return table
	}
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		outer := &Node{Kind: Map, File: table.File, Line: table.Line, Column: table.Column}
		outer.add(keys[i], table)
		table = outer
	}
	return table
}
