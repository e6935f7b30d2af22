package delivery

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// The layers that an Application gives, as they are told to people.
const (
	layerFile          = "values file"
	layerValues        = "values"
	layerValuesObject  = "valuesObject"
	layerParameter     = "parameter"
	layerFileParameter = "fileParameter"
)

// application is what an Application installs: of Argo CD 2.14, and 3 does the
// same, reposerver/repository (helmTemplate) and util/helm.
func (x *expansion) application(o *object) (*gate.Release, error) {
	f := o.fields()
	sources, refs, err := x.sources(f)
	if err != nil {
		return nil, err
	}
	src, err := x.pick(o, sources)
	if err != nil {
		return nil, err
	}
	a := &argoSource{x: x, app: o, refs: refs, spec: f.below(src)}
	if err := a.place(); err != nil {
		return nil, err
	}
	if err := a.override(); err != nil {
		return nil, err
	}
	r := &gate.Release{
		Object: o.title(), Position: o.position(), Chart: a.chart, Files: o.files,
		Name:      cmp.Or(a.spec.text("helm", "releaseName"), o.name),
		Namespace: cmp.Or(a.spec.text("helm", "namespace"), f.text("spec", "destination", "namespace")),
		SkipCRDs:  a.spec.flag("helm", "skipCrds"),
		Source:    a.delivered(sources, slices.Index(sources, src)),
	}
	if err := a.layers(r); err != nil {
		return nil, err
	}
	r.Files = append(r.Files, a.files...)
	return r, cmp.Or(f.err, a.spec.err)
}

// sources are the sources of an Application, and those that others refer to by
// "$name", by that name.
func (x *expansion) sources(f *fields) (sources []*values.Node, refs map[string]*values.Node, err error) {
	refs = map[string]*values.Node{}
	if list := f.list("spec", "sources"); len(list) > 0 {
		for _, s := range list {
			if ref := f.below(s).text("ref"); ref != "" {
				refs["$"+ref] = s
			}
		}
		return list, refs, f.err
	}
	if s := f.table("spec", "source"); s != nil {
		return []*values.Node{s}, refs, f.err
	}
	return nil, nil, cmp.Or(f.err, f.object.fail("has no source", "give it spec.source or spec.sources"))
}

// pick is the source that is a Helm chart.
func (x *expansion) pick(o *object, sources []*values.Node) (*values.Node, error) {
	f := o.fields()
	var charts []*values.Node
	for _, s := range sources {
		s := f.below(s)
		if want := x.from.Source; want != "" && s.text("name") != want && s.text("chart") != want && s.text("path") != want {
			continue
		}
		dir := path.Clean(s.text("path"))
		inTree := s.text("path") != "" && x.here.is(s.text("repoURL")) && exists(x.tree, path.Join(dir, "Chart.yaml"))
		switch {
		case s.get("plugin") != nil:
		case s.get("helm") != nil, s.text("chart") != "", inTree:
			charts = append(charts, s.node)
		}
		if s.err != nil {
			return nil, s.err
		}
	}
	switch len(charts) {
	case 1:
		return charts[0], nil
	case 0:
		return nil, o.fail(fmt.Sprintf("none of its %d sources is a Helm chart%s", len(sources), named(x.from.Source)),
			"name objects that deliver a chart, or list the clusters and their values files in spec.clusters")
	}
	return nil, o.failAt(charts[1], fmt.Sprintf("%d of its sources are Helm charts", len(charts)),
		"say which one by source in spec.clustersFrom: its name, chart or path")
}

func named(source string) string {
	if source == "" {
		return ""
	}
	return fmt.Sprintf(" named %q", source)
}

// argoSource is the source of an Application that is a chart.
type argoSource struct {
	x     *expansion
	app   *object
	refs  map[string]*values.Node
	spec  *fields // of the source
	dir   string  // the source's path in the tree, "" when it is not there
	chart string  // dir when a chart lies there
	files []string
	// patterns are the entries of helm.valueFiles that name files by a pattern.
	patterns []string
}

func (a *argoSource) fail(n *values.Node, problem, remedy string) error {
	return a.app.failAt(n, problem, remedy)
}

