package values

import (
	"math"
	"strconv"

	"github.com/syncgate/syncgate/policies/finding"
)

// Kind is what a Node holds.
type Kind uint8

// The kinds of a Node. Numbers are 64-bit floating point, because that is what
// Helm makes of every number in a values file.
const (
	Null Kind = iota
	Bool
	Number
	String
	Map
	List
)

// String is the kind in words.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Map:
		return "a map"
	default:
		return "a list"
	}
}

// Node is a value with the place it comes from. Nodes that Parse and Merge
// return are shared and must not be changed.
type Node struct {
	// Kind says which of the fields below hold the value.
	Kind Kind
	// Secret is true of a scalar that a Secret gave: it is never shown.
	Secret bool
	// Unknown is true of a String that stands for a scalar which cannot be read in
	// Git. Text says where that is from, and is no value.
	Unknown bool
	// Num is the number; for a Bool 0 or 1; for a String 1 where Written is its
	// Text, else 0.
	Num float64
	// Text is the string; for a Number or Bool its text where that may mean more
	// than the value.
	Text string
	// Items are the items of a List.
	Items []*Node
	// Fields are the fields of a Map, each key once.
	Fields []Field

	// File, Line and Column are where the value stands; for a map or list in a
	// map, where its key stands. A Line of 0 means the whole file.
	File         string
	Line, Column uint32

	index map[string]int // of Fields, when there are many
}

// Field is one field of a map.
type Field struct {
	Key   string
	Value *Node
}

// indexFrom is the number of fields from which a map gets an index.
const indexFrom = 12

// Position is where the value stands.
func (n *Node) Position() finding.Position {
	return finding.Position{File: n.File, Line: int(n.Line), Column: int(n.Column)}
}

// Get is the value of a field, nil when the map has none of that name.
func (n *Node) Get(key string) *Node {
	if i := n.find(key); i >= 0 {
		return n.Fields[i].Value
	}
	return nil
}

func (n *Node) find(key string) int {
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			return i
		}
	}
	return -1
}

// With is a copy of a map that has the field too, and shares all else.
func (n *Node) With(key string, v *Node) *Node {
	out := n.shallow()
	out.set(key, v)
	return out
}

// AsSecret is n with every scalar in it marked as secret.
func (n *Node) AsSecret() *Node {
	out := *n
	out.Secret = n.Kind < Map
	out.Fields, out.Items = nil, nil
	for _, f := range n.Fields {
		out.Fields = append(out.Fields, Field{f.Key, f.Value.AsSecret()})
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, item.AsSecret())
	}
	return &out
}

// set gives a field a value, whether it is there or not.
func (n *Node) set(key string, v *Node) {
	if i := n.find(key); i >= 0 {
		n.Fields[i].Value = v
		return
	}
	n.add(key, v)
}

// add appends a field that is known not to be there.
func (n *Node) add(key string, v *Node) {
	n.Fields = append(n.Fields, Field{key, v})
	switch {
	case n.index != nil:
		n.index[key] = len(n.Fields) - 1
	case len(n.Fields) == indexFrom:
		n.index = make(map[string]int, 2*indexFrom)
		for i, f := range n.Fields {
			n.index[f.Key] = i
		}
	}
}

// remove takes a field out. The last field takes its place: the order of a
// map's fields means nothing.
func (n *Node) remove(key string) {
	i := n.find(key)
	if i < 0 {
		return
	}
	last := len(n.Fields) - 1
	n.Fields[i] = n.Fields[last]
	n.Fields[last] = Field{}
	n.Fields = n.Fields[:last]
	if n.index != nil {
		delete(n.index, key)
		if i != last {
			n.index[n.Fields[i].Key] = i
		}
	}
}

// shallow is a copy of a map that shares its values.
func (n *Node) shallow() *Node {
	c := *n
	c.Fields = append(make([]Field, 0, len(n.Fields)+4), n.Fields...)
	if n.index != nil {
		c.index = make(map[string]int, len(n.index))
		for k, i := range n.index {
			c.index[k] = i
		}
	}
	return &c
}

// deep is a copy of a map and all maps in it. Scalars and lists are shared:
// merging never changes them.
func (n *Node) deep() *Node {
	if n.Kind != Map {
		return n
	}
	c := n.shallow()
	for i := range c.Fields {
		c.Fields[i].Value = c.Fields[i].Value.deep()
	}
	return c
}

// Native is the value as encoding/json would give it: nil, bool, float64,
// string, []any and map[string]any. Each call makes a new one.
func (n *Node) Native() any { return n.NativeWith(nil) }

// NativeWith is Native with what unknown makes of the text of every Unknown.
func (n *Node) NativeWith(unknown func(text string) any) any {
	if n.Unknown && unknown != nil {
		return unknown(n.Text)
	}
	switch n.Kind {
	case Bool:
		return n.Num != 0
	case Number:
		return n.Num
	case String:
		return n.Text
	case Map:
		m := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			m[f.Key] = f.Value.NativeWith(unknown)
		}
		return m
	case List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.NativeWith(unknown)
		}
		return list
	default:
		return nil
	}
}

// NativeMap is Native for a map; for anything else it is an empty map.
func (n *Node) NativeMap() map[string]any {
	m := make(map[string]any, len(n.Fields))
	for _, f := range n.Fields {
		m[f.Key] = f.Value.Native()
	}
	return m
}

// FormatNumber writes a number as JSON does, whole numbers without exponent.
func FormatNumber(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// emptyMap is what a file without content holds.
func emptyMap(file string) *Node { return &Node{Kind: Map, File: file} }
