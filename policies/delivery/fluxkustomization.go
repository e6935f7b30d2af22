package delivery

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// changing are the fields of a Flux Kustomization's spec by which it may change
// the objects that it applies, beside patches and variables.
func changing() []string {
	return []string{"patchesStrategicMerge", "patchesJson6902", "images", "components", "namePrefix", "nameSuffix"}
}

// heed refuses a HelmRelease that a Flux Kustomization among the objects changes
// on its way to the cluster: what it gives is not what is in Git.
func (x *expansion) heed(ctx context.Context, o *object, cluster string, r *gate.Release) error {
	for _, k := range x.objects {
		if k.kind != kindKustomization || k.cluster != "" && k.cluster != cluster {
			continue
		}
		w := &way{x: x, by: k, spec: k.fields().below(k.node.Get("spec")), object: o, cluster: cluster, files: r.Files}
		at, what := w.change()
		substitutes := w.spec.get("postBuild", "substitute") != nil || w.spec.get("postBuild", "substituteFrom") != nil
		if w.spec.err != nil {
			return w.spec.err
		}
		if at == nil && !substitutes {
			continue
		}
		if leads, err := w.leads(ctx); err != nil || !leads {
			if err != nil {
				return err
			}
			continue
		}
		if at != nil {
			return k.failAt(at, fmt.Sprintf("has %s, which may change %s at %s, and is not worked out here", what, o.title(), o.position()),
				"move it into a kustomization.yaml and name that folder in kustomizations of spec.clustersFrom, or leave the Flux Kustomization out of what is named when it does not apply the HelmRelease")
		}
		if err := w.variables(); err != nil {
			return err
		}
	}
	return nil
}

// way is a Flux Kustomization that may apply a HelmRelease.
type way struct {
	x       *expansion
	by      *object
	spec    *fields // of by
	object  *object
	cluster string
	files   []string // that the HelmRelease is made of
}

// change is the first field that may change a HelmRelease or what it refers to,
// and its name; nil when there is none.
func (w *way) change() (at *values.Node, what string) {
	for _, patch := range w.spec.list("patches") {
		if w.mayPatch(patch) {
			return patch, "spec.patches"
		}
	}
	for _, field := range changing() {
		if n := w.spec.get(field); n != nil && (n.Text != "" || len(n.Items) > 0) {
			return n, "spec." + field
		}
	}
	// One that names no namespace is meant to get it so.
	if n := w.spec.get("targetNamespace"); n != nil && w.object.namespace != "" && textOf(n) != w.object.namespace {
		return n, "spec.targetNamespace"
	}
	return nil, ""
}

var plainKind = regexp.MustCompile(`^\w+$`)

// mayPatch reports whether a patch may be for the HelmRelease or another object of
// a kind that is looked at. A patch of another Kustomization may bring patches of
// HelmReleases.
func (w *way) mayPatch(patch *values.Node) bool {
	p := w.patched(patch)
	if p.kind == kindHelmRelease {
		return w.mayBeNamed(p)
	}
	return !plainKind.MatchString(p.kind) || strings.HasSuffix(p.kind, "List") || group(p.kind) != "*"
}

// patched is what a patch is for: a kind, which need not be a plain one, and a
// name or a pattern of names, "" when it may be any.
type patched struct {
	kind, name string
	pattern    bool
}

func (w *way) patched(patch *values.Node) patched {
	f := w.spec.below(patch)
	if f.get("target") != nil {
		return patched{kind: f.text("target", "kind"), name: f.text("target", "name"), pattern: true}
	}
	docs, err := values.Documents([]byte(f.text("patch")), patch.File, w.x.limits)
	if err != nil || len(docs) != 1 || docs[0].Kind != values.Map {
		return patched{}
	}
	return patched{kind: textOf(docs[0].Get("kind")), name: textOf(at(docs[0], []string{"metadata", "name"}))}
}

// mayBeNamed reports whether a patch of HelmReleases may be for this one by its
// name. Kustomize goes by the names an object had before as well: where the name
// stands nowhere, it was another one.
func (w *way) mayBeNamed(p patched) bool {
	name := at(w.object.node, []string{"metadata", "name"})
	if p.name == "" || strings.Contains(p.name+w.object.name, "${") || name == nil || name.Line == 0 {
		return true
	}
	if !p.pattern {
		return p.name == w.object.name
	}
	re, err := regexp.Compile("^(?:" + p.name + ")$")
	return err != nil || re.MatchString(w.object.name)
}

// leads reports whether the Kustomization applies what the HelmRelease is made of,
// or patches a Kustomization that does: the patch may bring patches of its own.
// Where that cannot be found out it may.
func (w *way) leads(ctx context.Context) (bool, error) {
	if leads, err := w.applies(ctx, w.files); leads || err != nil || !slices.ContainsFunc(w.spec.list("patches"), w.mayPatchAWay) {
		return leads, err
	}
	for _, k := range w.x.objects {
		if k == w.by || k.kind != kindKustomization || k.cluster != "" && k.cluster != w.cluster {
			continue
		}
		next := &way{x: w.x, by: k, spec: k.fields().below(k.node.Get("spec"))}
		leads, err := next.applies(ctx, w.files)
		if leads && err == nil {
			leads, err = w.applies(ctx, k.files)
		}
		if leads || err != nil {
			return leads, err
		}
	}
	return false, nil
}

