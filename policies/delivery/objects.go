package delivery

import (
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// The kinds that are looked at.
const (
	kindApplication    = "Application"
	kindApplicationSet = "ApplicationSet"
	kindHelmRelease    = "HelmRelease"
	kindKustomization  = "Kustomization" // Flux's, not Kustomize's
	kindGitRepository  = "GitRepository"
	kindConfigMap      = "ConfigMap"
	kindSecret         = "Secret"
	kindSealedSecret   = "SealedSecret"
	kindExternalSecret = "ExternalSecret"
)

// groups are the API groups of the kinds: other groups have kinds of the same
// names.
func group(kind string) string {
	switch kind {
	case kindApplication, kindApplicationSet:
		return "argoproj.io"
	case kindHelmRelease:
		return "helm.toolkit.fluxcd.io"
	case kindKustomization:
		return "kustomize.toolkit.fluxcd.io"
	case kindSealedSecret:
		return "bitnami.com"
	case kindExternalSecret:
		return "external-secrets.io"
	case "HelmChart", "HelmRepository", kindGitRepository, "OCIRepository", "Bucket":
		return "source.toolkit.fluxcd.io"
	case kindConfigMap, kindSecret:
		return ""
	}
	return "*"
}

// object is a Kubernetes object that lies in the repository.
type object struct {
	kind, name, namespace string
	node                  *values.Node
	// source are the bytes of the file that node's places are in, nil when the
	// object was built.
	source []byte
	// cluster is what "${cluster}" stood for in the path that led here, and
	// named what it stood for in the object's name.
	cluster, named string
	// files are the files the object comes from.
	files []string
	// was is node before variables were put in; nil when there were none.
	was *values.Node
	// parts say where the lines of strings are that came from other files.
	parts map[*values.Node]values.Part
}

// newObjects makes objects of a document, one for each item of a List. What is
// no object of a known group is left out.
func newObjects(doc *values.Node, like object) []*object {
	if doc.Kind != values.Map {
		return nil
	}
	kind := textOf(doc.Get("kind"))
	if items := doc.Get("items"); strings.HasSuffix(kind, "List") && items != nil {
		var all []*object
		for _, item := range items.Items {
			all = append(all, newObjects(item, like)...)
		}
		return all
	}
	apiVersion := textOf(doc.Get("apiVersion"))
	has, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		has = ""
	}
	if want := group(kind); kind == "" || apiVersion == "" || want != "*" && want != has {
		return nil
	}
	o := like
	o.kind, o.node = kind, doc
	if meta := doc.Get("metadata"); meta != nil {
		o.name, o.namespace = textOf(meta.Get("name")), textOf(meta.Get("namespace"))
	}
	return []*object{&o}
}

func textOf(n *values.Node) string {
	if n == nil || n.Kind != values.String {
		return ""
	}
	return n.Text
}

func (o *object) delivers() bool {
	return o.kind == kindApplication || o.kind == kindApplicationSet || o.kind == kindHelmRelease
}

// title names the object for people.
func (o *object) title() string {
	if o.namespace != "" {
		return o.kind + " " + o.namespace + "/" + o.name
	}
	return o.kind + " " + o.name
}

// position is where the object begins.
func (o *object) position() finding.Position {
	for _, f := range o.node.Fields {
		if f.Key == "metadata" {
			return f.Value.Position()
		}
	}
	return o.node.Position()
}

func (o *object) fail(problem, remedy string) error { return o.failAt(o.node, problem, remedy) }

func (o *object) failAt(n *values.Node, problem, remedy string) error {
	at := o.position()
	if n != nil && n != o.node {
		at = n.Position()
	}
	return &Error{Position: at, Object: o.title(), Problem: problem, Remedy: remedy}
}

// fields reads the fields of the object's node.
func (o *object) fields() *fields { return &fields{object: o, node: o.node} }

// fields reads typed fields of a map. The first field of a wrong kind is kept
// in err, and everything reads as not there after it.
type fields struct {
	object *object
	node   *values.Node
	err    error
}

// get is the value at a path, nil when there is none or it is null.
func (f *fields) get(path ...string) *values.Node {
	n := f.node
	for _, key := range path {
		if n == nil || f.err != nil {
			return nil
		}
		if n.Kind != values.Map {
			f.wrong(n, path, "a map")
			return nil
		}
		n = n.Get(key)
		if n != nil && n.Kind == values.Null {
			return nil
		}
	}
	return n
}

func (f *fields) wrong(n *values.Node, path []string, want string) {
	if f.err == nil {
		f.err = f.object.failAt(n, fmt.Sprintf("%s: expected %s, found %s", strings.Join(path, "."), want, n.Kind), "correct the object")
	}
}

func (f *fields) of(kind values.Kind, path []string) *values.Node {
	n := f.get(path...)
	if n == nil || f.err != nil {
		return nil
	}
	if n.Kind != kind {
		f.wrong(n, path, kind.String())
		return nil
	}
	return n
}

func (f *fields) text(path ...string) string { return textOf(f.of(values.String, path)) }

func (f *fields) flag(path ...string) bool {
	n := f.of(values.Bool, path)
	return n != nil && n.Num != 0
}

func (f *fields) list(path ...string) []*values.Node {
	n := f.of(values.List, path)
	if n == nil {
		return nil
	}
	return n.Items
}

func (f *fields) table(path ...string) *values.Node { return f.of(values.Map, path) }

// texts are the items of a list of strings.
func (f *fields) texts(path ...string) []*values.Node {
	items := f.list(path...)
	for _, item := range items {
		if item.Kind != values.String {
			f.wrong(item, path, "a list of strings")
			return nil
		}
	}
	return items
}

// below reads the fields of a value of the same object.
func (f *fields) below(n *values.Node) *fields {
	return &fields{object: f.object, node: n, err: f.err}
}

// newMap makes a map at the place of another value.
func newMap(at *values.Node, list ...values.Field) *values.Node {
	n := &values.Node{Kind: values.Map, Fields: list}
	if at != nil {
		n.File, n.Line, n.Column = at.File, at.Line, at.Column
	}
	return n
}

// newText makes a string at the place of another value.
func newText(at *values.Node, text string) *values.Node {
	n := &values.Node{Kind: values.String, Text: text}
	if at != nil {
		n.File, n.Line, n.Column = at.File, at.Line, at.Column
	}
	return n
}
