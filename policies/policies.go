// Package policies says whether the values of an application agree across its
// clusters. It is the first room of the flow: it reads the Gate, merges every
// cluster's values as Helm does, and holds them against the rules. It touches
// no network and no cluster, and its answer depends on nothing but the tree.
package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// maxErrors is how many errors of one Gate are told.
const maxErrors = 20

// Options say how a Gate is evaluated. The zero value means the defaults.
type Options struct {
	// Workers is how many clusters are read at once. Default: GOMAXPROCS.
	Workers int
	// Limits bound what is read.
	Limits values.Limits
	// Overrides are laid over the values files of one cluster.
	Overrides Overrides
	// Baseline tells what passed before on a cluster. Nil: nothing is known, and
	// rules over a change are not asked.
	Baseline func(cluster string) Baseline
	// Now says which waivers are over. Zero: the day is not known, and every
	// waiver holds.
	Now time.Time
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.Limits = o.Limits.WithDefaults()
	return o
}

// readAll takes every cluster into the fleet, and looks at it by itself.
func readAll(ctx context.Context, g *gate.Gate, in *inspection, fleet *rules.Fleet, workers int) error {
	failed := make([]error, len(g.Spec.Clusters))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, len(g.Spec.Clusters)) {
		w, inspector := fleet.Worker(), in.worker()
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(g.Spec.Clusters) {
					return
				}
				m, err := in.src.merge(i)
				if err != nil {
					failed[i] = err
					continue
				}
				with, _, err := in.src.beside(i, m.values)
				if err == nil {
					err = in.look(i, m, with, inspector)
				}
				if err != nil {
					failed[i] = err
					continue
				}
				w.Add(i, with)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("validate gate %s: %w", g.Metadata.Name, err)
	}
	return joinErrors(g, failed)
}

// joinErrors tells each error once, and of which clusters.
func joinErrors(g *gate.Gate, failed []error) error {
	clusters := map[string][]string{}
	var order []error
	for i, err := range failed {
		if err == nil {
			continue
		}
		text := err.Error()
		if clusters[text] == nil {
			order = append(order, err)
		}
		clusters[text] = append(clusters[text], g.Spec.Clusters[i].Name)
	}
	var all []error
	for i, err := range order {
		if i == maxErrors {
			all = append(all, fmt.Errorf("and %d more errors", len(order)-i))
			break
		}
		all = append(all, fmt.Errorf("read values of %s: %w", some(clusters[err.Error()]), err))
	}
	return errors.Join(all...)
}

// some names clusters, not all when there are many.
func some(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("clusters %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) > 1 {
		return "clusters " + strings.Join(names, ", ")
	}
	return "cluster " + names[0]
}

// Values are a cluster's values.
type Values struct {
	// Merged are the chart's defaults and the values files, as templates see
	// them in .Values.
	Merged map[string]any
	// User are the values files alone, merged in order. Whole numbers that
	// parameters set are int64, as in Helm.
	User map[string]any
	// Opaque names what sets values too and cannot be read in Git. What it sets is
	// not among the values, or stands in Merged as what makes a CEL expression that
	// needs it fail. Whoever needs all of them must not go on.
	Opaque []string
}

// ClusterValues merges the values of one cluster. Numbers of Merged are
// float64, as in Helm. The maps are the caller's own.
func ClusterValues(ctx context.Context, fsys fs.FS, g *gate.Gate, cluster string, opts Options) (Values, error) {
	g, err := Expand(ctx, fsys, g, opts)
	if err != nil {
		return Values{}, err
	}
	c, err := g.Cluster(cluster)
	if err != nil {
		return Values{}, err
	}
	if err := ctx.Err(); err != nil {
		return Values{}, fmt.Errorf("read values of cluster %s: %w", cluster, err)
	}
	one := *g
	one.Spec.Clusters = []gate.Cluster{c}
	src, err := newSource(fsys, &one, opts.withDefaults())
	if err != nil {
		return Values{}, err
	}
	m, err := src.merge(0)
	if err != nil {
		return Values{}, fmt.Errorf("read values of cluster %s: %w", cluster, err)
	}
	merged, _ := m.values.NativeWith(expr.Unknown).(map[string]any)
	return Values{Merged: merged, User: m.user.HelmValues(), Opaque: m.opaque}, nil
}
