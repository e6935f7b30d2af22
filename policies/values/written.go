package values

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Written reads a file of YAML documents that is not Helm's, so that two values
// are equal only when every reader of YAML takes them for equal: a scalar that
// readers take for different things, or that has a tag, also stands for its text
// (Node.Written), and keys are their text. A map or list with a tag is under the
// tag as key. Documents may be of any kind; those without content are left out.
func Written(data []byte, file string, limits Limits) ([]*Node, error) {
	var docs []*Node
	limits = limits.WithDefaults()
	err := eachDocument(data, file, limits, func(data []byte, part Part) error {
		n, err := parseWritten(data, file, limits)
		if err != nil {
			return part.correct(err)
		}
		if n != nil {
			n.move(part)
			docs = append(docs, n)
		}
		return nil
	})
	return docs, err
}

// parseWritten reads one document, nil when there is nothing in it. It is read
// as Helm does too, because there two libraries must agree on how it is built.
func parseWritten(data []byte, file string, limits Limits) (*Node, error) {
	root, err := ReadNode(data, file, limits)
	if err != nil || root == nil {
		return nil, err
	}
	d := &decoder{file: file, limits: limits, open: map[*yaml.Node]bool{}}
	n, err := d.decode(root, root, 0)
	if err != nil || n.Kind == Null {
		return nil, err
	}
	if err := confirm(data, n); err != nil {
		return nil, err
	}
	d = &decoder{file: file, limits: limits, open: map[*yaml.Node]bool{}, written: true}
	return d.decode(root, root, 0)
}

// Written is the text of a scalar that stands for more than its value, "" for
// any other: two scalars are equal only when this is equal too.
func (n *Node) Written() string {
	switch n.Kind {
	case String:
		if n.Num != 0 {
			return n.Text
		}
	case Number:
		if n.Text != "" && n.Text != FormatNumber(n.Num) {
			return n.Text
		}
	case Bool:
		return n.Text
	case Null, Map, List:
	}
	return ""
}

var (
	// certainNumber is a whole number that every reader takes for the same, with
	// no more digits than a float64 holds.
	certainNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)
	// uncertainText is a plain scalar that Helm takes for a string, and another
	// reader may take for a number, a date or a boolean (yaml.org/type for 1.1,
	// the core schema of 1.2).
	uncertainText = regexp.MustCompile(`^(?i:[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(e[-+]?[0-9]+)?|[-+]?0[xbo][0-9a-f_]*|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|` +
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t \t].*)?|[-+]?\.(inf|nan)|true|false|yes|no|y|n|on|off|null|=)$`)
)

// asWritten gives a scalar its meaning and, where that is not the same for every
// reader, its text.
func asWritten(n *yaml.Node) scalar {
	text := scalar{kind: String, text: n.Value, key: n.Value}
	if n.Style&yaml.TaggedStyle != 0 {
		if tag := tagOf(n); tag != "!!str" && tag != "!" {
			text.text = tag + " " + n.Value
			text.key, text.num = text.text, 1
		}
		return text
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return text
	}
	r := resolvePlain(n.Value)
	r.key = n.Value
	switch r.kind {
	case Number:
		if !certainNumber.MatchString(n.Value) {
			r.text = n.Value
		}
	case Bool:
		if word := strings.ToLower(n.Value); word != "true" && word != "false" {
			r.text = n.Value
		}
	case String:
		if uncertainText.MatchString(n.Value) {
			r.num = 1
		}
	case Null, Map, List:
	}
	return r
}

// tagged puts a map or list that has a tag under it: what the tag makes of it is
// not known here.
func (d *decoder) tagged(n, place *yaml.Node, v *Node) *Node {
	if n.Style&yaml.TaggedStyle == 0 || slices.Contains([]string{"!", "!!map", "!!seq"}, tagOf(n)) {
		return v
	}
	m := d.new(Map, place)
	m.set(tagOf(n), v)
	return m
}

// tagOf is a tag as it may be written, with its "!".
func tagOf(n *yaml.Node) string {
	tag := n.ShortTag()
	if strings.HasPrefix(tag, "!") {
		return tag
	}
	return "!<" + tag + ">"
}
