package render

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"

	"github.com/syncgate/syncgate/internal/lru"
)

// DefaultKubeVersion is the Kubernetes version a chart sees when the request
// names none. Argo CD always names the cluster's.
const DefaultKubeVersion = "v1.34.0"

// notesSuffix ends the name of the file that Helm shows after an install; it
// is no object.
const notesSuffix = "NOTES.txt"

// Helm renders a chart as `helm template --include-crds` does: the same
// objects in the same order, hooks among them with their annotations. lookup
// finds nothing, dependencies must lie in charts/, a values.schema.json is held
// against the values without fetching anything.
type Helm struct {
	run *runner
}

// Render implements Renderer.
func (h *Helm) Render(ctx context.Context, in Input) ([]Object, error) {
	c, err := openChart(ctx, in, h.run.limits)
	if err != nil {
		return nil, err
	}
	key := c.key(in)
	if objects, ok := h.run.rendered.get(key, in); ok {
		return objects, nil
	}
	files, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	return h.run.do(ctx, in.Path, func() ([]Object, error) { return h.render(ctx, in, files, key) })
}

func (h *Helm) render(ctx context.Context, in Input, files []file, key lru.Key) ([]Object, error) {
	ch, err := load(in, files)
	if err != nil {
		return nil, err
	}
	verdict := h.run.rendered.verdictOf(key, ch) // rendering changes the chart
	output, err := execute(ctx, ch, in)
	if err != nil {
		return nil, fmt.Errorf("render chart %s: %w", in.Path, err)
	}
	out := collector{limits: h.run.limits, heads: h.run.heads, where: in.Path}
	if !in.SkipCRDs {
		for _, crd := range ch.CRDObjects() {
			if err := out.add(splitYAML(crd.Filename, crd.File.Data)); err != nil {
				return nil, err
			}
		}
	}
	crds := len(out.objects)
	docs, err := inInstallOrder(h.run.sorter, output)
	if err != nil {
		return nil, fmt.Errorf("render chart %s: %w", in.Path, err)
	}
	if err := out.add(docs); err != nil {
		return nil, err
	}
	h.run.rendered.put(key, verdict, in, out.objects[:crds], out.objects[crds:])
	return out.objects, nil
}

// execute runs the chart's templates. The result maps the template's path to
// its output.
func execute(ctx context.Context, ch *chart.Chart, in Input) (map[string]string, error) {
	caps, err := capabilities(in.Cluster)
	if err != nil {
		return nil, err
	}
	if want := ch.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, caps.KubeVersion.String()) {
		return nil, fmt.Errorf("the chart requires Kubernetes %s, the cluster has %s; upgrade the cluster or use another version of the chart",
			want, caps.KubeVersion.String())
	}
	if err := chartutil.ValidateReleaseName(in.Release.Name); err != nil {
		return nil, fmt.Errorf("release name %q: %w; set spec.source.helm.releaseName in the Gate", in.Release.Name, err)
	}
	user := asHelm(in.Values)
	if err := chartutil.ProcessDependenciesWithMerge(ch, user); err != nil {
		return nil, fmt.Errorf("merge values of subcharts: %w", err)
	}
	options := chartutil.ReleaseOptions{
		Name: in.Release.Name, Namespace: in.Release.Namespace, Revision: 1, IsInstall: true,
	}
	// Helm's own check of the schema would follow references to the network
	// and to files of this machine.
	values, err := chartutil.ToRenderValuesWithSchemaValidation(ch, user, options, caps, true)
	if err != nil {
		return nil, fmt.Errorf("merge values: %w", err)
	}
	merged, err := values.Table("Values")
	if err != nil {
		return nil, fmt.Errorf("merge values: %w", err)
	}
	if err := checkSchemas(ch, merged); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, stopped(ctx, in.Path)
	}
	files, err := engine.Render(ch, values)
	if err != nil {
		return nil, fmt.Errorf("%w; correct the template or the values it asks for", err)
	}
	return files, nil
}

func capabilities(c Capabilities) (*chartutil.Capabilities, error) {
	version, err := chartutil.ParseKubeVersion(cmp.Or(c.KubeVersion, DefaultKubeVersion))
	if err != nil {
		return nil, fmt.Errorf("read Kubernetes version %q: %w", c.KubeVersion, err)
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	caps.APIVersions = slices.Concat(caps.APIVersions, c.APIVersions)
	return caps, nil
}

// asHelm is v as Helm has values: a number of a file is a float64, a whole one
// that a parameter sets an int64. Maps and lists are new, since Helm's merge writes into them.
func asHelm(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for key, value := range v {
		out[key] = asHelmValue(value)
	}
	return out
}

func asHelmValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return asHelm(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = asHelmValue(item)
		}
		return list
	case int:
		return float64(v)
	case uint64:
		return float64(v)
	default:
		return v
	}
}

// inInstallOrder cuts the templates' output into documents, in the order in
// which `helm template` prints them: by kind, then the hooks.
func inInstallOrder(sorter *sorter, files map[string]string) ([]document, error) {
	maps.DeleteFunc(files, func(name, _ string) bool {
		return strings.HasSuffix(name, notesSuffix) || strings.HasPrefix(path.Base(name), "_")
	})
	docs, err := sorter.documents(files)
	if err != nil {
		return nil, fmt.Errorf("%w; correct the template that makes it", err)
	}
	return docs, nil
}
