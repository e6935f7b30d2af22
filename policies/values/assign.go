package values

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"helm.sh/helm/v3/pkg/strvals"

	"github.com/syncgate/syncgate/policies/finding"
)

// Assignment is one "name=value" that is set over values, as Helm's --set and
// its kin set it.
type Assignment struct {
	// Name is the name as Helm writes it: "a.b[0].c".
	Name string
	// Value is the text after the "=".
	Value string
	// How says which flag of Helm's reads it.
	How Setting
	// Position is where it stands.
	Position finding.Position
	// Secret is true when a Secret gave the value.
	Secret bool
	// Unknown is true when the value cannot be read, and Value says where it is
	// from.
	Unknown bool
}

// Setting is how an Assignment is read.
type Setting uint8

// The ways of Helm's flags --set, --set-string, --set-file (of a file whose
// content is the Value) and --set-literal.
const (
	SetTyped Setting = iota
	SetString
	SetFile
	SetLiteral
)

// Assign sets assignments over base in order. base is not changed; the result
// shares its nodes. pure holds what the assignments say by themselves, null in
// the items of lists that they leave alone.
func Assign(base *Node, list []Assignment) (merged, pure *Node, err error) {
	merged, pure = base, emptyMap("")
	native := base.HelmValues()
	alone := map[string]any{}
	for _, a := range list {
		touched := map[string]any{}
		for _, into := range []map[string]any{native, touched, alone} {
			if err := a.into(into); err != nil {
				return nil, nil, &Error{
					Position: a.Position, Key: a.Name,
					Problem: "Helm cannot set this parameter: " + problemOf(err),
					Remedy:  `correct its name, which reads as in "a.b[0].c", or what weaker layers have there`,
				}
			}
		}
		merged = adopt(merged, native, touched, a)
		pure = adopt(pure, alone, touched, a)
	}
	return merged, pure, nil
}

// problemOf is the error without what it quotes of values.
func problemOf(err error) string {
	var syntax interface{ Cause() error }
	if errors.As(err, &syntax) {
		return "its name or value is malformed"
	}
	return "what is there is of another kind, or the name is malformed"
}

func (a Assignment) into(dest map[string]any) error {
	switch a.How {
	case SetString:
		return strvals.ParseIntoString(a.Name+"="+a.Value, dest)
	case SetFile:
		read := func([]rune) (any, error) { return a.Value, nil }
		return strvals.ParseIntoFile(a.Name+"=file", dest, read)
	case SetLiteral:
		return strvals.ParseLiteralInto(a.Name+"="+a.Value, dest)
	default:
		return strvals.ParseInto(a.Name+"="+a.Value, dest)
	}
}

// adopt is v, which came of old by an assignment, as a Node: what was touched
// stands at the assignment, all else where it stood.
func adopt(old *Node, v, touched any, by Assignment) *Node {
	switch v := v.(type) {
	case map[string]any:
		out := placed(Map, by.Position)
		if old != nil && old.Kind == Map {
			out = old.shallow()
		}
		fields, _ := touched.(map[string]any)
		for key, t := range fields {
			out.set(key, adopt(out.Get(key), v[key], t, by))
		}
		return out
	case []any:
		return adoptList(old, v, touched, by)
	default:
		return scalarOf(v, by)
	}
}

// adoptList is adopt for a list. An assignment to one item touches a list that
// ends with that item, and that is null before it. Where no value follows the
// name, Helm leaves the item out of the list that it makes, and changes one that
// is there all the same.
func adoptList(old *Node, v []any, touched any, by Assignment) *Node {
	items, _ := touched.([]any)
	out := placed(List, by.Position)
	var before []*Node
	if old != nil && old.Kind == List && len(v) > 0 {
		out.File, out.Line, out.Column = old.File, old.Line, old.Column
		before = old.Items
	}
	out.Items = make([]*Node, len(v))
	for i, item := range v {
		was := placed(Null, by.Position)
		if i < len(before) {
			was = before[i]
		}
		switch {
		case i < len(items) && (items[i] != nil || i == len(items)-1 || item == nil && was.Kind != Null):
			out.Items[i] = adopt(was, item, items[i], by)
		case i >= len(items):
			out.Items[i] = changed(was, item, by)
		default:
			out.Items[i] = was
		}
	}
	return out
}

// changed is v as a Node: what is as it was in old stands where it stood, all else
// at the assignment.
func changed(old *Node, v any, by Assignment) *Node {
	if reflect.DeepEqual(old.helm(), v) {
		return old
	}
	switch v := v.(type) {
	case map[string]any:
		out := placed(Map, by.Position)
		if old.Kind == Map {
			out = old.shallow()
		}
		for key, item := range v {
			was := out.Get(key)
			if was == nil {
				was = placed(Null, by.Position)
			}
			out.set(key, changed(was, item, by))
		}
		return out
	case []any:
		out := placed(List, by.Position)
		for i, item := range v {
			was := placed(Null, by.Position)
			if old.Kind == List && i < len(old.Items) {
				was = old.Items[i]
			}
			out.Items = append(out.Items, changed(was, item, by))
		}
		return out
	default:
		return scalarOf(v, by)
	}
}

func placed(kind Kind, at finding.Position) *Node {
	return &Node{Kind: kind, File: at.File, Line: uint32(at.Line), Column: uint32(at.Column)}
}

// scalarOf is a scalar that Helm's parser made.
func scalarOf(v any, by Assignment) *Node {
	n := placed(Null, by.Position)
	n.Secret, n.Unknown = by.Secret, by.Unknown
	switch v := v.(type) {
	case bool:
		n.Kind = Bool
		if v {
			n.Num = 1
		}
	case int64:
		// Helm keeps these whole, and prints them without an exponent.
		n.Kind, n.Num, n.Text = Number, float64(v), strconv.FormatInt(v, 10)
	case string:
		n.Kind, n.Text = String, v
	case nil:
	default:
		n.Kind, n.Text = String, fmt.Sprint(v)
	}
	return n
}

// HelmValues is the map as Helm itself would have it: as NativeMap, but whole
// numbers that parameters set are int64. Each call makes a new one.
func (n *Node) HelmValues() map[string]any {
	m, _ := n.helm().(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

func (n *Node) helm() any {
	switch n.Kind {
	case Map:
		m := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			m[f.Key] = f.Value.helm()
		}
		return m
	case List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.helm()
		}
		return list
	case Number:
		if i, err := strconv.ParseInt(n.Text, 10, 64); err == nil {
			return i
		}
		return n.Num
	default:
		return n.Native()
	}
}
