package gate

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/tree"
)

// dnsLabel is RFC 1123's label, which names of Kubernetes objects are made of.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// maxClusters bounds the clusters of one Gate.
const maxClusters = 20_000

// semantics gathers the mistakes that the shape of the file does not show.
func (d *decoder) semantics(g *Gate) {
	d.expect("apiVersion", g.APIVersion == APIVersion, fmt.Sprintf("expected %s, found %q", APIVersion, g.APIVersion), "write apiVersion: "+APIVersion)
	d.expect("kind", g.Kind == Kind, fmt.Sprintf("expected %s, found %q", Kind, g.Kind), "write kind: "+Kind)
	d.label("metadata.name", g.Metadata.Name)
	d.source(g)
	d.packs(g)
	d.clusters(g)
	d.clustersFrom(g)
	d.beside(g)
	d.paths(g)
	d.rules(g)
	d.inspections(g)
	d.waivers(g)
	d.phase("spec.preSync", g.Spec.PreSync)
	d.phase("spec.postSync", g.Spec.PostSync)
	for i, p := range g.Spec.Revert.Paths {
		_, err := parseFileGlob(g.Dir(), p)
		d.expectNoError(fmt.Sprintf("spec.revert.paths[%d]", i), err, "correct the glob")
	}
	for i, name := range g.Spec.Revert.Gate {
		d.expect(fmt.Sprintf("spec.revert.gate[%d]", i),
			slices.ContainsFunc(g.Spec.PreSync.Checks, func(c Check) bool { return c.Name == name }),
			fmt.Sprintf("expected the name of a check in spec.preSync, found %.80q", name), "name one, or add it there")
	}
	d.guards(g)
}

func (d *decoder) expect(field string, ok bool, problem, remedy string) {
	if !ok {
		d.fail(d.at(field), field, problem, remedy)
	}
}

func (d *decoder) expectNoError(field string, err error, remedy string) {
	var inTree *tree.Error
	switch {
	case errors.As(err, &inTree):
		d.fail(d.at(field), field, fmt.Sprintf("%q: %s", inTree.Path, inTree.Problem), inTree.Remedy)
	case err != nil:
		d.fail(d.at(field), field, err.Error(), remedy)
	}
}

func (d *decoder) label(field, name string) {
	d.expect(field, dnsLabel.MatchString(name),
		fmt.Sprintf("expected a DNS label, found %.80q", name), "use lower-case letters, digits and '-', at most 63, not '-' at an end")
}

// unique refuses a name that an earlier item has.
func (d *decoder) unique(seen map[string]string, field, name string) {
	if first, ok := seen[name]; ok {
		d.fail(d.at(field), field, fmt.Sprintf("expected a name of its own, found %q, which is the name of %s at line %d too", name, first, d.at(first).Line), "rename or remove one of the two")
		return
	}
	seen[name] = field
}

func (d *decoder) source(g *Gate) {
	n := 0
	for _, path := range []struct {
		field string
		set   bool
		path  func() string
	}{
		{"spec.source.helm.chart", g.Spec.Source.Helm != nil, func() string { return g.Spec.Source.Helm.Chart }},
		{"spec.source.kustomize.path", g.Spec.Source.Kustomize != nil, func() string { return g.Spec.Source.Kustomize.Path }},
		{"spec.source.plain.path", g.Spec.Source.Plain != nil, func() string { return g.Spec.Source.Plain.Path }},
	} {
		if path.set {
			n++
			_, err := g.Resolve(path.path())
			d.expectNoError(path.field, err, "correct the path")
		}
	}
	d.expect("spec.source", n <= 1, fmt.Sprintf("expected one of helm, kustomize and plain, found %d", n), "keep one")
}

func (d *decoder) packs(g *Gate) {
	seen := map[string]string{}
	for i, name := range g.Spec.Packs {
		field := fmt.Sprintf("spec.packs[%d]", i)
		p, err := d.loader.Load(name)
		d.expectNoError(field, err, "name a pack that there is")
		if err == nil {
			d.unique(seen, field, p.Name)
			g.Packs = append(g.Packs, p)
		}
	}
}

