package delivery

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// layerInline is what a HelmRelease gives in place.
const layerInline = "HelmRelease values"

// helmRelease is what a HelmRelease installs: of Flux's helm-controller, which
// merges valuesFrom in order and spec.values over it.
func (x *expansion) helmRelease(o *object) (*gate.Release, error) {
	cluster, err := x.clusterOf(o)
	if err != nil {
		return nil, err
	}
	if o, err = x.substituted(o, cluster); err != nil {
		return nil, err
	}
	h := &fluxRelease{x: x, object: o, cluster: cluster, spec: o.fields()}
	f := h.spec
	r := &gate.Release{
		Object: o.title(), Position: o.position(), Files: o.files,
		Name: f.text("spec", "releaseName"), SkipCRDs: f.text("spec", "install", "crds") == "Skip",
		Namespace: cmp.Or(f.text("spec", "targetNamespace"), o.namespace),
	}
	if r.Name == "" {
		r.Name = o.name
		if target := f.text("spec", "targetNamespace"); target != "" {
			r.Name = target + "-" + o.name
		}
	}
	h.source = newMap(f.get("spec"))
	if err := h.chart(r); err != nil {
		return nil, err
	}
	for _, ref := range f.list("spec", "valuesFrom") {
		if err := h.valuesFrom(r, f.below(ref)); err != nil {
			return nil, err
		}
	}
	if inline := f.table("spec", "values"); inline != nil {
		r.Layers = append(r.Layers, gate.Layer{Name: layerInline, Values: inline})
	}
	if h.opaque != nil {
		h.tell("valuesFrom", h.opaque)
	}
	r.Source = h.source
	r.Files = append(r.Files, h.files...)
	return r, f.err
}

// fluxRelease is a HelmRelease that is looked at.
type fluxRelease struct {
	x      *expansion
	object *object
	// cluster is the one it delivers to.
	cluster string
	spec    *fields
	source  *values.Node // what is compared of the source
	opaque  *values.Node // a list of what cannot be read
	files   []string
}

func (h *fluxRelease) tell(key string, n *values.Node) {
	if n != nil {
		h.source.Fields = append(h.source.Fields, values.Field{Key: key, Value: n})
	}
}

// chart finds the chart, from spec.chart or the object that spec.chartRef names.
func (h *fluxRelease) chart(r *gate.Release) error {
	f := h.spec.below(h.spec.get("spec", "chart", "spec"))
	if ref := h.spec.get("spec", "chartRef"); ref != nil {
		at := h.spec.below(ref)
		kind, name := at.text("kind"), at.text("name")
		h.tell("chartRef", newText(at.get("name"), kind+" "+name))
		target, err := h.x.lookup(h.object, kind, cmp.Or(at.text("namespace"), h.object.namespace), name)
		if err != nil || at.err != nil {
			return cmp.Or(at.err, err)
		}
		if target, err = h.applied(target); err != nil {
			return err
		}
		if target == nil || kind != "HelmChart" {
			h.tellSource(target)
			return nil
		}
		h.files = append(h.files, target.files...)
		f = target.fields().below(target.fields().get("spec"))
	}
	if f.node == nil {
		return h.object.fail("has no chart", "give it spec.chart.spec or spec.chartRef")
	}
	for _, key := range []string{"chart", "version"} {
		h.tell(key, f.get(key))
	}
	kind, name := f.text("sourceRef", "kind"), f.text("sourceRef", "name")
	h.tell("sourceRef", newText(f.get("sourceRef", "name"), kind+" "+name))
	target, err := h.x.lookup(h.object, kind, cmp.Or(f.text("sourceRef", "namespace"), h.object.namespace), name)
	if err != nil {
		return err
	}
	if target, err = h.applied(target); err != nil {
		return err
	}
	h.tellSource(target)
	dir := path.Clean(strings.TrimPrefix(f.text("chart"), "/"))
	if kind == kindGitRepository && exists(h.x.tree, path.Join(dir, "Chart.yaml")) {
		here, err := h.here(target, f.get("chart"))
		if err != nil {
			return err
		}
		if here {
			r.Chart = dir
		}
	}
	if f.err != nil {
		return f.err
	}
	return h.valuesFiles(r, f)
}

