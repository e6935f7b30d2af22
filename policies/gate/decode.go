package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of a Gate file.
const (
	maxFile  = 1 << 20 // bytes
	maxDepth = 32      // maps and lists in one another
	maxNodes = 200_000 // fields, items and scalars
)

// Decode reads a Gate from the bytes of file, strictly. Every mistake is found
// at once: the error is *Errors, with file, line and column of each. Anchors
// and aliases are refused: a Gate is read by people under pressure. Packs that
// lie in the repository are a mistake here: Load reads them.
func Decode(data []byte, file string) (*Gate, error) {
	return decode(data, file, packs.NewLoader(nil, "."))
}

func decode(data []byte, file string, loader *packs.Loader) (*Gate, error) {
	d := &decoder{file: file, loader: loader, places: map[string]*yaml.Node{}, envs: map[string]*expr.Env{}, structs: map[reflect.Type]map[string]reflect.StructField{}}
	root, err := values.ReadNode(data, file, values.Limits{FileSize: maxFile, Depth: maxDepth})
	if err != nil {
		return nil, err
	}
	if root == nil {
		d.fail(&yaml.Node{}, "", "expected a Gate, found an empty file", "write apiVersion, kind, metadata and spec")
		return nil, d.errors()
	}
	d.readPacks(root)
	native := d.read(root, reflect.TypeFor[Gate](), "", 0)
	if err := d.errors(); err != nil {
		return nil, err
	}
	g := &Gate{}
	text, err := json.Marshal(native)
	if err == nil {
		err = json.Unmarshal(text, g)
	}
	if err != nil {
		return nil, fmt.Errorf("decode gate %s: %w", file, err)
	}
	g.File = file
	d.semantics(g)
	if err := d.errors(); err != nil {
		return nil, err
	}
	return g, nil
}

// decoder reads nodes into plain values and gathers mistakes.
type decoder struct {
	file    string
	loader  *packs.Loader
	nodes   int
	found   []*Error
	places  map[string]*yaml.Node // every field's value by its path
	envs    map[string]*expr.Env  // CEL environments by their variables
	structs map[reflect.Type]map[string]reflect.StructField
}

func (d *decoder) fail(n *yaml.Node, field, problem, remedy string) {
	d.found = append(d.found, &Error{
		Position: finding.Position{File: d.file, Line: n.Line, Column: n.Column},
		Field:    field, Problem: problem, Remedy: remedy,
	})
}

// at is the node of a field, or of the nearest one above it that is there.
func (d *decoder) at(field string) *yaml.Node {
	for {
		if n := d.places[field]; n != nil {
			return n
		}
		end := strings.LastIndexAny(field, ".[")
		if end < 0 {
			return d.places[""]
		}
		field = field[:end]
	}
}

// read checks n against the type and gives it as encoding/json would.
func (d *decoder) read(n *yaml.Node, t reflect.Type, field string, depth int) any {
	d.nodes++
	d.places[field] = n
	switch {
	case d.nodes == maxNodes:
		d.fail(n, field, fmt.Sprintf("limit nodes=%d hit: the Gate has more fields", maxNodes), "part the Gate into several")
		return nil
	case d.nodes > maxNodes:
		return nil
	case depth > maxDepth:
		d.fail(n, field, fmt.Sprintf("limit depth=%d hit: maps and lists nest deeper", maxDepth), "write it flatter")
		return nil
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fail(n, field, "expected no anchors and aliases in a Gate, found one", "write the value out")
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[Duration]():
		return d.duration(n, field)
	case t.Kind() == reflect.Struct:
		return d.object(n, t, field, depth)
	case t.Kind() == reflect.Map:
		return d.stringMap(n, t, field, depth)
	case t.Kind() == reflect.Slice:
		return d.list(n, t, field, depth)
	default:
		return d.scalar(n, t, field)
	}
}

