package delivery

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/values"
)

// variable is one that a Flux Kustomization substitutes.
type variable struct {
	name  string
	value *values.Node
	// from is the object that has it, nil when that is the Kustomization.
	from *object
}

// in names the place of the variable for people.
func (v *variable) in() string {
	if v.from == nil {
		return "spec.postBuild.substitute." + v.name
	}
	return v.name + " of " + v.from.title()
}

// given are the variables of a Flux Kustomization that can be read here, each as
// Flux takes it (of github.com/fluxcd/pkg/kustomize, loadVars): those in place
// before those of sources, and of these the last.
func (w *way) given(by *object) ([]variable, error) {
	f := by.fields()
	var all []variable
	taken := map[string]bool{}
	if table := f.table("spec", "postBuild", "substitute"); table != nil {
		for _, v := range table.Fields {
			taken[v.Key] = true
			all = append(all, variable{name: v.Key, value: v.Value})
		}
	}
	for _, ref := range slices.Backward(f.list("spec", "postBuild", "substituteFrom")) {
		at := f.below(ref)
		source := w.source(by, at.text("kind"), at.text("name"))
		if at.err != nil {
			return nil, at.err
		}
		if source == nil {
			continue
		}
		for _, v := range source.entries() {
			if !taken[v.name] && v.value != nil {
				all = append(all, v)
			}
			taken[v.name] = true
		}
	}
	return all, f.err
}

// source is the ConfigMap or Secret that variables come from, nil when it is not
// among the objects, or when several may be it.
func (w *way) source(by *object, kind, name string) *object {
	if kind != kindConfigMap && kind != kindSecret {
		return nil
	}
	var found *object
	for _, o := range w.x.objects {
		if o.kind != kind || o.name != name || o.cluster != "" && o.cluster != w.cluster || !o.sharesNamespace(by) {
			continue
		}
		if found != nil {
			return nil
		}
		found = o
	}
	return found
}

// entries are the keys of a ConfigMap or Secret, each once. Those whose values are
// not to be seen have none: what is encrypted, and what another Kustomization may
// substitute on its way.
func (o *object) entries() []variable {
	sections := []string{"data"}
	if o.kind == kindSecret {
		sections = []string{"stringData", "data"} // of which the first wins
	}
	var all []variable
	for _, section := range sections {
		table := o.node.Get(section)
		if table == nil {
			continue
		}
		for _, f := range table.Fields {
			if !slices.ContainsFunc(all, func(v variable) bool { return v.name == f.Key }) {
				all = append(all, variable{name: f.Key, value: o.seen(section, f.Value), from: o})
			}
		}
	}
	return all
}

// seen is the value under a key, nil when it is not to be seen.
func (o *object) seen(section string, n *values.Node) *values.Node {
	switch {
	case o.node.Get("sops") != nil || n.Kind == values.Null || strings.Contains(n.Text, "$"):
		return nil
	case o.kind == kindSecret && section == "data":
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(n.Text))
		if err != nil {
			return nil
		}
		n = newText(n, string(raw))
	}
	if encrypted(n.Text) {
		return nil
	}
	return n
}
