package render

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// kindName is what n is, for people. It never shows the value, which may be a
// secret.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return "a single value"
	default:
		return "something else"
	}
}

// nodeWalk looks at every node of a document once.
type nodeWalk struct {
	doc   document
	limit int
	// size is how many nodes a node stands for when its aliases are written
	// out; -1 while it is being counted.
	size map[*yaml.Node]int
	// expanded is how many nodes all aliases so far stand for.
	expanded int
	// depth is how deep the node that is visited lies.
	depth int
}

// visit returns how many nodes n stands for.
func (w *nodeWalk) visit(n *yaml.Node) (int, error) {
	if n.Kind == yaml.AliasNode {
		return w.alias(n)
	}
	if n.Anchor != "" {
		w.size[n] = -1
	}
	if n.Kind == yaml.MappingNode && (w.doc.strict || w.depth <= 1) {
		if err := w.unique(n); err != nil {
			return 0, err
		}
	}
	total := 1
	w.depth++
	for _, c := range n.Content {
		size, err := w.visit(c)
		if err != nil {
			return 0, err
		}
		total += size
	}
	w.depth--
	if n.Anchor != "" {
		w.size[n] = total
	}
	return total, nil
}

func (w *nodeWalk) alias(n *yaml.Node) (int, error) {
	size, known := w.size[n.Alias]
	switch {
	case !known:
		return 0, w.doc.fail(n.Line, n.Column, "alias *"+n.Value+" stands for nothing before it", "write the value out")
	case size < 0:
		return 0, w.doc.fail(n.Line, n.Column, "alias *"+n.Value+" contains itself", "write the value out")
	}
	if w.expanded += size; w.expanded > w.limit {
		return 0, &LimitError{
			Limit: "aliasNodes", Value: int64(w.limit),
			Where:  fmt.Sprintf("%s:%d:%d", w.doc.file, w.doc.line+n.Line-1, n.Column),
			Remedy: "write out what the aliases stand for",
		}
	}
	return size, nil
}

// unique refuses a key that is there twice.
func (w *nodeWalk) unique(n *yaml.Node) error {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			continue
		}
		if line, twice := seen[k.Value]; twice {
			return w.doc.fail(k.Line, k.Column, "key "+strconv.Quote(k.Value)+" is there twice, first on line "+
				strconv.Itoa(line+w.doc.line-1), "keep one of the two")
		}
		seen[k.Value] = k.Line
	}
	return nil
}