// place finds the chart in the tree, when it is there.
func (a *argoSource) place() error {
	where := a.spec.get("path")
	if a.spec.text("chart") != "" || !a.x.here.is(a.spec.text("repoURL")) {
		return a.spec.err
	}
	dir, err := tree.Join(".", cmp.Or(textOf(where), "."))
	if err != nil {
		return a.fail(where, fmt.Sprintf("path %.80q is no path inside of the repository", textOf(where)), "correct it")
	}
	if !exists(a.x.tree, path.Join(dir, "Chart.yaml")) {
		return a.fail(where, "path "+dir+" holds no Chart.yaml",
			"correct it; or, when this is not a path of this repository, say the repository's URL in repository of spec.clustersFrom")
	}
	a.dir, a.chart = dir, dir
	return nil
}

// override merges the files of the chart's folder that override the source, as
// mergeSourceParameters does.
func (a *argoSource) override() error {
	if a.dir == "" {
		return nil
	}
	for _, base := range []string{".argocd-source.yaml", ".argocd-source-" + a.app.name + ".yaml"} {
		name := path.Join(a.dir, base)
		if !exists(a.x.tree, name) {
			continue
		}
		data, err := a.x.tree.Read(name, a.x.limits.WithDefaults().FileSize)
		if err != nil {
			return err
		}
		patch, err := values.Parse(data, name, a.x.limits)
		if err != nil {
			return err
		}
		a.files = append(a.files, name)
		if helm := patch.Get("helm"); helm != nil {
			merged := *a.spec
			merged.node = mergePatch(a.spec.node, newMap(patch, values.Field{Key: "helm", Value: helm}))
			a.spec = &merged
		}
	}
	return nil
}

// mergePatch is RFC 7386's merge of a patch into a value.
func mergePatch(old, patch *values.Node) *values.Node {
	if patch.Kind != values.Map {
		return patch
	}
	out := newMap(patch)
	if old != nil && old.Kind == values.Map {
		out = newMap(old)
		for _, f := range old.Fields {
			if patch.Get(f.Key) == nil {
				out.Fields = append(out.Fields, f)
			}
		}
	} else {
		old = nil
	}
	for _, f := range patch.Fields {
		if f.Value.Kind == values.Null {
			continue
		}
		var below *values.Node
		if old != nil {
			below = old.Get(f.Key)
		}
		out.Fields = append(out.Fields, values.Field{Key: f.Key, Value: mergePatch(below, f.Value)})
	}
	return out
}

// layers appends the values that the source gives, in Helm's order: values
// files, values given in place, parameters, forced strings, files' contents.
func (a *argoSource) layers(r *gate.Release) error {
	names, err := a.valueFiles()
	if err != nil {
		return err
	}
	for _, name := range names {
		r.Layers = append(r.Layers, gate.Layer{Name: layerFile, File: name})
	}
	r.Patterns = a.patterns
	if object := a.spec.get("helm", "valuesObject"); object != nil {
		if object.Kind != values.Map {
			return a.fail(object, "helm.valuesObject: expected a map, found "+object.Kind.String(), "correct the object")
		}
		r.Layers = append(r.Layers, gate.Layer{Name: layerValuesObject, Values: object})
	} else if text := a.spec.of(values.String, []string{"helm", "values"}); text != nil && text.Text != "" {
		part := values.Block(text, a.app.source)
		if slices.Contains(a.files, text.File) {
			part = values.Block(text, nil)
		}
		n, err := values.ParsePart([]byte(text.Text), part, a.x.limits)
		if err != nil {
			return err
		}
		r.Layers = append(r.Layers, gate.Layer{Name: layerValues, Values: n})
	}
	return a.parameters(r)
}

// repository tells this repository's URL from others.
type repository struct {
	url string
	// only is true when the objects name one Git repository: it is this one.
	others map[string]bool
}

// newRepository takes the URL that is given, else the only one that the
// objects name.
func newRepository(url string, objects []*object) *repository {
	r := &repository{url: normalURL(url), others: map[string]bool{}}
	if url != "" {
		return r
	}
	for _, o := range objects {
		f := o.fields()
		for _, s := range append(f.list("spec", "sources"), f.table("spec", "source")) {
			if s == nil || s.Kind != values.Map || textOf(s.Get("chart")) != "" {
				continue
			}
			if url := textOf(s.Get("repoURL")); url != "" && !strings.HasPrefix(url, "oci://") {
				r.others[normalURL(url)] = true
			}
		}
	}
	if len(r.others) == 1 {
		for url := range r.others {
			r.url = url
		}
	}
	return r
}

// is reports whether url is this repository's.
func (r *repository) is(url string) bool { return url != "" && r.url != "" && normalURL(url) == r.url }

// normalURL is a Git URL without what makes no difference.
func normalURL(url string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(url), "/"), ".git")
}
