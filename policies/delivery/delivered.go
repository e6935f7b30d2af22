package delivery

import (
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/values"
)

// The fields that say where a source comes from, and those that say how one that is
// no chart is read.
func whence() []string { return []string{"repoURL", "chart", "path", "targetRevision", "tagPrefix"} }
func manner() []string { return []string{"directory", "kustomize", "plugin"} }

// described is a source with those of its fields that are named.
func described(f *fields, keys ...string) *values.Node {
	out := newMap(f.node)
	for _, key := range keys {
		if n := f.get(key); n != nil {
			out.Fields = append(out.Fields, values.Field{Key: key, Value: n})
		}
	}
	return out
}

// delivered is what is compared of the source itself, which is the one at of all
// sources, and of what is applied with it.
func (a *argoSource) delivered(sources []*values.Node, at int) *values.Node {
	out := described(a.spec, whence()...)
	// Of an object that several sources have the last one is applied: the order counts.
	if n := a.beside(sources[:at]); n != nil {
		out.Fields = append(out.Fields, values.Field{Key: "before", Value: n})
	}
	if n := a.beside(sources[at+1:]); n != nil {
		out.Fields = append(out.Fields, values.Field{Key: "after", Value: n})
	}
	refs := newMap(a.spec.node)
	for name, s := range a.refs {
		if s == a.spec.node {
			continue
		}
		ref := described(a.spec.below(s), "repoURL", "targetRevision", "tagPrefix")
		refs.Fields = append(refs.Fields, values.Field{Key: strings.TrimPrefix(name, "$"), Value: ref})
	}
	if len(refs.Fields) > 0 {
		slices.SortFunc(refs.Fields, func(a, b values.Field) int { return strings.Compare(a.Key, b.Key) })
		out.Fields = append(out.Fields, values.Field{Key: "refs", Value: refs})
	}
	return out
}

// beside lists the sources among some that give objects of their own, nil when none
// does: one that others refer to and that has no path gives values files only.
func (a *argoSource) beside(sources []*values.Node) *values.Node {
	var list *values.Node
	for _, s := range sources {
		f := a.spec.below(s)
		valuesOnly := f.text("ref") != "" && f.text("path") == "" && f.text("chart") == ""
		if a.spec.err = firstError(a.spec.err, f.err); valuesOnly || f.err != nil {
			continue
		}
		if list == nil {
			list = &values.Node{Kind: values.List, File: s.File, Line: s.Line, Column: s.Column}
		}
		list.Items = append(list.Items, described(f, append(whence(), manner()...)...))
	}
	return list
}