func (d *decoder) object(n *yaml.Node, t reflect.Type, field string, depth int) any {
	if n.Kind != yaml.MappingNode {
		d.fail(n, field, "expected a map, found "+describe(n), "write its fields below it, indented")
		return nil
	}
	switch t {
	case reflect.TypeFor[Check]():
		n = d.withPreset(n, field, d.checkPreset)
	case reflect.TypeFor[Guard]():
		n = d.withPreset(n, field, d.guardPreset)
	}
	fields := d.fields(t)
	out := map[string]any{}
	d.each(n, field, func(key, value *yaml.Node, inner string) {
		f, ok := fields[key.Value]
		if !ok {
			d.fail(key, inner, "unknown field", "remove it, or write "+suggest(key.Value, slices.Sorted(maps.Keys(fields))))
			return
		}
		if isNull(value) {
			return
		}
		out[key.Value] = d.read(value, f.Type, inner, depth+1)
	})
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := out[name]; !ok && isRequired(fields[name]) {
			d.fail(n, join(field, name), "expected this field, found none", "add it")
		}
	}
	return out
}

// each calls do for every field of a map, and refuses keys that are no strings
// or are there twice.
func (d *decoder) each(n *yaml.Node, field string, do func(key, value *yaml.Node, inner string)) {
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			d.fail(key, field, "expected a name as key, found "+describe(key), "write a plain name")
			continue
		}
		inner := join(field, key.Value)
		if first := seen[key.Value]; first != nil {
			d.fail(key, inner, fmt.Sprintf("expected the field once, found it at line %d too", first.Line), "keep one of the two")
			continue
		}
		seen[key.Value] = key
		do(key, value, inner)
	}
}

func (d *decoder) stringMap(n *yaml.Node, t reflect.Type, field string, depth int) any {
	if n.Kind != yaml.MappingNode {
		d.fail(n, field, "expected a map, found "+describe(n), `write "name: value" lines below it, indented`)
		return nil
	}
	out := map[string]any{}
	d.each(n, field, func(key, value *yaml.Node, inner string) {
		out[key.Value] = d.read(value, t.Elem(), inner, depth+1)
	})
	return out
}

func (d *decoder) list(n *yaml.Node, t reflect.Type, field string, depth int) any {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, field, "expected a list, found "+describe(n), `write "- " before each item`)
		return nil
	}
	out := make([]any, len(n.Content))
	for i, item := range n.Content {
		out[i] = d.read(item, t.Elem(), fmt.Sprintf("%s[%d]", field, i), depth+1)
	}
	return out
}

func (d *decoder) duration(n *yaml.Node, field string) any {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, field, "expected a length of time, found "+describe(n), `write a number and a unit such as "30m"`)
		return nil
	}
	quoted, _ := json.Marshal(n.Value)
	var v Duration
	if err := v.UnmarshalJSON(quoted); err != nil {
		d.fail(n, field, strings.TrimPrefix(err.Error(), "read duration "), `write a number and a unit such as "30m"`)
	}
	return n.Value
}

func (d *decoder) scalar(n *yaml.Node, t reflect.Type, field string) any {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, field, "expected "+typeName(t)+", found "+describe(n), "write one value on the same line")
		return nil
	}
	switch tag := n.ShortTag(); {
	case t.Kind() == reflect.String && tag == "!!str":
		return n.Value
	case t.Kind() == reflect.Bool && tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case t.Kind() == reflect.Int && tag == "!!int":
		if v, err := strconv.ParseInt(n.Value, 10, 32); err == nil && v >= 0 {
			return v
		}
	}
	remedy := "correct the value"
	if t.Kind() == reflect.String {
		remedy = "put it in quotes"
	}
	d.fail(n, field, fmt.Sprintf("expected %s, found %s", typeName(t), describe(n)), remedy)
	return nil
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number that is not negative"
	default:
		return "a string"
	}
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		return fmt.Sprintf("%.60q", n.Value)
	default:
		return "nothing"
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isRequired(f reflect.StructField) bool { return f.Tag.Get("jsonschema") == "required" }

// fields are a struct's fields by their names in the file, made once for each struct:
// a Gate has thousands of clusters.
func (d *decoder) fields(t reflect.Type) map[string]reflect.StructField {
	if d.structs[t] == nil {
		d.structs[t] = fieldsOf(t)
	}
	return d.structs[t]
}

func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	out := make(map[string]reflect.StructField, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out[name] = t.Field(i)
		}
	}
	return out
}

// suggest is the nearest of the names, or all of them when none is near.
func suggest(name string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(n)); d < distance && d < len(n) {
			best, distance = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf("%q, the nearest name", best)
	}
	return "one of " + strings.Join(names, ", ")
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}
