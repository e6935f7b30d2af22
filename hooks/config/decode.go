package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v4"
)

// MaxFile is how long the file may be, in bytes.
const MaxFile = 1 << 20

const (
	maxMistakes = 50
	maxDepth    = 32
)

// Errors are all the mistakes of a file, one a line.
type Errors []string

func (e Errors) Error() string { return strings.Join(e, "\n") }

// Decode reads the configuration. file is its path, for messages and for the
// relative paths in it. Every mistake is found at once and named by
// file:line:column; unknown and doubled keys are mistakes.
func Decode(data []byte, file string) (*Config, error) {
	d := &decoder{file: file, at: map[string]*yaml.Node{}}
	root, err := d.parse(data)
	if err != nil {
		return nil, err
	}
	c := &Config{}
	d.at[""] = root
	d.decode(root, reflect.ValueOf(c).Elem(), "", 0)
	if len(d.mistakes) == 0 {
		d.check(c)
	}
	if len(d.mistakes) > 0 {
		return nil, fmt.Errorf("read configuration: %w", d.sorted())
	}
	c.defaults()
	c.resolve(filepath.Dir(file))
	return c, nil
}

type mistake struct {
	line, column int
	text         string
}

type decoder struct {
	file     string
	at       map[string]*yaml.Node // where each key path stands
	mistakes []mistake
}

func (d *decoder) parse(data []byte) (*yaml.Node, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("read configuration: %s: %d bytes, over the limit of %d", d.file, len(data), MaxFile)
	}
	var docs []yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return nil, fmt.Errorf("read configuration: %s: %w", d.file, err)
		}
		if docs = append(docs, doc); len(docs) > 1 {
			return nil, fmt.Errorf("read configuration: %s:%d: expected one YAML document, found another", d.file, doc.Line)
		}
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 {
		return nil, fmt.Errorf("read configuration: %s: expected a configuration, found an empty file", d.file)
	}
	return docs[0].Content[0], nil
}

func (d *decoder) wrong(n *yaml.Node, path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	d.mistakes = append(d.mistakes, mistake{n.Line, n.Column, path + fmt.Sprintf(format, args...)})
}

// wrongAt is wrong at the place of a key path, or of the nearest one above it.
func (d *decoder) wrongAt(path, format string, args ...any) {
	for above := path; ; {
		if n, ok := d.at[above]; ok {
			d.wrong(n, path, format, args...)
			return
		}
		i := strings.LastIndexAny(above, ".[")
		above = above[:max(i, 0)]
	}
}

func (d *decoder) sorted() Errors {
	sort.SliceStable(d.mistakes, func(i, j int) bool {
		a, b := d.mistakes[i], d.mistakes[j]
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	var out Errors
	for i, m := range d.mistakes {
		if i == maxMistakes {
			return append(out, fmt.Sprintf("%s: and %d more mistakes", d.file, len(d.mistakes)-i))
		}
		out = append(out, fmt.Sprintf("%s:%d:%d: %s", d.file, m.line, m.column, m.text))
	}
	return out
}

// decode puts n into v.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string, depth int) {
	d.at[path] = n
	if depth > maxDepth {
		d.wrong(n, path, "nested deeper than the limit of %d", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.wrong(n, path, "expected no anchors and aliases; write the value out")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.wrong(n, path, "expected %s, found nothing; leave the key out for the default", kindName(v.Type()))
		return
	}
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		d.scalar(n, path, "a string", func(s string) error {
			text, err := json.Marshal(s)
			if err != nil {
				return err
			}
			return u.UnmarshalJSON(text)
		})
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem(), path, depth+1)
	case reflect.Struct:
		d.object(n, v, path, depth)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.wrong(n, path, "expected %s, found %s", kindName(v.Type()), nodeName(n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			d.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
	case reflect.Map:
		d.dictionary(n, v, path, depth)
	default:
		d.plain(n, v, path)
	}
}

func (d *decoder) plain(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		d.scalar(n, path, "a string", func(s string) error { v.SetString(s); return nil })
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			d.wrong(n, path, "expected true or false, found %s", nodeName(n))
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || i < 0 || v.OverflowInt(i) {
			d.wrong(n, path, "expected a whole number that is not negative, found %s", nodeName(n))
			return
		}
		v.SetInt(i)
	default:
		d.wrong(n, path, "cannot be set in a file")
	}
}

func (d *decoder) scalar(n *yaml.Node, path, want string, set func(string) error) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		d.wrong(n, path, "expected %s, found %s; put it in quotes if it is meant", want, nodeName(n))
		return
	}
	if err := set(n.Value); err != nil {
		d.wrong(n, path, "%v", err)
	}
}

// pairs calls fn for each key of a mapping; doubled keys and keys that are no
// strings are mistakes.
func (d *decoder) pairs(n *yaml.Node, path string, fn func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, "expected a mapping, found %s", nodeName(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag != "!!str" {
			d.wrong(k, path, "expected a key that is a string, found %s", nodeName(k))
			continue
		}
		if line, twice := first[k.Value]; twice {
			d.wrong(k, path, "key %q is there twice, first on line %d", k.Value, line)
			continue
		}
		first[k.Value] = k.Line
		fn(k, v)
	}
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string, depth int) {
	fields := map[string]int{}
	var known []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = i
			known = append(known, name)
		}
	}
	d.pairs(n, path, func(k, value *yaml.Node) {
		i, ok := fields[k.Value]
		if !ok {
			d.wrong(k, path, "unknown key %.60q%s", k.Value, suggest(k.Value, known))
			return
		}
		d.decode(value, v.Field(i), join(path, k.Value), depth+1)
	})
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string, depth int) {
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, func(k, value *yaml.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, item, join(path, k.Value), depth+1)
		v.SetMapIndex(reflect.ValueOf(k.Value), item)
	})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func suggest(key string, known []string) string {
	if len(key) > 60 {
		return ""
	}
	best, distance := "", 4
	for _, k := range known {
		if n := levenshtein.ComputeDistance(strings.ToLower(key), strings.ToLower(k)); n < distance {
			best, distance = k, n
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; the keys here are " + strings.Join(known, ", ")
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindName(t.Elem())
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	default:
		return "a value"
	}
}

func nodeName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return fmt.Sprintf("%.60q", n.Value)
	default:
		return "something else"
	}
}
