package delivery

import (
	"fmt"
	"slices"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// unread is the layer of a reference that cannot be read in Git. With a target
// path it sets that path, to what is not known; without one it may set anything.
func (h *fluxRelease) unread(ref *fields, key, why string) (gate.Layer, error) {
	h.hide(ref, key, why)
	title := ref.text("kind") + " " + ref.text("name")
	layer := gate.Layer{Name: title, Opaque: fmt.Sprintf("%s, key %s: %s", title, key, why)}
	target := ref.text("targetPath")
	if target == "" || ref.err != nil {
		return layer, ref.err
	}
	if ref.flag("optional") && !h.x.shows(h.object, ref.text("name"), key) {
		remedy := "take optional away, name what makes it (a SealedSecret, an ExternalSecret or a Secret that shows the key) in files of spec.clustersFrom, or set the value in values alone"
		if ref.text("kind") == kindConfigMap {
			remedy = "name the file or kustomization that has it in spec.clustersFrom, or take the reference out"
		}
		return layer, h.object.failAt(ref.node, fmt.Sprintf("valuesFrom takes %s from key %s of %s if it is there, and that is not known here (%s)", target, key, title, why), remedy)
	}
	set := values.Assignment{
		Name: target, Value: fmt.Sprintf("<from %s, key %s>", title, key), How: values.SetFile, // which takes the text as it is
		Position: ref.node.Position(), Unknown: true,
	}
	if ref.flag("literal") {
		set.How = values.SetLiteral
	}
	layer.Set = []values.Assignment{set}
	return layer, ref.err
}

// shows reports whether an object that user sees shows a key of a Secret, though
// not what it holds. One that cannot be understood shows none.
func (x *expansion) shows(user *object, name, key string) bool {
	return slices.ContainsFunc(x.objects, func(o *object) bool {
		if !o.sees(user) || !o.sharesNamespace(user) || o.kind == kindConfigMap {
			return false
		}
		seen, err := SeenOfSecret(o.node, name, "")
		return err == nil && slices.ContainsFunc(seen, func(s *values.Node) bool {
			return slices.ContainsFunc(s.Get(SecretKeys).Items, func(n *values.Node) bool { return textOf(n.Get("name")) == key })
		})
	})
}

// hide remembers a reference that cannot be read, to be compared as what it is.
func (h *fluxRelease) hide(ref *fields, key, why string) {
	at := ref.node
	if h.opaque == nil {
		h.opaque = &values.Node{Kind: values.List, File: at.File, Line: at.Line, Column: at.Column}
	}
	item := newMap(at,
		values.Field{Key: "kind", Value: newText(at, ref.text("kind"))},
		values.Field{Key: "name", Value: newText(at, ref.text("name"))},
		values.Field{Key: "entry", Value: newText(at, key)},
		values.Field{Key: "found", Value: newText(at, why)})
	if target := ref.get("targetPath"); target != nil {
		item.Fields = append(item.Fields, values.Field{Key: "targetPath", Value: target})
	}
	h.opaque.Items = append(h.opaque.Items, item)
}
