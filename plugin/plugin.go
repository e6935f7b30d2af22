// Package plugin makes the objects of an Application as an Argo CD
// config-management plugin: it holds the values of all clusters against the
// Gate, renders the one cluster it is asked for, and adds the hook Jobs. What
// does not hold does not render.
//
// Argo CD keeps what a plugin gives for a day, by revision. So nothing here
// depends on anything but the repository's files and the request: no clock, no
// chance, no cluster.
package plugin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"

	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// Request is what Argo CD asks for.
type Request struct {
	// Dir is the Application's path in the repository, with slashes, "." for
	// the root.
	Dir string
	// Root is the folder of the repository that was sent, "" or "." when all of
	// it was. See Mount.
	Root string
	// Gate names the Gate: "" for the one the path belongs to; a path,
	// relative to Dir, of a Gate file or its folder; or the name of a Gate of
	// the repository. A path has a slash, is "." or "..", or ends in ".yaml".
	Gate string
	// Cluster names the cluster; "" when it follows from Dir.
	Cluster string
	// Values are what the Application sets for its cluster. The Gate says which
	// it may, and the rules hold for what they make of the cluster's values.
	Values []policies.Override
	// App is the Application's name and Namespace its destination's.
	App       string
	Namespace string
	// Repository and Revision are the URL and the full commit SHA that is
	// rendered. They are needed for hook Jobs only.
	Repository string
	Revision   string
	// TargetRevision is what the Application follows: a branch, "HEAD", a tag;
	// "" when that is not known.
	TargetRevision string
	// Capabilities are those of the destination cluster.
	Capabilities render.Capabilities
	// Hooks says how hook Jobs are made; nil leaves them out.
	Hooks *inject.Config
	// Renderers render; nil means render.New with default limits.
	Renderers render.Renderers
	// Sum is the SHA-256 of all that the tree holds, names and contents; zero
	// when it is not known. Passed remembers by it what passed; nil remembers
	// nothing.
	Sum    [sha256.Size]byte
	Passed *Passed
	// Gates keeps what Gate files said; nil keeps nothing.
	Gates *gate.Known
	// Policies bound the reading of values.
	Policies policies.Options
}

// Generate writes the objects of the request as YAML documents to w, and
// nothing else. On an error nothing is written. A *RefusedError says that the
// change must not be synced as it is; every other error that it could not be
// told. Equal input gives equal bytes.
func Generate(ctx context.Context, fsys fs.FS, req Request, w io.Writer) error {
	objects, err := Objects(ctx, fsys, req)
	if err != nil {
		return err
	}
	if _, err := w.Write(encode(objects)); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	return nil
}

// Objects are what Generate writes, in its order, with its errors.
func Objects(ctx context.Context, fsys fs.FS, req Request) ([]render.Object, error) {
	g, err := chooseGate(fsys, req)
	if err != nil {
		return nil, notSent(nil, req, err)
	}
	expanded, err := policies.Expand(ctx, fsys, g, req.Policies)
	if err != nil {
		return nil, notSent(g, req, err)
	}
	objects, err := objectsOf(ctx, fsys, expanded, req)
	return objects, notSent(expanded, req, err)
}

func objectsOf(ctx context.Context, fsys fs.FS, g *gate.Gate, req Request) ([]render.Object, error) {
	cluster, err := chooseCluster(g, req)
	if err != nil {
		return nil, err
	}
	req.Policies.Overrides = policies.Overrides{Cluster: cluster, Values: req.Values}
	if err := validate(ctx, fsys, g, req); err != nil {
		return nil, err
	}
	objects, err := renderCluster(ctx, fsys, g, cluster, req)
	if err != nil {
		return nil, err
	}
	if err := refuseEmpty(g, cluster, objects); err != nil {
		return nil, err
	}
	if req.Hooks != nil {
		change := inject.Change{Repository: req.Repository, Revision: req.Revision, TargetRevision: req.TargetRevision, Cluster: cluster}
		jobs, err := inject.Jobs(g, change, *req.Hooks, objects)
		if err != nil {
			return nil, fmt.Errorf("add hook Jobs to gate %s: %w", g.Metadata.Name, err)
		}
		objects = append(objects, jobs...)
	}
	return objects, nil
}

// validate refuses the Gate's findings.
func validate(ctx context.Context, fsys fs.FS, g *gate.Gate, req Request) error {
	key, known, ok := req.Passed.knows(g, req)
	if known {
		return nil
	}
	findings, err := policies.Validate(ctx, fsys, g, req.Policies)
	if err != nil {
		return fmt.Errorf("validate gate %s: %w", g.Metadata.Name, err)
	}
	if len(findings) > 0 {
		return refuseFindings(g, findings)
	}
	if ok {
		req.Passed.keep(key)
	}
	if kind, _ := render.KindOf(*g); len(req.Values) > 0 && kind != render.KindHelm {
		return fmt.Errorf("%s: gate %s renders no chart, so that nothing would change; remove the parameter", req.Values[0].Origin, g.Metadata.Name)
	}
	refused, err := policies.NotOffered(ctx, fsys, g, req.Policies)
	if err != nil {
		return fmt.Errorf("read what the Application may set by gate %s: %w", g.Metadata.Name, err)
	}
	if len(refused) > 0 {
		return refuseParameters(g, refused)
	}
	return nil
}

