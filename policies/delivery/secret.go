package delivery

import (
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// The fields of what is seen of a Secret.
const (
	SecretFound = "found" // true when the Secret is there
	SecretKeys  = "keys"  // its keys, each a map with their name
	SecretPlain = "plain" // names of keys whose values anybody can read, where they stand
	// SecretElsewhere is the namespace of one of that name that is not the one
	// asked for. It stands alone.
	SecretElsewhere = "elsewhere"
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

// SeenOfSecret is what can be seen of a Secret in a document, once for each
// object there that makes one of that name: that it is there, its keys by name,
// and which of them anybody can read. Nothing is decrypted, and no value is
// shown. An object of another namespace makes another Secret; namespace is ""
// where it is not known. Errors are *Error.
func SeenOfSecret(doc *values.Node, name, namespace string) ([]*values.Node, error) {
	objects := newObjects(doc, object{})
	if len(objects) == 0 {
		if doc.Get("kind") == nil && doc.Get("sops") != nil {
			keys := leaves(doc, nil)
			return []*values.Node{seen(doc, keys, plainOf(doc, keys))}, nil
		}
		return nil, nil
	}
	var all []*values.Node
	for _, o := range objects {
		f := o.fields()
		if secretName(f) != name {
			continue
		}
		n := seenOfObject(doc, f)
		if f.err != nil {
			return nil, f.err
		}
		if n != nil && namespace != "" && o.namespace != "" && o.namespace != namespace {
			at := o.node.Get("metadata").Get("namespace")
			n = newMap(at, values.Field{Key: SecretElsewhere, Value: at})
		}
		if n != nil {
			all = append(all, n)
		}
	}
	return all, nil
}

// secretName is the name of the Secret that an object makes, "" when it makes
// none.
func secretName(f *fields) string {
	switch f.object.kind {
	case kindSealedSecret, kindSecret:
		return f.object.name
	case kindExternalSecret:
		if target := f.text("spec", "target", "name"); target != "" {
			return target
		}
		return f.object.name
	}
	return ""
}

func seenOfObject(doc *values.Node, f *fields) *values.Node {
	switch f.object.kind {
	case kindSealedSecret:
		// The template's data is put into the Secret beside what is unsealed.
		return seen(f.node, append(f.keys("spec", "encryptedData"), f.keys("spec", "template", "data")...), nil)
	case kindSecret:
		keys := append(f.keys("data"), f.keys("stringData")...)
		return seen(f.node, keys, plainOf(doc, keys))
	}
	return seenOfExternal(f)
}

// seenOfExternal is what is seen of an ExternalSecret, as the External Secrets
// Operator makes a Secret of it: with a template its data is that of the
// template, and what was fetched too only if there is none or it is to be merged.
func seenOfExternal(f *fields) *values.Node {
	policy := f.get("spec", "target", "creationPolicy")
	if textOf(policy) == "None" || f.get("spec", "target", "manifest") != nil {
		return nil // it makes no Secret
	}
	var fetched []field
	for _, d := range f.list("spec", "data") {
		if d.Kind == values.Map && textOf(d.Get("secretKey")) != "" {
			fetched = append(fetched, field{path: []string{textOf(d.Get("secretKey"))}, at: d})
		}
	}
	keys := f.keys("spec", "target", "template", "data")
	from := f.get("spec", "target", "template", "templateFrom")
	if len(keys) == 0 && from == nil || f.text("spec", "target", "template", "mergePolicy") == "Merge" {
		keys = append(keys, fetched...)
	}
	n := seen(f.node, keys, nil)
	// Which keys these give is not in the repository: they must be the same.
	if from != nil {
		n = n.With("templateFrom", from)
	}
	if from := f.get("spec", "dataFrom"); from != nil {
		n = n.With("dataFrom", from)
	}
	if textOf(policy) == "Merge" { // adds to a Secret that something else makes
		n = n.With("creationPolicy", policy)
	}
	return n
}

// field is a key, with those above it, and where it stands.
type field struct {
	path []string
	at   *values.Node
	// skip is how many of the first keys are no part of its name.
	skip int
}

func (f field) name() string { return strings.Join(f.path[f.skip:], ".") }

// keys are those of the map at a path.
func (f *fields) keys(path ...string) []field {
	table := f.table(path...)
	if table == nil {
		return nil
	}
	var keys []field
	for _, one := range table.Fields {
		keys = append(keys, field{append(slices.Clone(path), one.Key), one.Value, len(path)})
	}
	return keys
}

// leaves are the key paths of a file that SOPS encrypted.
func leaves(n *values.Node, path []string) []field {
	var all []field
	for _, f := range n.Fields {
		if len(path) == 0 && f.Key == "sops" {
			continue
		}
		below := append(slices.Clone(path), f.Key)
		if f.Value.Kind == values.Map {
			all = append(all, leaves(f.Value, below)...)
			continue
		}
		all = append(all, field{path: below, at: f.Value})
	}
	return all
}

func seen(at *values.Node, keys, plain []field) *values.Node {
	place := at
	if meta := at.Get("metadata"); meta != nil {
		place = meta
	}
	list := newList(place)
	for _, k := range byName(keys) {
		list.Items = append(list.Items, newMap(k.at, values.Field{Key: "name", Value: newText(k.at, k.name())}))
	}
	found := &values.Node{Kind: values.Bool, Num: 1, File: place.File, Line: place.Line, Column: place.Column}
	n := newMap(place, values.Field{Key: SecretFound, Value: found}, values.Field{Key: SecretKeys, Value: list})
	if len(plain) == 0 {
		return n
	}
	list = newList(plain[0].at)
	for _, k := range byName(plain) {
		list.Items = append(list.Items, newText(k.at, k.name()))
	}
	return n.With(SecretPlain, list)
}

// byName sorts keys; of one that stands twice, under data and stringData, it
// keeps one.
func byName(keys []field) []field {
	slices.SortStableFunc(keys, func(a, b field) int { return strings.Compare(a.name(), b.name()) })
	return slices.CompactFunc(keys, func(a, b field) bool { return a.name() == b.name() })
}

func newList(at *values.Node) *values.Node {
	return &values.Node{Kind: values.List, File: at.File, Line: at.Line, Column: at.Column}
}
