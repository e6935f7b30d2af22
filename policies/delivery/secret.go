package delivery

import (
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// Title names the object of a document by kind and name, "Deployment web"; ""
// when it is none.
func Title(doc *values.Node) string {
	kind := textOf(doc.Get("kind"))
	meta := doc.Get("metadata")
	if kind == "" || meta == nil || textOf(meta.Get("name")) == "" {
		return ""
	}
	return kind + " " + textOf(meta.Get("name"))
}

// Files are the files of the tree that a glob names, sorted.
func Files(t *tree.Tree, text string) ([]string, error) {
	x := &expansion{tree: t}
	g, err := compile(text, "/")
	if err != nil {
		return nil, err
	}
	found, err := x.walk(g, false)
	names := make([]string, len(found))
	for i, p := range found {
		names[i] = p.path
	}
	slices.Sort(names)
	return names, err
}

// SeenOfSecret is what can be seen of a Secret in a document that holds it: that
// it is there, and its keys by name; nil when the document does not hold it.
// Nothing is decrypted, and no value is shown.
func SeenOfSecret(doc *values.Node, name string) *values.Node {
	objects := newObjects(doc, object{})
	if len(objects) == 0 {
		if doc.Get("kind") == nil && doc.Get("sops") != nil {
			return seen(doc, leaves(doc, ""))
		}
		return nil
	}
	for _, o := range objects {
		f := o.fields()
		switch o.kind {
		case kindSealedSecret:
			if o.name == name {
				return seen(o.node, keysOf(f.table("spec", "encryptedData")))
			}
		case kindSecret:
			if o.name == name {
				return seen(o.node, append(keysOf(f.table("data")), keysOf(f.table("stringData"))...))
			}
		case kindExternalSecret:
			target := f.text("spec", "target", "name")
			if target != name && (target != "" || o.name != name) {
				continue
			}
			var keys []field
			for _, d := range f.list("spec", "data") {
				if d.Kind == values.Map && textOf(d.Get("secretKey")) != "" {
					keys = append(keys, field{textOf(d.Get("secretKey")), d})
				}
			}
			n := seen(o.node, keys)
			if from := f.get("spec", "dataFrom"); from != nil {
				n = n.With("dataFrom", from)
			}
			return n
		}
	}
	return nil
}

// field is a key and where it stands.
type field struct {
	name string
	at   *values.Node
}

func keysOf(table *values.Node) []field {
	if table == nil {
		return nil
	}
	var keys []field
	for _, f := range table.Fields {
		keys = append(keys, field{f.Key, f.Value})
	}
	return keys
}

// leaves are the key paths of a file that SOPS encrypted.
func leaves(n *values.Node, path string) []field {
	var all []field
	for _, f := range n.Fields {
		name := strings.TrimPrefix(path+"."+f.Key, ".")
		if name == "sops" {
			continue
		}
		if f.Value.Kind == values.Map {
			all = append(all, leaves(f.Value, name)...)
			continue
		}
		all = append(all, field{name, f.Value})
	}
	return all
}

func seen(at *values.Node, keys []field) *values.Node {
	place := at
	if meta := at.Get("metadata"); meta != nil {
		place = meta
	}
	slices.SortFunc(keys, func(a, b field) int { return strings.Compare(a.name, b.name) })
	list := &values.Node{Kind: values.List, File: place.File, Line: place.Line, Column: place.Column}
	for _, k := range keys {
		list.Items = append(list.Items, newMap(k.at, values.Field{Key: "name", Value: newText(k.at, k.name)}))
	}
	found := &values.Node{Kind: values.Bool, Num: 1, File: place.File, Line: place.Line, Column: place.Column}
	return newMap(place, values.Field{Key: "found", Value: found}, values.Field{Key: "keys", Value: list})
}