// renderCluster makes the objects of one cluster.
func renderCluster(ctx context.Context, fsys fs.FS, g *gate.Gate, cluster string, req Request) ([]render.Object, error) {
	renderers := req.Renderers
	if renderers == nil {
		renderers = render.New(render.Limits{})
	}
	renderer, err := renderers.For(*g)
	if errors.Is(err, render.ErrNoSource) {
		return nil, fmt.Errorf("gate %s in %s only guards values: it has no spec.source to render; add one, or let the Application render without the plugin",
			g.Metadata.Name, g.File)
	}
	if err != nil {
		return nil, err
	}
	dir, err := g.SourcePath(cluster)
	if err != nil {
		return nil, fmt.Errorf("find source of gate %s for cluster %s: %w", g.Metadata.Name, cluster, err)
	}
	in := render.Input{FS: fsys, Path: dir, Cluster: req.Capabilities}
	if kind, _ := render.KindOf(*g); kind == render.KindHelm {
		if err := addHelm(ctx, fsys, &in, g, cluster, req); err != nil {
			return nil, err
		}
	}
	objects, err := renderer.Render(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("cluster %s of gate %s: %w", cluster, g.Metadata.Name, err)
	}
	return objects, nil
}

// addHelm adds what Helm needs: the cluster's values and the release. What the
// Gate says itself goes before what delivers to the cluster says.
func addHelm(ctx context.Context, fsys fs.FS, in *render.Input, g *gate.Gate, cluster string, req Request) error {
	values, err := policies.ClusterValues(ctx, fsys, g, cluster, req.Policies)
	if err != nil {
		return fmt.Errorf("merge values of cluster %s: %w", cluster, err)
	}
	if len(values.Opaque) > 0 {
		return fmt.Errorf("render cluster %s of gate %s: some of its values are not to be read in Git (%s); let Flux itself render it, or take the values out of the Secret",
			cluster, g.Metadata.Name, strings.Join(values.Opaque, "; "))
	}
	in.Values = values.User
	helm := g.Spec.Source.Helm
	if helm == nil {
		helm = &gate.Helm{}
	}
	c, err := g.Cluster(cluster)
	if err != nil {
		return err
	}
	release := c.Release
	if release == nil {
		release = &gate.Release{}
	}
	in.SkipCRDs = helm.SkipCRDs || release.SkipCRDs
	in.Release = render.Release{
		Name:      cmp.Or(helm.ReleaseName, release.Name, req.App),
		Namespace: cmp.Or(helm.Namespace, g.Namespace(cluster), req.Namespace),
	}
	return nil
}

// refuseEmpty refuses what would leave nothing of the application: Argo CD
// prunes what is not rendered, and hooks are not what is synced.
func refuseEmpty(g *gate.Gate, cluster string, objects []render.Object) error {
	hooks := 0
	for _, o := range objects {
		for _, h := range o.Heads() {
			if !isHook(h) {
				return nil
			}
			hooks++
		}
	}
	found := "nothing"
	if hooks > 0 {
		found = fmt.Sprintf("%d hooks and nothing else", hooks)
	}
	return &RefusedError{
		Summary: fmt.Sprintf("gate %s renders %s for cluster %s", g.Metadata.Name, found, cluster),
		Details: []string{"Expected at least one object that is no hook: with pruning on, Argo CD deletes everything that is not rendered."},
		Remedy:  "Look for a condition in the chart, or an empty folder, that leaves everything out. To delete the application, delete the Application.",
	}
}

// isHook reports whether Argo CD runs h as a hook, or skips it, in place of
// keeping it in sync.
func isHook(h render.Head) bool {
	if _, ok := h.Annotations["argocd.argoproj.io/hook"]; ok {
		return true
	}
	types, ok := h.Annotations["helm.sh/hook"]
	return ok && types != "crd-install"
}

// encode is the objects as one stream of YAML documents.
func encode(objects []render.Object) []byte {
	var out bytes.Buffer
	for _, o := range objects {
		out.WriteString("---\n")
		if !strings.ContainsFunc(o.Source, unicode.IsControl) {
			out.WriteString("# Source: " + o.Source + "\n")
		}
		out.Write(o.Data)
		out.WriteByte('\n')
	}
	return out.Bytes()
}
