package gate

import (
	"go.yaml.in/yaml/v4"
)

// checkPreset is the body of a check that a pack has.
func (d *decoder) checkPreset(use string) (*yaml.Node, error) {
	p, err := d.loader.FindPreset(use)
	return &p.Check, err
}

// guardPreset is the body of a guard that a pack has.
func (d *decoder) guardPreset(use string) (*yaml.Node, error) {
	p, err := d.loader.FindGuard(use)
	return &p.Guard, err
}

// withPreset is an entry laid over the preset it uses. Every mistake in what
// comes from the preset is placed where the preset is named.
func (d *decoder) withPreset(entry *yaml.Node, field string, find func(use string) (*yaml.Node, error)) *yaml.Node {
	use := child(entry, "use")
	if use == nil || use.Kind != yaml.ScalarNode || isNull(use) {
		return entry
	}
	preset, err := find(use.Value)
	if err != nil {
		d.fail(use, join(field, "use"), err.Error(), "name a preset that there is")
		return entry
	}
	return overlay(placed(preset, use), entry)
}

// readPacks reads the packs that the Gate names, before the checks that may use
// their presets. What is wrong with one is told where it is named.
func (d *decoder) readPacks(root *yaml.Node) {
	spec := child(root, "spec")
	if spec == nil {
		return
	}
	list := child(spec, "packs")
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for _, word := range list.Content {
		_, _ = d.loader.Load(word.Value)
	}
}

func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// placed is a copy of n that stands where at does.
func placed(n, at *yaml.Node) *yaml.Node {
	c := *n
	c.Line, c.Column = at.Line, at.Column
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, inner := range n.Content {
		c.Content[i] = placed(inner, at)
	}
	return &c
}

// overlay merges two maps, over's fields winning; keys that over has twice
// stay twice.
func overlay(under, over *yaml.Node) *yaml.Node {
	out := *over
	out.Content = nil
	for i := 0; i+1 < len(under.Content); i += 2 {
		if child(over, under.Content[i].Value) == nil {
			out.Content = append(out.Content, under.Content[i], under.Content[i+1])
		}
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		if below := child(under, key.Value); below != nil && below.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
			value = overlay(below, value)
		}
		out.Content = append(out.Content, key, value)
	}
	return &out
}
