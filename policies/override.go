package policies

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// The bounds of what may be overridden.
const (
	maxOverrides = 200 // values of one cluster
	maxSettings  = 200 // values that are offered
)

// Overrides replace values of one cluster that its chart or values files set.
// They are the last layer, and the rules hold for what they make of it.
type Overrides struct {
	Cluster string
	Values  []Override
}

// Override replaces one value.
type Override struct {
	// Path is a key path through maps.
	Path string
	// Text is the value. It is read as the kind of value that it replaces.
	Text string
	// Origin says where it comes from; findings name it in place of a file.
	Origin string
}

// overrides are the layers that the Overrides make, over what a cluster has
// without them.
func (s *source) overrides(merged *values.Node) ([]*values.Node, error) {
	if n := len(s.over.Values); n > maxOverrides {
		return nil, fmt.Errorf("override values of cluster %s: limit parameterValues=%d hit, found %d; write them to a values file", s.over.Cluster, maxOverrides, n)
	}
	seen := map[string]string{}
	layers := make([]*values.Node, 0, len(s.over.Values))
	for _, o := range s.over.Values {
		fields, err := o.fields()
		if err != nil {
			return nil, err
		}
		path := format(fields)
		if first, twice := seen[path]; twice {
			return nil, fmt.Errorf("override %s: %s and %s both set it; keep one", path, first, o.Origin)
		}
		seen[path] = o.Origin
		layer, err := values.Override(merged, fields, o.Text, o.Origin)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// heeded refuses an override that another value won over: a chart hands its
// globals down over those of its subcharts.
func (s *source) heeded(merged *values.Node) error {
	for _, o := range s.over.Values {
		fields, err := o.fields()
		if err != nil {
			return err
		}
		if n := merged.At(fields); n == nil || n.File != o.Origin {
			return fmt.Errorf("%s: has no effect, because another value of the chart wins there; set that one, or leave it out", o.Origin)
		}
	}
	return nil
}

func (o Override) fields() ([]string, error) {
	glob, err := keypath.Parse(o.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Origin, err)
	}
	fields, ok := glob.Fields()
	if !ok {
		return nil, fmt.Errorf("%s: expected a key path through maps, found %q; a list is replaced as a whole, in a values file", o.Origin, o.Path)
	}
	return fields, nil
}

// format is the path of fields as text, the same for all ways to write it.
func format(fields []string) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = keypath.Field(f)
	}
	return keypath.Format(list)
}

// Setting is a value of a cluster that an Application may set.
type Setting struct {
	Path string
	Kind values.Kind
	// Text is the value as Override takes it.
	Text string
	// Position is where the cluster has it from.
	Position finding.Position
	// Reason is why the clusters may differ.
	Reason string
}

// Settings are the values of a cluster that its Application may set: those
// under a key path of spec.perCluster with parameter. Secrets are not among
// them. At most 200 are told, in the order of the Gate.
func Settings(ctx context.Context, fsys fs.FS, g *gate.Gate, cluster string, opts Options) ([]Setting, error) {
	o, err := readOffer(ctx, fsys, g, cluster, opts)
	if err != nil {
		return nil, err
	}
	var list []Setting
	known := map[string]bool{}
	for i, glob := range o.globs {
		spots, _ := o.stacks.Find(nil, o.merged, glob, maxSettings)
		for _, s := range spots {
			if n := o.settable(s); n != nil && !known[s.Path] && len(list) < maxSettings {
				known[s.Path] = true
				list = append(list, Setting{Path: s.Path, Kind: n.Kind, Text: text(n), Position: n.Position(), Reason: o.reasons[i]})
			}
		}
	}
	return list, nil
}

// NotOffered are those of the overrides in opts that set what no Application
// may set.
func NotOffered(ctx context.Context, fsys fs.FS, g *gate.Gate, opts Options) ([]Override, error) {
	if len(opts.Overrides.Values) == 0 {
		return nil, nil
	}
	offer, err := readOffer(ctx, fsys, g, opts.Overrides.Cluster, opts)
	if err != nil {
		return nil, err
	}
	var refused []Override
	for _, o := range opts.Overrides.Values {
		fields, err := o.fields()
		if err != nil {
			return nil, err
		}
		if !offer.has(format(fields)) {
			refused = append(refused, o)
		}
	}
	return refused, nil
}

// offer is what the Application of a cluster may set.
type offer struct {
	globs   []keypath.Glob
	reasons []string // of each glob
	stacks  *rules.Stacks
	merged  *values.Node // without overrides
}

func readOffer(ctx context.Context, fsys fs.FS, g *gate.Gate, cluster string, opts Options) (*offer, error) {
	o := &offer{}
	var err error
	for _, p := range g.Spec.PerCluster {
		if !p.Parameter {
			continue
		}
		if o.globs, err = appendGlob(o.globs, p.Path); err != nil {
			return nil, fmt.Errorf("read spec.perCluster of %s: %w", g.File, err)
		}
		o.reasons = append(o.reasons, p.Reason)
	}
	if len(o.globs) == 0 {
		return o, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read values of cluster %s: %w", cluster, err)
	}
	one := *g
	c, err := g.Cluster(cluster)
	if err != nil {
		return nil, err
	}
	one.Spec.Clusters = []gate.Cluster{c}
	opts = opts.withDefaults()
	opts.Overrides = Overrides{}
	src, err := newSource(fsys, &one, opts)
	if err != nil {
		return nil, err
	}
	m, err := src.merge(0)
	if err != nil {
		return nil, fmt.Errorf("read values of cluster %s: %w", cluster, err)
	}
	o.merged = m.values
	about, err := ruleOptions(&one, src.target)
	if err != nil {
		return nil, err
	}
	o.stacks, err = rules.NewStacks(about.ListKeys)
	return o, err
}

// has reports whether the value at a path may be set.
func (o *offer) has(path string) bool {
	glob, err := keypath.Parse(path)
	if err != nil || o.stacks == nil {
		return false
	}
	spots, _ := o.stacks.Find(nil, o.merged, glob, 1)
	return len(spots) == 1 && o.settable(spots[0]) != nil &&
		slices.ContainsFunc(o.globs, func(g keypath.Glob) bool { return g.Match(spots[0].Segments) })
}

// settable is the value at a spot, nil when no parameter can set it.
func (o *offer) settable(s rules.Spot) *values.Node {
	glob, err := keypath.Parse(s.Path)
	if err != nil {
		return nil
	}
	fields, ok := glob.Fields()
	if !ok || s.Merged == nil || s.Merged.Secret {
		return nil
	}
	switch n := o.merged.At(fields); {
	case n == nil, n.Kind == values.Map, n.Kind == values.List, n.Kind == values.Null:
		return nil
	default:
		return n
	}
}

func text(n *values.Node) string {
	switch n.Kind {
	case values.Number:
		return values.FormatNumber(n.Num)
	case values.Bool:
		if n.Num != 0 {
			return "true"
		}
		return "false"
	default:
		return n.Text
	}
}
