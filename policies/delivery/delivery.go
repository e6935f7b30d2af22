// Package delivery says what the objects of a GitOps repository install on
// which cluster: Argo CD's Applications and ApplicationSets, Flux's
// HelmReleases, as files or as what a Kustomization builds. It restates how
// those tools put a chart's values together; what it cannot know from Git alone
// it refuses or names as not known, and never guesses.
package delivery

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of what is read for one Gate.
const (
	maxEntries  = 500_000 // files and folders looked at
	maxFiles    = 20_000  // files that globs name
	maxObjects  = 100_000 // objects read, or made by ApplicationSets
	maxClusters = 20_000
	maxText     = 4 << 20 // bytes of one file that is no values file
)

// Error says what is wrong with an object, where, and what to do.
type Error struct {
	Position finding.Position
	// Object names the object, "" when the trouble is with the Gate.
	Object  string
	Problem string
	Remedy  string
	Cause   error
}

// Error is one line.
func (e *Error) Error() string {
	at := e.Position.String()
	if at != "" {
		at += ": "
	}
	object := e.Object
	if object != "" {
		object += ": "
	}
	return at + object + e.Problem + "; " + e.Remedy
}

// Unwrap is the cause, if any.
func (e *Error) Unwrap() error { return e.Cause }

// Expand is g with the clusters that spec.clustersFrom finds in t, sorted by
// name. A Gate without it is returned as it is. Errors name the object.
func Expand(ctx context.Context, t *tree.Tree, g *gate.Gate, limits values.Limits) (*gate.Gate, error) {
	if len(g.Spec.ClustersFrom) == 0 || Expanded(g) {
		return g, nil
	}
	var found []gate.Cluster
	for i := range g.Spec.ClustersFrom {
		x := &expansion{
			tree: t, gate: g, from: &g.Spec.ClustersFrom[i], limits: limits,
			field: fmt.Sprintf("spec.clustersFrom[%d]", i),
		}
		clusters, err := x.clusters(ctx)
		if err != nil {
			return nil, fmt.Errorf("find clusters of gate %s: %w", g.Metadata.Name, err)
		}
		found = append(found, clusters...)
	}
	slices.SortStableFunc(found, func(a, b gate.Cluster) int { return strings.Compare(a.Name, b.Name) })
	if err := check(g, found); err != nil {
		return nil, fmt.Errorf("find clusters of gate %s: %w", g.Metadata.Name, err)
	}
	out := *g
	out.Spec.Clusters = found
	return &out, nil
}

// Expanded reports whether g has its clusters.
func Expanded(g *gate.Gate) bool {
	return len(g.Spec.Clusters) > 0 && g.Spec.Clusters[0].Release != nil
}

// clusterName is a DNS label.
var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// check holds the clusters against one another and against those that the Gate
// lists, and gives them the namespace that is listed.
func check(g *gate.Gate, found []gate.Cluster) error {
	if len(found) > maxClusters {
		return &Error{Position: finding.Position{File: g.File}, Problem: fmt.Sprintf("limit clusters=%d hit: found %d", maxClusters, len(found)), Remedy: "part the Gate into several"}
	}
	listed := map[string]gate.Cluster{}
	for _, c := range g.Spec.Clusters {
		listed[c.Name] = c
	}
	for i := range found {
		c := &found[i]
		r := c.Release
		if !clusterName.MatchString(c.Name) {
			return &Error{
				Position: r.Position, Object: r.Object,
				Problem: fmt.Sprintf("gives a cluster of the name %.80q, which is no DNS label", c.Name),
				Remedy:  `say by "${cluster}" in name, files or kustomizations of spec.clustersFrom which part of a name is the cluster's`,
			}
		}
		if i > 0 && found[i-1].Name == c.Name {
			return &Error{
				Position: r.Position, Object: r.Object,
				Problem: fmt.Sprintf("gives cluster %s, which %s at %s gives too", c.Name, found[i-1].Release.Object, found[i-1].Release.Position),
				Remedy:  `narrow spec.clustersFrom by kind or name, or say by "${cluster}" where the cluster's name is`,
			}
		}
		known, ok := listed[c.Name]
		if len(listed) > 0 && !ok {
			return &Error{
				Position: r.Position, Object: r.Object,
				Problem: fmt.Sprintf("gives cluster %s, which spec.clusters of %s does not list", c.Name, g.File),
				Remedy:  "add it there, or narrow spec.clustersFrom",
			}
		}
		c.Namespace = known.Namespace
	}
	return missing(g, found)
}

// missing refuses a listed cluster that nothing delivers to.
func missing(g *gate.Gate, found []gate.Cluster) error {
	if ref := g.Spec.Reference; ref != "" && !slices.ContainsFunc(found, func(f gate.Cluster) bool { return f.Name == ref }) {
		return &Error{
			Position: finding.Position{File: g.File},
			Problem:  fmt.Sprintf("spec.reference names %.80q, and spec.clustersFrom finds %s", ref, names(found)),
			Remedy:   "name a cluster that is found",
		}
	}
	for _, c := range g.Spec.Clusters {
		if !slices.ContainsFunc(found, func(f gate.Cluster) bool { return f.Name == c.Name }) {
			return &Error{
				Position: finding.Position{File: g.File},
				Problem:  fmt.Sprintf("spec.clusters lists %s, and spec.clustersFrom finds nothing that delivers to it (found: %s)", c.Name, names(found)),
				Remedy:   "add what delivers there, correct spec.clustersFrom, or remove the cluster",
			}
		}
	}
	return nil
}

