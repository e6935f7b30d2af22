package rules

import "github.com/syncgate/syncgate/policies/values"

// Hidden are the scalars in a map of values that are never shown: by their own
// form, or by the key they stand under, as a comparison judges it.
func Hidden(root *values.Node) []*values.Node {
	var out []*values.Node
	var walk func(n *values.Node, hide bool)
	walk = func(n *values.Node, hide bool) {
		switch n.Kind {
		case values.Map:
			named := secretValue(n)
			for _, f := range n.Fields {
				hidden := hide
				switch secrecyOf(f.Key) {
				case secret:
					hidden = f.Key != "key" || !plainKey(n)
				case plain:
					hidden = false
				case unsaid:
				}
				walk(f.Value, hidden || named && f.Key == "value")
			}
		case values.List:
			for _, item := range n.Items {
				walk(item, hide)
			}
		default:
			if isHidden(n, hide) && n.Kind != values.Bool && !isEmpty(n) {
				out = append(out, n)
			}
		}
	}
	walk(root, false)
	return out
}
