package values

// Layer is the defaults of a chart or of one of its subcharts, before anything
// is merged.
type Layer struct {
	// Subchart is the subchart's path in the values, "postgres.metrics"; empty
	// for the chart itself.
	Subchart string
	// Values are its defaults where they stand in the values of the chart. They
	// are shared and must not be changed.
	Values *Node
}

// Layers are the defaults that Merge lays below the values of the user, the
// weakest first. Subcharts that a condition or a tag switches off are not among
// them, and each alias is a subchart of its own.
func (c *Chart) Layers(user *Node) ([]Layer, error) {
	c = c.instance()
	if err := c.switchDependencies(user, ""); err != nil {
		return nil, err
	}
	return c.layers(nil, nil), nil
}

// layers appends those of c's subcharts, then c's own. path are the names of
// the charts from below the top down to c.
func (c *Chart) layers(list []Layer, path []string) []Layer {
	for _, d := range c.deps {
		list = d.layers(list, append(path[:len(path):len(path)], d.md.Name))
	}
	layer := Layer{Values: c.values}
	for i := len(path) - 1; i >= 0; i-- {
		outer := &Node{Kind: Map, File: c.values.File}
		outer.add(path[i], layer.Values)
		layer.Values = outer
		if layer.Subchart != "" {
			layer.Subchart = "." + layer.Subchart
		}
		layer.Subchart = path[i] + layer.Subchart
	}
	return append(list, layer)
}
