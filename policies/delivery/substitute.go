package delivery

import "github.com/syncgate/syncgate/policies/values"

// substitution replaces strings of a value. What does not change is shared.
type substitution struct {
	do func(n *values.Node) string
	// keys says that the keys of maps are replaced too and that fields without a
	// value are dropped, as ApplicationSets do.
	keys bool
}

func (s *substitution) node(n *values.Node) *values.Node {
	switch n.Kind {
	case values.String:
		text := s.do(n)
		if text == n.Text {
			return n
		}
		out := *n
		out.Text = text
		return &out
	case values.Map:
		var out *values.Node
		for i, f := range n.Fields {
			v, key := s.node(f.Value), f.Key
			if s.keys {
				key = s.do(newText(f.Value, f.Key))
			}
			dropped := s.keys && f.Value.Kind == values.Null
			if (v != f.Value || key != f.Key || dropped) && out == nil {
				out = newMap(n, append([]values.Field(nil), n.Fields[:i]...)...)
			}
			if out != nil && !dropped {
				out.Fields = append(out.Fields, values.Field{Key: key, Value: v})
			}
		}
		if out != nil {
			return out
		}
	case values.List:
		var out *values.Node
		for i, item := range n.Items {
			v := s.node(item)
			if v != item && out == nil {
				copied := *n
				copied.Items = append([]*values.Node(nil), n.Items...)
				out = &copied
			}
			if out != nil {
				out.Items[i] = v
			}
		}
		if out != nil {
			return out
		}
	default:
	}
	return n
}
