package delivery

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/policies/kustomize"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of one kustomization that gives objects.
const (
	maxBuildFiles = 2_000
	maxBuildBytes = 32 << 20
)

// readKustomization builds a kustomization and takes its objects.
func (x *expansion) readKustomization(ctx context.Context, p place) error {
	built, err := kustomize.Build(ctx, x.tree.FS(), p.path, kustomize.Limits{Files: maxBuildFiles, InputBytes: maxBuildBytes})
	if err != nil {
		return err
	}
	origins := newOrigins(built.Files, x.limits)
	files := make([]string, len(built.Files))
	for i, f := range built.Files {
		files[i] = f.Name
	}
	whole := path.Join(p.path, "kustomization.yaml")
	for _, o := range built.Objects {
		docs, err := values.Documents(o.Data, whole, x.limits)
		if err != nil {
			return err
		}
		for _, doc := range docs {
			for _, made := range newObjects(doc, object{cluster: p.cluster, files: files}) {
				made.node, made.parts = origins.locate(made, whole)
				x.objects = append(x.objects, made)
			}
		}
	}
	if len(x.objects) > maxObjects {
		return x.gateError("limit objects="+strconv.Itoa(maxObjects)+" hit: "+x.field+" finds more", "name fewer kustomizations")
	}
	return nil
}

// origins are the files that a build has read: where what it gives comes from
// is found again by what stands there. The values are those of the build; only
// their places are looked for, and what is nowhere to be found is at the
// kustomization as a whole.
type origins struct {
	docs  []origin // the strongest last
	files map[string]string
}

// origin is a document, or the operations of a JSON patch.
type origin struct {
	node   *values.Node
	source []byte
	ops    []operation
}

// operation sets what is at a path.
type operation struct {
	path  []string
	value *values.Node
}

func newOrigins(files []kustomize.File, limits values.Limits) *origins {
	o := &origins{files: map[string]string{}}
	var inline []origin
	for _, f := range files {
		o.files[string(f.Data)] = f.Name
		docs, err := values.Documents(f.Data, f.Name, limits)
		if ops := operations(f.Data, values.Part{File: f.Name}, limits); ops != nil {
			o.docs = append(o.docs, origin{ops: ops})
		} else if err == nil {
			for _, doc := range docs {
				o.docs = append(o.docs, origin{node: doc, source: f.Data})
				inline = append(patchesIn(doc, f.Data, limits), inline...)
			}
		}
	}
	o.docs = append(o.docs, inline...)
	return o
}

// patchesIn are the patches that are written out in a kustomization.
func patchesIn(doc *values.Node, source []byte, limits values.Limits) []origin {
	var found []origin
	for _, list := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
		n := doc.Get(list)
		if n == nil {
			continue
		}
		for _, item := range n.Items {
			text := item
			if item.Kind == values.Map {
				text = item.Get("patch")
			}
			if text == nil || text.Kind != values.String || !strings.Contains(text.Text, ":") {
				continue
			}
			part := values.Block(text, source)
			if ops := operations([]byte(text.Text), part, limits); ops != nil {
				found = append(found, origin{ops: ops})
			} else if patch, err := values.ParsePart([]byte(text.Text), part, limits); err == nil {
				found = append(found, origin{node: patch, source: source})
			}
		}
	}
	return found
}

// operations reads a JSON patch written as YAML; nil when data is none.
func operations(data []byte, part values.Part, limits values.Limits) []operation {
	if text := strings.TrimLeft(string(data), " \n-"); !strings.HasPrefix(text, "op:") && !strings.HasPrefix(text, "path:") && !strings.HasPrefix(text, "[") {
		return nil
	}
	wrapped := append([]byte("list:\n"), data...)
	if part.Line > 0 {
		part.Line--
	}
	n, err := values.ParsePart(wrapped, part, limits)
	if err != nil || n.Get("list") == nil {
		return nil
	}
	var ops []operation
	for _, item := range n.Get("list").Items {
		if item.Kind != values.Map || item.Get("path") == nil || item.Get("value") == nil {
			continue
		}
		at := strings.Split(strings.TrimPrefix(item.Get("path").Text, "/"), "/")
		for i := range at {
			at[i] = strings.ReplaceAll(strings.ReplaceAll(at[i], "~1", "/"), "~0", "~")
		}
		ops = append(ops, operation{at, item.Get("value")})
	}
	return ops
}

// locate is the object's node with the places of what it is made of, and where
// the lines of its strings are.
func (o *origins) locate(made *object, whole string) (*values.Node, map[*values.Node]values.Part) {
	l := &locator{origins: o, kind: made.kind, name: made.name, whole: whole, parts: map[*values.Node]values.Part{}}
	return l.node(made.node, nil), l.parts
}

// locator finds the places of one object.
type locator struct {
	*origins
	kind, name, whole string
	parts             map[*values.Node]values.Part
}

// candidates are what stands at a path, the strongest first.
func (l *locator) candidates(path []string, visit func(n *values.Node, source []byte) bool) {
	for _, doc := range slices.Backward(l.docs) {
		if doc.ops != nil {
			for _, op := range slices.Backward(doc.ops) {
				if len(path) >= len(op.path) && slices.Equal(path[:len(op.path)], op.path) {
					if n := at(op.value, path[len(op.path):]); n != nil && visit(n, nil) {
						return
					}
				}
			}
			continue
		}
		if textOf(doc.node.Get("kind")) != l.kind {
			continue
		}
		if n := at(doc.node, path); n != nil && visit(n, doc.source) {
			return
		}
	}
}

// at is what stands at a path below n, nil when nothing.
func at(n *values.Node, path []string) *values.Node {
	for _, step := range path {
		switch n.Kind {
		case values.Map:
			n = n.Get(step)
		case values.List:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n.Items) {
				return nil
			}
			n = n.Items[i]
		default:
			return nil
		}
		if n == nil {
			return nil
		}
	}
	return n
}

func (l *locator) node(n *values.Node, path []string) *values.Node {
	out := *n
	out.File, out.Line, out.Column = l.whole, 0, 0
	found := false
	l.candidates(path, func(c *values.Node, source []byte) bool {
		if c.Kind != n.Kind || n.Kind < values.Map && (c.Num != n.Num || c.Text != n.Text) {
			return false
		}
		out.File, out.Line, out.Column, found = c.File, c.Line, c.Column, true
		if n.Kind == values.String && source != nil && strings.Contains(n.Text, "\n") {
			l.parts[&out] = values.Block(c, source)
		}
		return true
	})
	below := func(step string) []string { return append(path[:len(path):len(path)], step) }
	switch n.Kind {
	case values.String:
		if name, ok := l.files[n.Text]; ok && !found && n.Text != "" { // a generator took it from there
			out.File, out.Line, out.Column = name, 1, 1
			l.parts[&out] = values.Part{File: name}
		}
	case values.Map:
		fresh := newMap(&out)
		for _, f := range n.Fields {
			fresh.Fields = append(fresh.Fields, values.Field{Key: f.Key, Value: l.node(f.Value, below(f.Key))})
		}
		return fresh
	case values.List:
		out.Items = make([]*values.Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = l.node(item, below(strconv.Itoa(i)))
		}
	default:
	}
	return &out
}
