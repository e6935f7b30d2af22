// Package render turns the files of a repository into Kubernetes objects: with
// Helm, with Kustomize, or as they are. It reads an fs.FS only, so that a
// folder and an archive in memory serve alike; it writes nothing, runs no
// other program and speaks to no network and no cluster. The same input gives
// the same bytes, as long as the chart itself asks neither clock nor chance.
package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/syncgate/syncgate/policies/gate"
)

// Input is what a Renderer works on.
type Input struct {
	// FS is the repository.
	FS fs.FS
	// Path is the folder to render, with slashes, "." for the root.
	Path string
	// Release names what is rendered, for Helm.
	Release Release
	// Values are the values files of the cluster, merged, without the chart's
	// own defaults; for Helm.
	Values map[string]any
	// SkipCRDs leaves the crds/ folders of charts out; for Helm.
	SkipCRDs bool
	// Cluster says what the cluster can do; for Helm.
	Cluster Capabilities
}

// Release is what templates see as .Release.
type Release struct {
	Name      string
	Namespace string
}

// Capabilities is what templates see as .Capabilities. It comes from the
// request, never from a cluster.
type Capabilities struct {
	// KubeVersion is Kubernetes' version, "1.34" or "v1.34.4"; "" means
	// DefaultKubeVersion.
	KubeVersion string
	// APIVersions are added to those that Helm knows: "v1", "apps/v1",
	// "monitoring.coreos.com/v1/ServiceMonitor".
	APIVersions []string
}

// Renderer makes objects of a folder.
type Renderer interface {
	// Render returns the objects in the order in which they are to be shown.
	// Nothing to render is no error: the result is empty. It returns soon
	// after ctx ends, with ctx's error. Errors name the file.
	Render(ctx context.Context, in Input) ([]Object, error)
}

// Kind says which Renderer a Gate asks for.
type Kind string

// The kinds, named as the fields of gate.Source.
const (
	KindHelm      Kind = "helm"
	KindKustomize Kind = "kustomize"
	KindPlain     Kind = "plain"
)

// Renderers holds one Renderer a kind. It is safe for concurrent use; make one
// for the life of a program, so that its bound on renders at once holds.
type Renderers map[Kind]Renderer

// New is the table of all renderers there are.
func New(limits Limits) Renderers {
	run := newRunner(limits.withDefaults())
	return Renderers{
		KindHelm:      &Helm{run: run},
		KindKustomize: &Kustomize{run: run},
		KindPlain:     &Plain{run: run},
	}
}

// ErrNoSource is a Gate that only guards values and has nothing to render.
var ErrNoSource = errors.New("the Gate has no spec.source")

// For is the Renderer that a Gate asks for.
func (r Renderers) For(g gate.Gate) (Renderer, error) {
	kind, err := KindOf(g)
	if err != nil {
		return nil, err
	}
	renderer, ok := r[kind]
	if !ok {
		return nil, fmt.Errorf("find renderer: no renderer for %s", kind)
	}
	return renderer, nil
}

// KindOf says which kind a Gate's source is; ErrNoSource when it is none. What
// Argo CD's and Flux's objects deliver are charts.
func KindOf(g gate.Gate) (Kind, error) {
	switch src := g.Spec.Source; {
	case src.Helm != nil:
		return KindHelm, nil
	case src.Kustomize != nil:
		return KindKustomize, nil
	case src.Plain != nil:
		return KindPlain, nil
	case len(g.Spec.ClustersFrom) > 0:
		return KindHelm, nil
	}
	return "", ErrNoSource
}
