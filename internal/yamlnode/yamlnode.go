// Package yamlnode looks into parsed YAML as its readers do: through aliases and
// merge keys.
package yamlnode

import "go.yaml.in/yaml/v4"

// Follow is the node that an alias stands for, or n itself.
func Follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// Find is the value at a path of keys, nil when there is none.
func Find(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n = lookup(n, key, 0); n == nil {
			return nil
		}
	}
	return n
}

// maxMerges is how deep merge keys may refer to each other.
const maxMerges = 20

// lookup is the value of key in the mapping n, also one that a merge key
// brings in.
func lookup(n *yaml.Node, key string, depth int) *yaml.Node {
	if n = Follow(n); n.Kind != yaml.MappingNode || depth > maxMerges {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch k := n.Content[i]; {
		case k.Value == key && k.Tag != "!!merge":
			return Follow(n.Content[i+1])
		case k.Tag == "!!merge":
			for _, from := range mergeSources(n.Content[i+1]) {
				if merged == nil {
					merged = lookup(from, key, depth+1)
				}
			}
		}
	}
	return merged
}

func mergeSources(n *yaml.Node) []*yaml.Node {
	if n = Follow(n); n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}
