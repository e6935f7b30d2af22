package fix

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// maxBlock is how many scalars a map or list may have that is written elsewhere.
const maxBlock = 50

// blockAt is the map or list that stands at a place: one of scalars that are
// each written on one line, and of maps and lists of them.
func blockAt(data []byte, at finding.Position, item bool, limits values.Limits) (v scalar, lines [2]int, err error) {
	t, at, err := documentAt(data, at, limits)
	if err != nil {
		return scalar{}, lines, err
	}
	s, err := t.findAs(at, item)
	if err != nil {
		return scalar{}, lines, err
	}
	v.tokens = map[*yaml.Node]string{}
	n, err := t.copy(s.value, v.tokens)
	if err != nil {
		return scalar{}, lines, err
	}
	if n.Kind == yaml.ScalarNode {
		return scalar{}, lines, errors.New("it is neither a map nor a list")
	}
	v.node = *n
	lines = [2]int{s.value.Line + t.lines, lastLine(s.value) + t.lines}
	return v, lines, nil
}

// copy is n as it would be written elsewhere.
func (t *text) copy(n *yaml.Node, tokens map[*yaml.Node]string) (*yaml.Node, error) {
	switch {
	case len(tokens) > maxBlock:
		return nil, limit("blockValues", maxBlock)
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		return t.copyAll(n, tokens)
	}
	start, end, err := t.token(n)
	if err != nil {
		return nil, err
	}
	s, err := t.scalar(n, start, end)
	if err != nil {
		return nil, err
	}
	tokens[&s.node] = s.token
	return &s.node, nil
}

func (t *text) copyAll(n *yaml.Node, tokens map[*yaml.Node]string) (*yaml.Node, error) {
	switch {
	case n.Anchor != "", n.Style&yaml.TaggedStyle != 0:
		return nil, errors.New("it has an anchor or a tag")
	case len(n.Content) == 0:
		return nil, errors.New("a map or list in it is empty")
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.ShortTag()}
	for _, c := range n.Content {
		if n.Kind == yaml.SequenceNode && c.Kind == yaml.SequenceNode || c.Value == "<<" {
			return nil, errors.New("it has lists in lists or merge keys")
		}
		below, err := t.copy(c, tokens)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, below)
	}
	return out, nil
}

// lines are those that a map or list takes.
func (s scalar) lines(n *yaml.Node, indent, step int) []string {
	var out []string
	lead := strings.Repeat(" ", indent)
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			out = append(out, s.item(item, indent, step)...)
		}
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := lead+s.tokens[n.Content[i]]+":", n.Content[i+1]
		if v.Kind == yaml.ScalarNode {
			out = append(out, key+" "+s.tokens[v])
		} else {
			out = append(append(out, key), s.lines(v, indent+step, step)...)
		}
	}
	return out
}

// item are the lines of an item of a list.
func (s scalar) item(n *yaml.Node, indent, step int) []string {
	dash := strings.Repeat(" ", indent) + "- "
	switch {
	case s.tokens == nil:
		return []string{dash + s.token}
	case n.Kind == yaml.ScalarNode:
		return []string{dash + s.tokens[n]}
	}
	lines := s.lines(n, indent+2, step)
	lines[0] = dash + lines[0][indent+2:]
	return lines
}

// appendItem is the edit that puts an item behind the last one of a list.
func (t *text) appendItem(list *yaml.Node, rest []string, with scalar) (edit, error) {
	if len(rest) != 1 {
		return edit{}, errors.New("the file's list has no such item")
	}
	_, column, err := t.begin(spot{value: list.Content[len(list.Content)-1]})
	if err != nil {
		return edit{}, err
	}
	node := with.node
	at := t.after(list, column)
	lines := with.item(&node, column-1, t.indent())
	list.Content = append(slices.Clip(list.Content), &node)
	return t.checked(t.insertLines(at, lines))
}
