package values

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/finding"
)

// Parse reads a values file to a map, giving every scalar the meaning that it
// has for Helm. Nothing, or only comments, is an empty map. Where Helm's own
// reader and this one would not agree, the file is refused. Errors are *Error.
func Parse(data []byte, file string, limits Limits) (*Node, error) {
	limits = limits.WithDefaults()
	if int64(len(data)) <= limits.FileSize {
		if n, ok := readQuick(string(data), file, limits); ok {
			return n, nil
		}
	}
	return parseSlow(data, file, limits)
}

// parseSlow is Parse for all of YAML: read by one library, resolved by Helm's
// rules, and held against what Helm reads.
func parseSlow(data []byte, file string, limits Limits) (*Node, error) {
	root, err := ReadNode(data, file, limits)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: file, limits: limits, open: map[*yaml.Node]bool{}}
	n := emptyMap(file)
	if root != nil {
		if n, err = d.decode(root, root, 0); err != nil {
			return nil, err
		}
	}
	if n.Kind == Null {
		n = emptyMap(file)
	}
	if n.Kind == Map {
		n.Line, n.Column = 0, 0
	} else {
		return nil, &Error{
			Position: n.Position(), Problem: "expected a map of values, found " + n.Kind.String(),
			Remedy: `write "key: value" lines`,
		}
	}
	return n, confirm(data, n)
}

// decoder makes Nodes of YAML nodes.
type decoder struct {
	file    string
	limits  Limits
	path    []string
	nodes   int
	aliased int // nodes that came from an alias
	inAlias int
	open    map[*yaml.Node]bool
	written bool // as Written has it
}

func (d *decoder) fail(n *yaml.Node, problem, remedy string) error {
	return &Error{Position: d.at(n), Key: d.key(), Problem: problem, Remedy: remedy}
}

func (d *decoder) at(n *yaml.Node) finding.Position {
	return finding.Position{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) key() string { return strings.Join(d.path, ".") }

// decode makes a Node of n that stands at place.
func (d *decoder) decode(n, place *yaml.Node, depth int) (*Node, error) {
	d.nodes++
	if d.inAlias > 0 {
		d.aliased++
	}
	switch {
	case depth > d.limits.Depth:
		return nil, limitError(d.at(n), d.key(), "depth", d.limits.Depth, "maps and lists nest deeper")
	case d.aliased > d.limits.Aliases:
		return nil, limitError(d.at(n), d.key(), "aliases", d.limits.Aliases, "aliases expand to more values")
	case d.nodes > d.limits.Leaves:
		return nil, limitError(d.at(n), d.key(), "leaves", d.limits.Leaves, "the file has more values")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.alias(n, place, depth)
	case yaml.MappingNode, yaml.SequenceNode:
		return d.collection(n, place, depth)
	case yaml.ScalarNode:
		return d.scalar(n, place)
	default:
		return nil, d.fail(n, "expected a value", "correct the YAML there")
	}
}

func (d *decoder) collection(n, place *yaml.Node, depth int) (v *Node, err error) {
	if n.Kind == yaml.MappingNode {
		v, err = d.mapping(n, place, depth)
	} else {
		v, err = d.sequence(n, place, depth)
	}
	if err == nil && d.written {
		v = d.tagged(n, place, v)
	}
	return v, err
}

func (d *decoder) alias(n, place *yaml.Node, depth int) (*Node, error) {
	target := n.Alias
	if target == nil || d.open[target] {
		return nil, d.fail(n, fmt.Sprintf("anchor %q contains itself", n.Value), "write the value out")
	}
	d.inAlias++
	v, err := d.decode(target, place, depth)
	d.inAlias--
	return v, err
}

func (d *decoder) new(kind Kind, place *yaml.Node) *Node {
	return &Node{Kind: kind, File: d.file, Line: uint32(place.Line), Column: uint32(place.Column)}
}

func (d *decoder) sequence(n, place *yaml.Node, depth int) (*Node, error) {
	d.open[n] = true
	defer delete(d.open, n)
	list := d.new(List, place)
	if len(n.Content) > 0 {
		list.Items = make([]*Node, 0, len(n.Content))
	}
	for i, c := range n.Content {
		d.path = append(d.path, "["+strconv.Itoa(i)+"]")
		item, err := d.decode(c, c, depth+1)
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		list.Items = append(list.Items, item)
	}
	return list, nil
}

func (d *decoder) mapping(n, place *yaml.Node, depth int) (*Node, error) {
	d.open[n] = true
	defer delete(d.open, n)
	m := d.new(Map, place)
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMergeKey(k) {
			if err := d.merge(m, v, depth); err != nil {
				return nil, err
			}
			continue
		}
		key, err := d.mapKey(k)
		if err != nil {
			return nil, err
		}
		d.path = append(d.path, key)
		if first := seen[key]; first != nil {
			return nil, d.fail(k, fmt.Sprintf("key %q is there twice, first at line %d", key, first.Line), "remove one of them")
		}
		seen[key] = k
		value, err := d.decode(v, k, depth+1)
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		m.set(key, value)
	}
	return m, nil
}