// mayPatchAWay reports whether a patch may be for a Kustomization.
func (w *way) mayPatchAWay(patch *values.Node) bool {
	kind := w.patched(patch).kind
	return !plainKind.MatchString(kind) || strings.HasSuffix(kind, "List") || kind == kindKustomization
}

// applies reports whether the Kustomization applies one of the files, or may.
func (w *way) applies(ctx context.Context, files []string) (bool, error) {
	if ref := w.spec.below(w.spec.get("sourceRef")); ref.text("kind") == kindGitRepository {
		source, err := w.x.lookup(w.by, kindGitRepository, cmp.Or(ref.text("namespace"), w.by.namespace), ref.text("name"))
		if err != nil {
			return false, err
		}
		if source != nil && w.x.here.url != "" && !w.x.here.is(source.fields().text("spec", "url")) {
			return false, nil // it is another repository that is applied
		}
	}
	dir := path.Clean(strings.TrimPrefix(w.spec.text("path"), "/"))
	if dir == "." && !hasKustomization(w.x.tree, dir) || !isFolder(w.x.tree, dir) {
		return true, nil // it may be the path in a source that holds a folder of this repository
	}
	a := w.x.appliedAt(ctx, dir)
	if a.err != nil {
		return true, ctx.Err() // what it applies is not known then
	}
	return slices.ContainsFunc(files, func(name string) bool { return a.files[name] }), nil
}

// variables holds what is substituted against what the Gate says.
func (w *way) variables() error {
	by, err := w.x.substituted(w.by, w.cluster)
	if err != nil {
		return err
	}
	given := &postBuild{variables: w.x.from.Variables, cluster: w.cluster}
	all, err := w.given(by)
	if err != nil {
		return err
	}
	for _, v := range all {
		if err := w.variable(given, v); err != nil {
			return err
		}
	}
	from := by.fields().list("spec", "postBuild", "substituteFrom")
	for _, o := range w.substituted() {
		for _, m := range used.FindAllStringSubmatch(everyText(o.node), -1) {
			if _, ok := w.x.from.Variables[m[1]]; !ok && len(from) > 0 {
				return w.by.failAt(from[0], fmt.Sprintf("has spec.postBuild.substituteFrom, which may set %s, and %s uses that", m[1], o.title()),
					"list "+m[1]+" in variables of spec.clustersFrom, with the value it has on the cluster")
			}
		}
		if given.nothing() && mentions(o.node, "$$") {
			return w.by.fail(fmt.Sprintf(`substitutes variables, by which "$$" in %s becomes "$", and spec.clustersFrom says of none what it becomes`, o.title()),
				"list one or more of them in variables of spec.clustersFrom")
		}
	}
	return nil
}

// variable holds one variable against what the Gate says of it.
func (w *way) variable(given *postBuild, v variable) error {
	if v.value.Kind != values.String {
		return w.by.failAt(v.value, fmt.Sprintf("%s: expected a string, found %s", v.in(), v.value.Kind), "put it into quotes")
	}
	what := v.name
	if v.from != nil {
		what = v.in()
	}
	says, listed := w.x.from.Variables[v.name]
	if !listed {
		for _, o := range w.substituted() {
			if slices.ContainsFunc(used.FindAllStringSubmatch(everyText(o.node), -1), func(m []string) bool { return m[1] == v.name }) {
				return w.by.failAt(v.value, fmt.Sprintf("substitutes %s, which %s uses and spec.clustersFrom does not list", what, o.title()),
					"list it in variables of spec.clustersFrom, with the same value")
			}
		}
		return nil
	}
	if given.text(says) != strings.ReplaceAll(v.value.Text, "\n", "") {
		return w.by.failAt(v.value, fmt.Sprintf("substitutes %s by another value than variables of spec.clustersFrom says for cluster %s", what, w.cluster),
			"write the same value in both")
	}
	return nil
}

// substituted are the objects that the HelmRelease is made of and that variables
// are put into.
func (w *way) substituted() []*object {
	var all []*object
	for _, o := range w.x.objects {
		if group(o.kind) == "*" || o.kind == kindKustomization || o.keepsVariables() || o.cluster != "" && o.cluster != w.cluster {
			continue
		}
		if slices.ContainsFunc(o.files, func(name string) bool { return slices.Contains(w.files, name) }) {
			all = append(all, o)
		}
	}
	return all
}

// everyText are all keys and strings of a value, one a line.
func everyText(n *values.Node) string {
	var b strings.Builder
	var walk func(n *values.Node)
	walk = func(n *values.Node) {
		b.WriteString(n.Text + "\n")
		for _, f := range n.Fields {
			b.WriteString(f.Key + "\n")
			walk(f.Value)
		}
		for _, item := range n.Items {
			walk(item)
		}
	}
	walk(n)
	return b.String()
}
