package fix

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// insertAt is the edit that gives a value to a path of keys and items at which
// there is none. The path begins at the map whose key stands at a place, without
// a line at the root of a file of one document.
func insertAt(data []byte, at finding.Position, segments []string, with scalar, limits values.Limits) (edit, error) {
	if at.Line == 0 {
		t, err := readText(data, limits)
		switch {
		case err != nil:
			return edit{}, err
		case t.root == nil:
			return t.append(segments, with)
		}
		return t.insert(t.root, segments, with)
	}
	t, at, err := documentAt(data, at, limits)
	if err != nil {
		return edit{}, err
	}
	s, err := t.find(at)
	if err != nil {
		return edit{}, err
	}
	return t.inFile(t.insert(s.value, segments, with))
}

// insert is insertAt in a node.
func (t *text) insert(n *yaml.Node, segments []string, with scalar) (edit, error) {
	parent, rest, err := descend(n, segments)
	if err != nil {
		return edit{}, err
	}
	if len(rest) == 0 {
		return t.renew(parent, segments[len(segments)-1], with)
	}
	if isItem(rest[0]) {
		return t.appendItem(parent, rest, with)
	}
	lines, fields, err := t.write(rest, parent.Content[0].Column-1, with)
	if err != nil {
		return edit{}, err
	}
	at := t.after(parent, parent.Content[0].Column)
	parent.Content = append(parent.Content, fields...)
	return t.checked(t.insertLines(at, lines))
}

// insertLines is the edit that puts whole lines where a line begins. A last line
// without a break stays one.
func (t *text) insertLines(at int, lines []string) edit {
	nl := t.newline()
	if at == len(t.data) && at > 0 && t.data[at-1] != '\n' && string(t.data) != bom {
		return edit{at, at, nl + strings.Join(lines, nl)}
	}
	return edit{at, at, strings.Join(lines, nl) + nl}
}

// append writes to a document that holds nothing but comments.
func (t *text) append(segments []string, with scalar) (edit, error) {
	lines, fields, err := t.write(segments, 0, with)
	if err != nil {
		return edit{}, err
	}
	t.root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: fields}
	return t.checked(t.insertLines(len(t.data), lines))
}

// renew gives a value to a key that is there and holds null.
func (t *text) renew(parent *yaml.Node, segment string, with scalar) (edit, error) {
	i := indexOf(parent, fieldName(segment))
	v := parent.Content[i+1]
	if v.ShortTag() != "!!null" || with.tokens != nil {
		return edit{}, errors.New("the file has a value there that another layer overrides")
	}
	start, end, err := t.token(v)
	if err != nil {
		return edit{}, errors.New("its key is there and holds nothing")
	}
	*v = with.node
	return t.checked(edit{start, end, with.token})
}

// descend is the deepest map on the way from n to a path, and what of the path it
// does not have. Of a path that is all there it is the map of its last key.
func descend(n *yaml.Node, segments []string) (parent *yaml.Node, rest []string, err error) {
	for i := range segments {
		switch {
		case n.Kind == yaml.AliasNode, n.Anchor != "":
			return nil, nil, errors.New("the way there leads through an anchor or an alias")
		case n.Style&yaml.FlowStyle != 0:
			return nil, nil, errors.New("the map that it would go into stands on one line")
		case n.Style&yaml.TaggedStyle != 0:
			return nil, nil, errors.New("the map that it would go into has a tag")
		}
		next, err := step(n, segments[i])
		switch {
		case err != nil:
			return nil, nil, err
		case next == nil:
			return n, segments[i:], nil
		case i == len(segments)-1:
			return n, nil, nil
		}
		n = next
	}
	return nil, nil, errors.New("there is no path")
}

// step is the value of a segment in n, nil when n is a map without it.
func step(n *yaml.Node, segment string) (*yaml.Node, error) {
	if isItem(segment) {
		return item(n, segment)
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil, errors.New("the file has no map with entries there to put it into")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "<<" {
			return nil, errors.New("the map that it would go into has a merge key")
		}
	}
	if i := indexOf(n, fieldName(segment)); i >= 0 {
		return n.Content[i+1], nil
	}
	return nil, nil
}

func indexOf(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func isItem(segment string) bool {
	return strings.HasPrefix(segment, "[") && !strings.HasPrefix(segment, `["`)
}

// item is the item of a list that a segment names, nil when it could be put
// behind the last one.
func item(n *yaml.Node, segment string) (*yaml.Node, error) {
	inner := strings.TrimSuffix(segment[1:], "]")
	if n.Kind != yaml.SequenceNode {
		return nil, errors.New("the file has no list there")
	}
	key, want, keyed := strings.Cut(inner, "=")
	for i, it := range n.Content {
		if !keyed && strconv.Itoa(i) == inner {
			return it, nil
		}
		if !keyed || it.Kind != yaml.MappingNode {
			continue
		}
		if at := indexOf(it, key); at >= 0 && it.Content[at+1].Value == want {
			return it, nil
		}
	}
	if !keyed && strconv.Itoa(len(n.Content)) != inner || len(n.Content) == 0 {
		return nil, errors.New("the file's list has no such item, nor the one before it")
	}
	return nil, nil
}

// fieldName is the key that a segment names.
func fieldName(segment string) string {
	if q, ok := strings.CutPrefix(segment, `["`); ok {
		if name, err := strconv.Unquote(`"` + strings.TrimSuffix(q, "]")); err == nil {
			return name
		}
	}
	return segment
}

// write makes the lines that hold a value at a path, and what they mean.
func (t *text) write(segments []string, indent int, with scalar) (lines []string, fields []*yaml.Node, err error) {
	depth := t.indent()
	holder := &yaml.Node{}
	for i, s := range segments {
		if isItem(s) {
			return nil, nil, errors.New("the file has no such list")
		}
		key := keyToken(fieldName(s))
		line := strings.Repeat(" ", indent+i*depth) + key.token + ":"
		holder.Content = append(holder.Content, &key.node)
		if i == len(segments)-1 {
			node := with.node
			holder.Content = append(holder.Content, &node)
			if with.tokens != nil {
				lines = append(lines, line)
				return append(lines, with.lines(&with.node, indent+(i+1)*depth, depth)...), outermost(fields, holder), nil
			}
			line += " " + with.token
		} else {
			m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			holder.Content = append(holder.Content, m)
			if fields == nil {
				fields = holder.Content
			}
			holder = m
		}
		lines = append(lines, line)
	}
	return lines, outermost(fields, holder), nil
}

// outermost are the fields of the map that was made first.
func outermost(fields []*yaml.Node, last *yaml.Node) []*yaml.Node {
	if fields == nil {
		return last.Content
	}
	return fields
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// keyToken is a key as it is to be written: in quotes where some reader would
// take it for something else.
func keyToken(name string) scalar {
	node := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
	switch strings.ToLower(name) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
	default:
		if plainKey.MatchString(name) {
			return scalar{token: name, node: node}
		}
	}
	node.Style = yaml.DoubleQuotedStyle
	return scalar{token: strconv.QuoteToASCII(name), node: node}
}

// indent is by how much the document indents: as its first map in a map does.
func (t *text) indent() int {
	const usual = 2
	if t.root == nil {
		return usual
	}
	for _, v := range t.root.Content {
		if v.Kind == yaml.MappingNode && v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0 {
			if by := v.Content[0].Column - t.root.Content[0].Column; by > 0 && by <= 8 {
				return by
			}
		}
	}
	return usual
}