func isMergeKey(k *yaml.Node) bool {
	quoted := k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	tagged := k.Style&yaml.TaggedStyle != 0
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && (!quoted && !tagged || tagged && k.ShortTag() == "!!merge")
}

// merge puts what a "<<" names into m. As in Helm's reader, and unlike newer
// ones, it overrides the keys before it and is overridden by those after it.
func (d *decoder) merge(m *Node, v *yaml.Node, depth int) error {
	sources := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		sources = v.Content
	}
	before := len(m.Fields)
	for i := len(sources) - 1; i >= 0; i-- {
		source, err := d.decode(sources[i], sources[i], depth+1)
		if err != nil {
			return err
		}
		if source.Kind != Map {
			return d.fail(sources[i], `expected "<<" to name a map, found `+source.Kind.String(), "merge maps only")
		}
		for _, f := range source.Fields {
			if at := m.find(f.Key); d.written && at >= 0 && at < before {
				return d.fail(v, fmt.Sprintf(`key %q stands before "<<" and comes with it: not every reader takes the same one`, f.Key), `put "<<" first`)
			}
			m.set(f.Key, f.Value)
		}
	}
	return nil
}

// mapKey is a key as the string that Helm makes of it.
func (d *decoder) mapKey(k *yaml.Node) (string, error) {
	n := k
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", d.fail(k, "expected a key of one word, found a map or a list as key", "use a string as key")
	}
	r, err := d.resolve(n)
	if err != nil {
		return "", err
	}
	key := r.key
	switch {
	case r.keyless:
		return "", d.fail(k, "the key is null or too large a number", "put the key in quotes")
	case d.written && strings.HasPrefix(key, "!"):
		return "", d.fail(k, "a key begins with \"!\", which cannot be told from a tag", "give the key another name")
	case len(key) > d.limits.KeyLength:
		return "", limitError(d.at(k), d.key(), "keyLength", d.limits.KeyLength, fmt.Sprintf("the key has %d bytes", len(key)))
	}
	return key, nil
}

func (d *decoder) scalar(n, place *yaml.Node) (*Node, error) {
	r, err := d.resolve(n)
	if err != nil {
		return nil, err
	}
	if r.num-r.num != 0 {
		return nil, d.fail(n, "the number is infinite or not a number, which Helm cannot represent", "put it in quotes or give a number")
	}
	if n.Value != "" || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		place = n // nothing stands nowhere: its key is the place
	}
	v := d.new(r.kind, place)
	v.Num, v.Text = r.num, r.text
	return v, nil
}

// resolve gives a scalar its meaning by tag and style.
func (d *decoder) resolve(n *yaml.Node) (scalar, error) {
	if d.written {
		return asWritten(n), nil
	}
	text := scalar{kind: String, text: n.Value, key: n.Value}
	if n.Style&yaml.TaggedStyle == 0 {
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			return text, nil
		}
		return resolvePlain(n.Value), nil
	}
	want := map[string]Kind{"!!null": Null, "!!bool": Bool, "!!int": Number, "!!float": Number}
	tag := n.ShortTag()
	kind, typed := want[tag]
	switch {
	case tag == "!!binary":
		raw, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			return scalar{}, d.fail(n, "expected base64 under !!binary", "correct the base64 or remove the tag")
		}
		s := string(raw)
		return scalar{kind: String, text: s, key: s}, nil
	case !typed:
		return text, nil
	}
	r := resolvePlain(n.Value)
	if r.kind != kind {
		return scalar{}, d.fail(n, fmt.Sprintf("tagged %s, found %s", tag, r.kind), "remove the tag or correct the value")
	}
	return r, nil
}
