package delivery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// parameters appends the layers of helm.parameters and helm.fileParameters.
// Argo CD keeps them by name, the last of a name, and gives them to Helm in no
// order: two of which one is part of the other are refused.
func (a *argoSource) parameters(r *gate.Release) error {
	typed, texts := map[string]values.Assignment{}, map[string]values.Assignment{}
	for _, p := range a.spec.list("helm", "parameters") {
		f := a.spec.below(p)
		name, value := f.text("name"), f.get("value")
		set := values.Assignment{Name: name, Position: p.Position()}
		if value != nil {
			set.Position = value.Position()
			text, err := a.expand(value, f.text("value"))
			if err != nil {
				return err
			}
			set.Value = cleaned(text)
		}
		if f.err != nil {
			return f.err
		}
		if f.flag("forceString") {
			set.How = values.SetString
			texts[name] = set
		} else {
			typed[name] = set
		}
	}
	contents, err := a.fileParameters()
	if err != nil {
		return err
	}
	for _, layer := range []struct {
		name string
		set  map[string]values.Assignment
	}{{layerParameter, typed}, {layerParameter, texts}, {layerFileParameter, contents}} {
		list, err := a.ordered(layer.set)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			r.Layers = append(r.Layers, gate.Layer{Name: layer.name, Set: list})
		}
	}
	return nil
}

// fileParameters are parameters whose value is the content of a file.
func (a *argoSource) fileParameters() (map[string]values.Assignment, error) {
	all := map[string]values.Assignment{}
	for _, p := range a.spec.list("helm", "fileParameters") {
		f := a.spec.below(p)
		name, at := f.text("name"), f.get("path")
		if at == nil || f.err != nil {
			if f.err == nil {
				f.wrong(p, []string{"helm", "fileParameters"}, "a path")
			}
			return nil, f.err
		}
		file, err := a.resolve(at)
		if err != nil {
			return nil, err
		}
		data, err := a.x.tree.Read(file, maxText)
		if err != nil {
			return nil, a.fail(at, fmt.Sprintf("names the file %s, which cannot be read", file), "add it, or correct the path")
		}
		a.files = append(a.files, file)
		all[name] = values.Assignment{Name: name, Value: string(data), How: values.SetFile, Position: at.Position()}
	}
	return all, nil
}

// ordered are assignments sorted by name, none of which is part of another.
func (a *argoSource) ordered(set map[string]values.Assignment) ([]values.Assignment, error) {
	list := make([]values.Assignment, 0, len(set))
	for _, p := range set {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b values.Assignment) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range list {
		for i := range p.Name {
			if p.Name[i] != '.' && p.Name[i] != '[' {
				continue
			}
			if other, ok := set[p.Name[:i]]; ok {
				return nil, &Error{
					Position: p.Position, Object: a.app.title(),
					Problem: fmt.Sprintf("parameter %q is a part of parameter %q, and Argo CD gives the two to Helm in no certain order", p.Name, other.Name),
					Remedy:  "keep one of them",
				}
			}
		}
	}
	return list, nil
}

// cleaned is a parameter's value as Argo CD writes it for Helm: commas are part
// of the value, except in a list in braces.
func cleaned(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var b strings.Builder
	var before rune
	for _, r := range value {
		if r == ',' && before != '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}
