package delivery

import (
	"fmt"
	"maps"
	"strings"

	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of an ApplicationSet.
const (
	maxParameterSets = 20_000 // of one ApplicationSet
	maxNesting       = 3      // generators in generators: a matrix of a matrix
)

// appSet is an ApplicationSet that is expanded: of Argo CD 2.14, applicationset
// (generators, utils, controllers/template).
type appSet struct {
	x      *expansion
	object *object
	render *renderer
	nested bool // spec.applyNestedSelectors
	made   int
}

// applicationSet makes the Applications of an ApplicationSet.
func (x *expansion) applicationSet(o *object) ([]*object, error) {
	f := o.fields()
	s := &appSet{x: x, object: o, nested: f.flag("spec", "applyNestedSelectors")}
	s.render = &renderer{object: o, goTemplate: f.flag("spec", "goTemplate")}
	for _, option := range f.texts("spec", "goTemplateOptions") {
		s.render.options = append(s.render.options, option.Text)
	}
	template := f.table("spec", "template")
	generators := f.list("spec", "generators")
	if f.err != nil {
		return nil, f.err
	}
	if template == nil || len(generators) == 0 {
		return nil, o.fail("has no template or no generators", "give it spec.template and spec.generators")
	}
	var all []*object
	for _, g := range generators {
		own, err := s.templateOf(f.below(g), template)
		if err != nil {
			return nil, err
		}
		sets, err := s.generate(f.below(g), nil, 0)
		if err != nil {
			return nil, err
		}
		for _, params := range sets {
			app, err := s.instance(own, params)
			if err != nil {
				return nil, err
			}
			all = append(all, app)
		}
	}
	return all, nil
}

// instance is the Application of one set of parameters.
func (s *appSet) instance(template *values.Node, params map[string]any) (*object, error) {
	var failed error
	replace := &substitution{keys: true, do: func(n *values.Node) string {
		text, err := s.render.text(n, params)
		if err != nil && failed == nil {
			failed = err
		}
		return text
	}}
	node := template
	if len(params) > 0 {
		node = replace.node(template)
	}
	f := s.object.fields()
	if patch := f.of(values.String, []string{"spec", "templatePatch"}); patch != nil && failed == nil {
		text, err := s.render.text(patch, params)
		if err != nil {
			return nil, err
		}
		n, err := values.ParsePart([]byte(text), s.part(patch, text), s.x.limits)
		if err != nil {
			return nil, err
		}
		node = mergePatch(node, n)
	}
	if failed != nil || f.err != nil {
		return nil, firstError(failed, f.err)
	}
	o := *s.object
	o.kind, o.node = kindApplication, node
	o.parts = s.blocks(template, node)
	o.name = textOf(o.fields().get("metadata", "name"))
	if o.name == "" {
		return nil, s.object.failAt(template, "makes an Application without a name", "set spec.template.metadata.name")
	}
	return &o, nil
}

func firstError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// part is where the lines of a text are that was rendered of n.
func (s *appSet) part(n *values.Node, text string) values.Part {
	p := s.object.part(n)
	if strings.Count(n.Text, "\n") != strings.Count(text, "\n") {
		at := n.Position()
		return values.Part{File: n.File, Fixed: &at}
	}
	return p
}

// blocks are the places of helm.values of every source of a rendered template.
func (s *appSet) blocks(template, made *values.Node) map[*values.Node]values.Part {
	parts := map[*values.Node]values.Part{}
	was, is := valuesTexts(template), valuesTexts(made)
	for i, n := range is {
		if i < len(was) && len(was) == len(is) && was[i].Position() == n.Position() {
			parts[n] = s.part(was[i], n.Text)
		}
	}
	return parts
}

// valuesTexts are the helm.values of the sources of an Application.
func valuesTexts(app *values.Node) []*values.Node {
	spec := app.Get("spec")
	if spec == nil {
		return nil
	}
	sources := []*values.Node{spec.Get("source")}
	if list := spec.Get("sources"); list != nil {
		sources = append(sources, list.Items...)
	}
	var texts []*values.Node
	for _, src := range sources {
		if src == nil || src.Get("helm") == nil {
			continue
		}
		if n := src.Get("helm").Get("values"); n != nil && n.Kind == values.String {
			texts = append(texts, n)
		}
	}
	return texts
}

// templateOf is the template with what a generator's own template overrides.
func (s *appSet) templateOf(g *fields, template *values.Node) (*values.Node, error) {
	own := template
	for _, f := range g.node.Fields {
		if f.Value.Kind != values.Map {
			continue
		}
		if t := g.below(f.Value).table("template"); t != nil {
			own = filled(t, template)
		}
	}
	return own, g.err
}

// filled is a with what only b has. Empty texts count as not there; Helm's
// values are one thing.
func filled(a, b *values.Node) *values.Node {
	if a == nil || a.Kind == values.Null || a.Kind == values.String && a.Text == "" || a.Kind == values.List && len(a.Items) == 0 {
		return b
	}
	if a.Kind != values.Map || b == nil || b.Kind != values.Map {
		return a
	}
	out := newMap(a)
	for _, f := range a.Fields {
		v := f.Value
		if f.Key != "valuesObject" {
			v = filled(v, b.Get(f.Key))
		}
		out.Fields = append(out.Fields, values.Field{Key: f.Key, Value: v})
	}
	for _, f := range b.Fields {
		if a.Get(f.Key) == nil {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// generate gives the sets of parameters of a generator. above are those of the
// generator before it in a matrix.
func (s *appSet) generate(g *fields, above map[string]any, depth int) ([]map[string]any, error) {
	if depth > maxNesting {
		return nil, s.object.failAt(g.node, fmt.Sprintf("limit generatorDepth=%d hit: generators nest deeper", maxNesting), "write them flatter")
	}
	sel, err := readSelector(g, g.table("selector"))
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, f := range g.node.Fields {
		if f.Key != "selector" && f.Value.Kind != values.Null {
			kinds = append(kinds, f.Key)
		}
	}
	if len(kinds) != 1 {
		return nil, s.object.failAt(g.node, fmt.Sprintf("expected one generator in the item, found %d", len(kinds)), "write one generator an item")
	}
	spec := g.below(g.table(kinds[0]))
	if g.err != nil {
		return nil, g.err
	}
	if len(above) > 0 {
		if spec.node, err = s.interpolated(spec.node, above); err != nil {
			return nil, err
		}
	}
	sets, err := s.kind(kinds[0], spec, depth)
	if err != nil {
		return nil, err
	}
	if s.made += len(sets); s.made > maxParameterSets {
		return nil, s.object.failAt(g.node, fmt.Sprintf("limit parameterSets=%d hit: the generators give more", maxParameterSets), "part the ApplicationSet into several")
	}
	if err := firstError(spec.err, g.err); err != nil || g.get("selector") == nil {
		return sets, err
	}
	return s.selected(g, sel, sets, depth)
}

// interpolated is a generator with the parameters of the one before it.
func (s *appSet) interpolated(n *values.Node, params map[string]any) (*values.Node, error) {
	var failed error
	out := (&substitution{keys: true, do: func(n *values.Node) string {
		text, err := s.render.text(n, params)
		if err != nil && failed == nil {
			failed = err
		}
		return text
	}}).node(n)
	return out, failed
}

// kind asks one generator.
func (s *appSet) kind(kind string, spec *fields, depth int) ([]map[string]any, error) {
	switch kind {
	case "list":
		return s.list(spec)
	case "clusters":
		return s.argoClusters(spec)
	case "git":
		return s.git(spec)
	case "matrix":
		return s.matrix(spec, depth)
	case "merge":
		return s.merge(spec, depth)
	}
	return nil, s.object.failAt(spec.node, fmt.Sprintf("uses the generator %.40q, which asks something that is not in Git", kind),
		"list, git, clusters, matrix and merge can be read here; for others list the clusters and their values files in spec.clusters")
}

// matrix pairs what two generators give.
func (s *appSet) matrix(spec *fields, depth int) ([]map[string]any, error) {
	gens := spec.list("generators")
	if len(gens) != 2 {
		return nil, firstError(spec.err, s.object.failAt(spec.node, fmt.Sprintf("matrix: expected two generators, found %d", len(gens)), "write two"))
	}
	first, err := s.generate(spec.below(gens[0]), nil, depth+1)
	if err != nil {
		return nil, err
	}
	var all []map[string]any
	for _, a := range first {
		second, err := s.generate(spec.below(gens[1]), a, depth+1)
		if err != nil {
			return nil, err
		}
		for _, b := range second {
			both, err := s.paired(spec.node, a, b)
			if err != nil {
				return nil, err
			}
			all = append(all, both)
		}
	}
	return all, nil
}

// paired are the parameters of a and b. Without goTemplate all are texts, and
// the two may not disagree; with it a wins.
func (s *appSet) paired(at *values.Node, a, b map[string]any) (map[string]any, error) {
	if s.render.goTemplate {
		out := map[string]any{}
		err := firstError(override(out, b), override(out, a))
		if err != nil {
			err = s.object.failAt(at, "matrix: "+err.Error(), "rename one of the two")
		}
		return out, err
	}
	out := texts(a)
	for key, v := range texts(b) {
		if have, ok := out[key]; ok && have != v {
			return nil, s.object.failAt(at, fmt.Sprintf("matrix: both generators give %q, and not the same", key), "rename one of the two; pathParamPrefix does it for git")
		}
		out[key] = v
	}
	return out, nil
}

// merge lays what later generators give over what the first gives.
func (s *appSet) merge(spec *fields, depth int) ([]map[string]any, error) {
	var keys []string
	for _, k := range spec.texts("mergeKeys") {
		keys = append(keys, k.Text)
	}
	gens := spec.list("generators")
	if len(gens) < 2 || len(keys) == 0 {
		return nil, firstError(spec.err, s.object.failAt(spec.node, "merge: expected mergeKeys and two generators at least", "write them"))
	}
	var base map[string]map[string]any
	var order []string
	for i, g := range gens {
		sets, err := s.generate(spec.below(g), nil, depth+1)
		if err != nil {
			return nil, err
		}
		byKey := map[string]map[string]any{}
		for _, p := range sets {
			key := mergeKey(keys, p)
			if byKey[key] != nil {
				return nil, s.object.failAt(g, fmt.Sprintf("merge: two sets of parameters have the same %s", strings.Join(keys, ", ")), "make them differ, or name more mergeKeys")
			}
			byKey[key] = p
			if i == 0 {
				order = append(order, key)
			}
		}
		if i == 0 {
			base = byKey
			continue
		}
		for key, p := range byKey {
			switch b := base[key]; {
			case b == nil:
			case s.render.goTemplate:
				if err := override(b, p); err != nil {
					return nil, s.object.failAt(g, "merge: "+err.Error(), "rename one of the two; Argo CD itself cannot merge them")
				}
			default:
				merged := texts(b)
				maps.Copy(merged, texts(p))
				base[key] = merged
			}
		}
	}
	all := make([]map[string]any, len(order))
	for i, key := range order {
		all[i] = base[key]
	}
	return all, nil
}

func mergeKey(keys []string, params map[string]any) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%q\x00", fmt.Sprintf("%T %v", params[k], params[k]))
	}
	return b.String()
}