// applied is an object, if there is one, with the variables put in.
func (h *fluxRelease) applied(o *object) (*object, error) {
	if o == nil {
		return nil, nil //nolint:nilnil // there need not be one
	}
	return h.x.substituted(o, h.cluster)
}

// tellSource adds what the source of the chart says of the version.
func (h *fluxRelease) tellSource(target *object) {
	if target == nil {
		return
	}
	h.files = append(h.files, target.files...)
	f := target.fields()
	h.tell("url", f.get("spec", "url"))
	h.tell("ref", f.get("spec", "ref"))
}

// here reports whether a GitRepository is this repository. One that does not lie
// in Git itself is taken for it; where there is one, it may be any, and the
// folder that a chart has in it may be another chart's here.
func (h *fluxRelease) here(target *object, chart *values.Node) (bool, error) {
	if target == nil {
		return true, nil
	}
	f := target.fields()
	url := f.of(values.String, []string{"spec", "url"})
	switch {
	case f.err != nil || url == nil:
		return false, f.err
	case h.x.here.url == "":
		return false, h.object.failAt(chart, fmt.Sprintf("has its chart in %s, whose url at %s may be that of another repository than this one", target.title(), url.Position()),
			"say this repository's URL in repository of spec.clustersFrom, as a GitRepository writes it; the chart of another one is not looked at")
	}
	return h.x.here.is(url.Text), nil
}

// valuesFiles are files of the chart's source that take the place of the
// chart's values.yaml.
func (h *fluxRelease) valuesFiles(r *gate.Release, f *fields) error {
	list := f.texts("valuesFiles")
	if one := f.of(values.String, []string{"valuesFile"}); one != nil {
		list = append(list, one)
	}
	if len(list) == 0 {
		return f.err
	}
	if r.Chart == "" {
		h.tell("valuesFiles", f.get("valuesFiles"))
		h.tell("valuesFile", f.get("valuesFile"))
		return f.err
	}
	r.Defaults = []string{}
	for _, n := range list {
		name, err := tree.Join(".", strings.TrimPrefix(n.Text, "/"))
		if err != nil {
			return h.object.failAt(n, fmt.Sprintf("valuesFiles names %.200q, which is no path inside of the repository", n.Text), "correct it")
		}
		if !exists(h.x.tree, name) {
			if f.flag("ignoreMissingValuesFiles") {
				continue
			}
			return h.object.failAt(n, "valuesFiles names "+name+", which is not in the repository",
				"add it; the path is one from the repository's root, not from the chart")
		}
		r.Defaults = append(r.Defaults, name)
	}
	return f.err
}

// valuesFrom appends the layer of one reference.
func (h *fluxRelease) valuesFrom(r *gate.Release, ref *fields) error {
	kind, name := ref.text("kind"), ref.text("name")
	key := cmp.Or(ref.text("valuesKey"), "values.yaml")
	target := ref.text("targetPath")
	if ref.err != nil {
		return ref.err
	}
	data, why, err := h.x.data(h.object, dataRef{kind: kind, name: name, key: key, optional: ref.flag("optional"), at: ref.node, cluster: h.cluster})
	if err != nil {
		return err
	}
	title := kind + " " + name
	if why != "" {
		layer, err := h.unread(ref, key, why)
		r.Layers = append(r.Layers, layer)
		return err
	}
	if data == nil {
		return nil
	}
	h.files = append(h.files, data.files...)
	if target == "" {
		n, err := values.ParsePart([]byte(data.text), data.part, h.x.limits)
		if err != nil {
			return err
		}
		if kind == kindSecret {
			n = n.AsSecret()
		}
		r.Layers = append(r.Layers, gate.Layer{Name: title, Values: n})
		return nil
	}
	set := values.Assignment{Name: target, Value: data.text, Position: data.at.Position(), Secret: kind == kindSecret}
	if quote := data.text; len(quote) > 0 && (wrapped(quote, `'`) || wrapped(quote, `"`)) {
		set.Value, set.How = strings.Trim(quote, `'"`), values.SetString
	}
	if ref.flag("literal") {
		set.Value, set.How = data.text, values.SetLiteral
	}
	r.Layers = append(r.Layers, gate.Layer{Name: title, Set: []values.Assignment{set}})
	return ref.err
}

func wrapped(s, quote string) bool { return strings.HasPrefix(s, quote) && strings.HasSuffix(s, quote) }
