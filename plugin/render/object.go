package render

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/internal/yamlnode"
)

// Object is one Kubernetes object, or one list of objects, as text.
type Object struct {
	Head
	// Source is the file it comes from, for people.
	Source string
	// Data is one YAML document without separators: what the file or the
	// template holds, byte for byte.
	Data []byte
	// Sum is the SHA-256 of Data; zero when nobody has needed it yet.
	Sum [sha256.Size]byte
	// Items are the heads of the objects in it when Kind is a list, which
	// Argo CD takes apart.
	Items []Head
}

// Head is what tells one object from another.
type Head struct {
	APIVersion  string
	Kind        string
	Namespace   string
	Name        string
	Annotations map[string]string
}

// Heads are the objects that o stands for: its items when it is a list,
// otherwise itself.
func (o Object) Heads() []Head {
	if isList(o.Kind) {
		return o.Items
	}
	return []Head{o.Head}
}

// String is how messages name an object: "Deployment mattermost/web".
func (h Head) String() string {
	if h.Namespace == "" {
		return h.Kind + " " + h.Name
	}
	return h.Kind + " " + h.Namespace + "/" + h.Name
}

// isList follows Argo CD, which takes every kind of that form apart.
func isList(kind string) bool { return strings.HasSuffix(kind, "List") }

// ObjectError says where a document is no Kubernetes object.
type ObjectError struct {
	// File, Line and Column are the place; Line and Column are 0 when the
	// whole file is meant.
	File         string
	Line, Column int
	// Rendered is true when the lines are those of the rendered template.
	Rendered bool
	Problem  string
	Remedy   string
}

// Error is one line.
func (e *ObjectError) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Rendered {
		place += " (as rendered)"
	}
	return fmt.Sprintf("%s: %s; %s", place, e.Problem, e.Remedy)
}

// document is a YAML document in a file: text and where it starts.
type document struct {
	file string
	line int // of its first byte, from 1
	data []byte
	// rendered is true for what a template gave.
	rendered bool
	// strict refuses a key that is there twice at any depth. Helm does not
	// look, so what charts give is held to it only where objects are told
	// apart.
	strict bool
}

func (d document) fail(line, column int, problem, remedy string) error {
	if line > 0 {
		line += d.line - 1
	}
	return &ObjectError{
		File: d.file, Line: line, Column: column, Rendered: d.rendered,
		Problem: problem, Remedy: remedy,
	}
}

// object reads the head of a document. ok is false for one without content.
func (d document) object(limits Limits) (o Object, ok bool, err error) {
	data := bytes.TrimSpace(d.data)
	if len(data) == 0 {
		return Object{}, false, nil
	}
	var root yaml.Node
	if err := yaml.Load(d.data, &root); err != nil {
		if onlyComments(data) {
			return Object{}, false, nil
		}
		return Object{}, false, d.syntax(err)
	}
	n := &root
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return Object{}, false, nil
	}
	if err := d.check(n, limits); err != nil {
		return Object{}, false, err
	}
	o = Object{Source: d.file, Data: d.text()}
	if o.Head, err = d.head(n); err != nil {
		return Object{}, false, err
	}
	if isList(o.Kind) {
		o.Items, err = d.items(n)
	}
	return o, err == nil, err
}

// text is the document without the white space around it.
func (d document) text() []byte {
	return bytes.TrimRight(bytes.TrimLeft(d.data, "\r\n"), " \t\r\n")
}

// syntax is the parser's error with the place in the file.
func (d document) syntax(err error) error {
	var le *yaml.LoadError
	if errors.As(err, &le) {
		return d.fail(le.Mark.Line, le.Mark.Column, "is not valid YAML: "+le.Message, "correct the YAML")
	}
	return d.fail(1, 1, "is not valid YAML: "+err.Error(), "correct the YAML")
}

func onlyComments(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// check refuses what other readers of the same text would take differently:
// separators inside of it, keys that are there twice, aliases that explode.
func (d document) check(n *yaml.Node, limits Limits) error {
	if i := indexLine(d.data, "---"); i > 0 {
		return d.fail(i, 1, "a line inside of a document starts with ---", "indent the line, or put a line with nothing but --- between two objects")
	}
	w := nodeWalk{doc: d, limit: limits.Aliases, size: map[*yaml.Node]int{}}
	_, err := w.visit(n)
	return err
}

// indexLine is the number, from 1, of the first line that starts with prefix;
// 0 when there is none.
func indexLine(data []byte, prefix string) int {
	i := 0
	for line := range bytes.Lines(data) {
		i++
		if bytes.HasPrefix(line, []byte(prefix)) {
			return i
		}
	}
	return 0
}

// head reads what tells the object n from others.
func (d document) head(n *yaml.Node) (Head, error) {
	if n = yamlnode.Follow(n); n.Kind != yaml.MappingNode {
		return Head{}, d.fail(n.Line, n.Column, "expected a Kubernetes object, found "+kindName(n),
			"remove it, or move it out of what is rendered")
	}
	var h Head
	for _, f := range []struct {
		to   *string
		path []string
		must bool
	}{
		{&h.APIVersion, []string{"apiVersion"}, true},
		{&h.Kind, []string{"kind"}, true},
		{&h.Name, []string{"metadata", "name"}, false},
		{&h.Namespace, []string{"metadata", "namespace"}, false},
	} {
		v := yamlnode.Find(n, f.path...)
		if v != nil && v.Tag != "!!null" {
			if v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
				return Head{}, d.fail(v.Line, v.Column, "expected a string as "+strings.Join(f.path, "."), "write it in quotes")
			}
			*f.to = v.Value
		}
		if f.must && *f.to == "" {
			return Head{}, d.fail(n.Line, n.Column, "expected a Kubernetes object, found one without "+strings.Join(f.path, "."),
				"set it, or move the file out of what is rendered")
		}
	}
	if a := yamlnode.Find(n, "metadata", "annotations"); a != nil && a.Kind == yaml.MappingNode {
		h.Annotations = map[string]string{}
		for i := 0; i+1 < len(a.Content); i += 2 {
			h.Annotations[a.Content[i].Value] = yamlnode.Follow(a.Content[i+1]).Value
		}
	}
	if h.Name == "" && !isList(h.Kind) && yamlnode.Find(n, "metadata", "generateName") == nil {
		return Head{}, d.fail(n.Line, n.Column, "found a "+h.Kind+" without metadata.name", "name it")
	}
	return h, nil
}

func (d document) items(n *yaml.Node) ([]Head, error) {
	list := yamlnode.Find(yamlnode.Follow(n), "items")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, nil
	}
	heads := make([]Head, 0, len(list.Content))
	for _, item := range list.Content {
		h, err := d.head(item)
		if err != nil {
			return nil, err
		}
		heads = append(heads, h)
	}
	return heads, nil
}