func (d *decoder) clusters(g *Gate) {
	n := len(g.Spec.Clusters)
	from := len(g.Spec.ClustersFrom)
	d.expect("spec.clusters", n > 0 || from > 0, "expected at least one cluster, found none",
		"add a cluster with a name and its values files, or name the objects that deliver to clusters in spec.clustersFrom")
	d.expect("spec.clusters", n <= maxClusters, fmt.Sprintf("limit clusters=%d hit: found %d", maxClusters, n), "part the Gate into several")
	seen := map[string]string{}
	for i, c := range g.Spec.Clusters {
		field := fmt.Sprintf("spec.clusters[%d]", i)
		d.label(field+".name", c.Name)
		d.unique(seen, field+".name", c.Name)
		d.expect(field+".values", from == 0 || len(c.Values) == 0, "expected no values files beside spec.clustersFrom, found some",
			"remove them: the objects that spec.clustersFrom names say which values there are")
		for j, v := range c.Values {
			_, err := g.Resolve(v)
			d.expectNoError(fmt.Sprintf("%s.values[%d]", field, j), err, "correct the path")
		}
	}
	if ref := g.Spec.Reference; ref != "" && (n > 0 || from == 0) {
		_, err := g.Cluster(ref)
		d.expectNoError("spec.reference", err, "name a cluster of the Gate")
	}
}

// clustersFrom looks at what names the objects that deliver.
func (d *decoder) clustersFrom(g *Gate) {
	for i, f := range g.Spec.ClustersFrom {
		field := fmt.Sprintf("spec.clustersFrom[%d]", i)
		d.expect(field, len(f.Files)+len(f.Kustomizations) > 0, "expected files or kustomizations, found none", "name the YAML files with the objects")
		for name, globs := range map[string][]string{"files": f.Files, "kustomizations": f.Kustomizations} {
			for j, text := range globs {
				_, err := tree.Join(g.Dir(), text)
				d.expectNoError(fmt.Sprintf("%s.%s[%d]", field, name, j), err, "correct the glob")
			}
		}
		d.expect(field+".kind", slices.Contains([]string{"", "Application", "ApplicationSet", "HelmRelease"}, f.Kind),
			fmt.Sprintf("expected Application, ApplicationSet or HelmRelease, found %.60q", f.Kind), "choose one that is offered")
		seen := map[string]string{}
		for j, c := range f.ArgoClusters {
			at := fmt.Sprintf("%s.argoClusters[%d].name", field, j)
			d.expect(at, c.Name != "", "expected a name, found an empty string", "name the cluster")
			d.unique(seen, at, c.Name)
		}
	}
}