func names(found []gate.Cluster) string {
	var list []string
	for _, c := range found {
		list = append(list, c.Name)
	}
	return some(list)
}

// some are the first of a list, for people.
func some(list []string) string {
	const shown = 10
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > shown:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
	}
	return strings.Join(list, ", ")
}

// expansion is the work on one entry of spec.clustersFrom.
type expansion struct {
	tree    *tree.Tree
	gate    *gate.Gate
	from    *gate.ClustersFrom
	field   string
	limits  values.Limits
	objects []*object
	index   map[[2]string][]*object // objects by kind and name
	here    *repository
	gitURLs []gitURL                 // of git generators
	matched map[string][]string      // by patterns of values files
	folders map[string][]fs.DirEntry // that were listed for them
	paths   map[string]*applied      // by paths of Flux Kustomizations
}

// gitURL is a repository that a git generator reads.
type gitURL struct {
	url    string
	object *object
	at     *values.Node
}

// clusters are those that the entry finds.
func (x *expansion) clusters(ctx context.Context) ([]gate.Cluster, error) {
	if err := x.read(ctx); err != nil {
		return nil, err
	}
	deliverers, err := x.deliverers()
	if err != nil {
		return nil, err
	}
	x.here = newRepository(x.from.Repository, deliverers)
	for _, g := range x.gitURLs {
		if !x.here.is(g.url) && len(x.here.others) > 0 || x.from.Repository != "" && !x.here.is(g.url) {
			return nil, g.object.failAt(g.at, "its git generator reads "+g.url+", which may be another repository than this one",
				"say this repository's URL in repository of spec.clustersFrom; when it is another one, list the clusters in spec.clusters")
		}
	}
	var found []gate.Cluster
	for _, o := range deliverers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		release, err := x.release(o)
		if err != nil {
			return nil, err
		}
		name, err := x.clusterOf(o)
		if err != nil {
			return nil, err
		}
		if o.kind == kindHelmRelease {
			if err := x.heed(ctx, o, name, release); err != nil {
				return nil, err
			}
		}
		found = append(found, gate.Cluster{Name: name, Release: release})
	}
	return found, nil
}

func (x *expansion) release(o *object) (*gate.Release, error) {
	if o.kind == kindHelmRelease {
		return x.helmRelease(o)
	}
	return x.application(o)
}

// deliverers are the Applications and HelmReleases among the objects, those
// that ApplicationSets make included, that the entry's kind and name keep.
func (x *expansion) deliverers() ([]*object, error) {
	name, err := compile(x.from.Name, ".")
	if err != nil {
		return nil, x.gateError(x.field+".name: "+err.Error(), "correct the glob")
	}
	var all []*object
	kinds := map[string]bool{}
	for _, o := range x.objects {
		if !o.delivers() || x.from.Kind != "" && o.kind != x.from.Kind {
			continue
		}
		made := []*object{o}
		if o.kind == kindApplicationSet {
			if made, err = x.applicationSet(o); err != nil {
				return nil, err
			}
		}
		for _, m := range made {
			if x.from.Name != "" {
				captured, ok := name.match(m.name)
				if !ok {
					continue
				}
				m.named = captured
			}
			kinds[o.kind] = true
			all = append(all, m)
		}
		if len(all) > maxObjects {
			return nil, x.gateError(fmt.Sprintf("limit objects=%d hit: %s finds more", maxObjects, x.field), "narrow it by name")
		}
	}
	switch {
	case len(all) == 0:
		return nil, x.gateError(x.nothing(), "correct its files, kustomizations, kind and name")
	case len(kinds) > 1:
		return nil, x.gateError(fmt.Sprintf("%s finds objects of several kinds", x.field), "set its kind to Application, ApplicationSet or HelmRelease")
	}
	return all, nil
}

// nothing says that no object was found, and what was.
func (x *expansion) nothing() string {
	seen := map[string]int{}
	for _, o := range x.objects {
		seen[o.kind]++
	}
	var list []string
	for kind, n := range seen {
		list = append(list, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(list)
	what := "no object at all"
	if len(list) > 0 {
		what = strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s finds no Application, ApplicationSet or HelmRelease of that kind and name; it finds %s", x.field, what)
}

func (x *expansion) gateError(problem, remedy string) error {
	return &Error{Position: finding.Position{File: x.gate.File}, Problem: problem, Remedy: remedy}
}

// clusterOf is the name of the cluster that an object delivers to.
func (x *expansion) clusterOf(o *object) (string, error) {
	if o.named != "" && o.cluster != "" && o.named != o.cluster {
		return "", o.fail(fmt.Sprintf("its file says cluster %s, its name says %s", o.cluster, o.named),
			`write "${cluster}" in one place of spec.clustersFrom only, or correct the name`)
	}
	switch {
	case o.named != "":
		return o.named, nil
	case o.cluster != "":
		return o.cluster, nil
	case o.kind == kindApplication:
		f := o.fields()
		if name := f.text("spec", "destination", "name"); name != "" || f.err != nil {
			return name, f.err
		}
	}
	return o.name, nil
}
