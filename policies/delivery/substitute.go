package delivery

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/syncgate/syncgate/policies/values"
)

// variable is what a Flux Kustomization substitutes after its build: "${NAME}",
// with a default after ":=" or ":-". "$${" is the text "${".
var variable = regexp.MustCompile(`\$?\$\{([_a-zA-Z][_a-zA-Z0-9]*)(?:(:[=-])([^{}]*))?\}`)

// substituted is o with the variables of spec.clustersFrom put in, for what is
// delivered to a cluster.
func (x *expansion) substituted(o *object, cluster string) (*object, error) {
	var failed error
	s := &substitution{plain: true, do: func(n *values.Node) string {
		return variable.ReplaceAllStringFunc(n.Text, func(text string) string {
			if rest, ok := strings.CutPrefix(text, "$$"); ok {
				return "$" + rest
			}
			m := variable.FindStringSubmatch(text)
			value, ok := x.from.Variables[m[1]]
			switch {
			case ok:
				return strings.ReplaceAll(value, clusterMark, cluster)
			case x.from.Variables != nil && m[2] != "":
				return m[3]
			case failed == nil:
				failed = o.failAt(n, fmt.Sprintf("has %.80q, which a Flux Kustomization may substitute by a value that is not known here", text),
					fmt.Sprintf("list %s in variables of spec.clustersFrom; when nothing is substituted, as %q", m[1], "${"+m[1]+"}"))
			}
			return text
		})
	}}
	node := s.node(o.node)
	if failed != nil || node == o.node {
		return o, failed
	}
	out := *o
	out.node, out.was = node, o.node
	return &out, nil
}

// substitution replaces strings of a value. What does not change is shared.
type substitution struct {
	do func(n *values.Node) string
	// keys says that the keys of maps are replaced too and that fields without a
	// value are dropped, as ApplicationSets do; plain that a string that changed is
	// read anew, as a word that is not in quotes.
	keys, plain bool
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
		if s.plain {
			return retyped(&out)
		}
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

var word = regexp.MustCompile(`^[-+.\w]+$`)

// retyped is a string that was put into YAML without quotes: "3" is a number.
func retyped(n *values.Node) *values.Node {
	if !word.MatchString(n.Text) {
		return n
	}
	doc, err := values.Parse([]byte("v: "+n.Text), n.File, values.Limits{})
	if err != nil || doc.Get("v") == nil {
		return n
	}
	v := *doc.Get("v")
	v.File, v.Line, v.Column = n.File, n.Line, n.Column
	return &v
}