func (d *decoder) phase(field string, p Phase) {
	seen := map[string]string{}
	for i, c := range p.Checks {
		at := fmt.Sprintf("%s.checks[%d]", field, i)
		d.expect(at+".name", c.Name != "", "expected a name, found an empty string", "name the check")
		d.unique(seen, at+".name", c.Name)
		if kinds := c.kinds(); len(kinds) != 1 {
			d.fail(d.at(at), at, fmt.Sprintf("expected exactly one of %s, found %s", strings.Join(checkKinds(), ", "), orNone(kinds)),
				"write what the check asks, or name a preset with use")
		}
		d.backup(at+".backup", c.Backup)
		d.enums(at, reflect.ValueOf(c))
		d.expressions(at, c)
		d.templates(at, reflect.ValueOf(c))
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// checkKinds are the kinds of a Check, in its order.
func checkKinds() []string {
	var names []string
	t := reflect.TypeFor[Check]()
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Pointer {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// kinds are the kinds that are set.
func (c Check) kinds() []string {
	var names []string
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

func (d *decoder) backup(field string, b *BackupCheck) {
	if b == nil {
		return
	}
	d.expect(field, (b.Objects == nil) != (b.Snapshots == nil), "expected exactly one of objects and snapshots", "say where the backups are")
	d.expect(field+".maxAge", b.MaxAge > 0, "expected a length of time above 0", `write how old the newest backup may be, "24h"`)
	if b.Snapshots != nil {
		d.expect(field+".snapshots.claims", len(b.Snapshots.Claims) > 0, "expected at least one PersistentVolumeClaim, found none", "name the claims that hold the data")
	}
}

// enums holds strings against the values that their tag lists.
func (d *decoder) enums(field string, v reflect.Value) {
	d.eachField(field, v, func(at string, f reflect.StructField, v reflect.Value) {
		var allowed []string
		for part := range strings.SplitSeq(f.Tag.Get("jsonschema"), ",") {
			if value, ok := strings.CutPrefix(part, "enum="); ok {
				allowed = append(allowed, value)
			}
		}
		if s := v.String(); len(allowed) > 0 && s != "" && !slices.Contains(allowed, s) {
			d.fail(d.at(at), at, fmt.Sprintf("expected one of %s, found %.60q", strings.Join(allowed, ", "), s), "choose one that is offered")
		}
	})
}

// eachField calls do for every string below v, a struct.
func (d *decoder) eachField(field string, v reflect.Value, do func(at string, f reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		f, inner := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := join(field, name)
		for inner.Kind() == reflect.Pointer && !inner.IsNil() {
			inner = inner.Elem()
		}
		switch inner.Kind() {
		case reflect.Struct:
			d.eachField(at, inner, do)
		case reflect.String:
			do(at, f, inner)
		case reflect.Slice:
			for j := range inner.Len() {
				if item := inner.Index(j); item.Kind() == reflect.String {
					do(fmt.Sprintf("%s[%d]", at, j), f, item)
				}
			}
		case reflect.Map:
			for _, key := range inner.MapKeys() {
				do(join(at, key.String()), f, inner.MapIndex(key))
			}
		default:
		}
	}
}

// expressions compiles the fields that are CEL as a whole.
func (d *decoder) expressions(field string, c Check) {
	compile := func(at, src string, boolean bool, more ...string) {
		if src == "" {
			return
		}
		vars := append(TemplateVariables(), more...)
		env, err := d.environment(vars...)
		if err == nil && boolean {
			_, err = env.CompileBool(src)
		} else if err == nil {
			_, err = env.Compile(src)
		}
		d.expectNoError(at, err, "correct the CEL expression; its variables are "+strings.Join(vars, ", "))
	}
	if r := c.Resource; r != nil {
		compile(field+".resource.pass", r.Pass, true, "object")
		compile(field+".resource.fail", r.Fail, true, "object")
		compile(field+".resource.show", r.Show, false, "object")
	}
	if h := c.HTTP; h != nil {
		compile(field+".http.assert", h.Assert, true, append(TemplateVariables(), "status", "headers", "body", "json")...)
	}
}

// environment is the CEL environment with those variables, made once.
func (d *decoder) environment(vars ...string) (*expr.Env, error) {
	key := strings.Join(vars, " ")
	if env := d.envs[key]; env != nil {
		return env, nil
	}
	env, err := expr.NewEnv(vars...)
	if err == nil {
		d.envs[key] = env
	}
	return env, err
}

// TemplateVariables are the variables of every "${…}" in a check. The Gate's
// namespace is ns: CEL reserves the word namespace.
func TemplateVariables() []string {
	return []string{"values", "cluster", "ns", "revision", "gate"}
}

// celFields are CEL as a whole: "${" in them means nothing.
func celFields() []string { return []string{"pass", "fail", "show", "assert"} }

// templates compiles every "${…}" of a check.
func (d *decoder) templates(field string, v reflect.Value) {
	d.eachField(field, v, func(at string, f reflect.StructField, v reflect.Value) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if slices.Contains(celFields(), name) || !strings.Contains(v.String(), "${") {
			return
		}
		env, err := d.environment(TemplateVariables()...)
		if err == nil {
			_, err = env.CompileTemplate(v.String())
		}
		d.expectNoError(at, err, "correct the expression; its variables are "+strings.Join(TemplateVariables(), ", "))
	})
}
