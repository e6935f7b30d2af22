package values

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"
	helmyaml "sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/tree"
)

// The bounds of a chart folder.
const (
	maxChartDepth  = 16       // charts in charts in charts
	maxSubcharts   = 256      // of one chart
	maxArchiveSize = 20 << 20 // of one packed subchart, bytes
)

// Chart is what merging needs of a chart: its default values and those of its
// subcharts, and how Chart.yaml ties them together. It is not changed once
// loaded.
type Chart struct {
	md     *chart.Metadata
	values *Node
	deps   []*Chart
	file   string // Chart.yaml, for errors
	schema []byte // values.schema.json, nil without one
}

// Name is the chart's name.
func (c *Chart) Name() string { return c.md.Name }

// WithDefaults is c with other default values of its own in place of those of
// its values.yaml. c is not changed.
func (c *Chart) WithDefaults(n *Node) *Chart {
	out := *c
	out.values = n
	return &out
}

// Files are the values files that the defaults come from, in no order.
func (c *Chart) Files() []string {
	files := []string{c.values.File}
	for _, d := range c.deps {
		files = append(files, d.Files()...)
	}
	return files
}

// LoadChart reads the chart in folder dir: Chart.yaml, values.yaml and the
// subcharts in charts/, folders and packed ones. Templates are not read.
func LoadChart(t *tree.Tree, dir string, limits Limits) (*Chart, error) {
	l := chartLoader{tree: t, top: dir, limits: limits.WithDefaults(), rules: ignore.Empty()}
	data, err := l.read(path.Join(dir, ignore.HelmIgnore))
	if err != nil {
		return nil, err
	}
	if data != nil {
		if l.rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, chartError(path.Join(dir, ignore.HelmIgnore), "malformed: "+err.Error(), "correct its patterns")
		}
	}
	l.rules.AddDefaults()
	return l.folder(dir, 0)
}

type chartLoader struct {
	tree   *tree.Tree
	top    string
	limits Limits
	rules  *ignore.Rules
}

func chartError(file, problem, remedy string) error {
	return &Error{Position: finding.Position{File: file}, Problem: problem, Remedy: remedy}
}

// read is the content of a file, nil when there is none or it is ignored.
func (l *chartLoader) read(name string) ([]byte, error) {
	data, err := l.tree.Read(name, l.limits.FileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load chart: %w", err)
	}
	if l.ignored(name) {
		return nil, nil
	}
	return data, nil
}

// ignored asks .helmignore, which also speaks of the folders on the way.
func (l *chartLoader) ignored(name string) bool {
	rel := strings.TrimPrefix(name, l.top+"/")
	if l.top == "." {
		rel = name
	}
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		real, err := l.tree.Real(path.Join(l.top, rel[:i]))
		if err != nil {
			return false
		}
		info, err := fs.Stat(l.tree.FS(), real)
		if err == nil && l.rules != nil && l.rules.Ignore(rel[:i], info) {
			return true
		}
	}
	return false
}

// folder loads the chart in dir.
func (l *chartLoader) folder(dir string, depth int) (*Chart, error) {
	if depth > maxChartDepth {
		return nil, limitError(finding.Position{File: dir}, "", "chartDepth", maxChartDepth, "charts nest deeper")
	}
	var files chartFiles
	files.dir = dir
	for name, into := range files.parts() {
		data, err := l.read(path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if name == "values.yaml" {
			data = bytes.TrimPrefix(data, []byte("\ufeff"))
		}
		*into = data
	}
	c, err := files.chart(l.limits)
	if err != nil {
		return nil, err
	}
	c.deps, err = l.subcharts(path.Join(dir, "charts"), depth)
	return c, err
}

// subcharts loads what lies in a charts/ folder, sorted by name.
func (l *chartLoader) subcharts(dir string, depth int) ([]*Chart, error) {
	real, err := l.tree.Real(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(l.tree.FS(), real)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, chartError(dir, "cannot be listed", "make charts/ a readable folder")
	}
	if len(entries) > maxSubcharts {
		return nil, limitError(finding.Position{File: dir}, "", "subcharts", maxSubcharts, fmt.Sprintf("the folder has %d entries", len(entries)))
	}
	var charts []*Chart
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if strings.IndexAny(e.Name(), "_.") == 0 || path.Ext(e.Name()) == ".prov" || l.ignored(name) {
			continue
		}
		sub, err := l.subchart(name, depth)
		if err != nil {
			return nil, err
		}
		charts = append(charts, sub)
	}
	return charts, nil
}

func (l *chartLoader) subchart(name string, depth int) (*Chart, error) {
	if path.Ext(name) != ".tgz" {
		return l.folder(name, depth+1)
	}
	data, err := l.tree.Read(name, maxArchiveSize)
	if err != nil {
		return nil, fmt.Errorf("load subchart: %w", err)
	}
	files, err := loader.LoadArchiveFiles(bytes.NewReader(data))
	if err != nil {
		return nil, chartError(name, "not a packed chart: "+err.Error(), "package the subchart again")
	}
	return packed(name, files, depth+1, l.limits)
}

// packed loads a chart from the files of an archive.
func packed(display string, files []*loader.BufferedFile, depth int, limits Limits) (*Chart, error) {
	if depth > maxChartDepth {
		return nil, limitError(finding.Position{File: display}, "", "chartDepth", maxChartDepth, "charts nest deeper")
	}
	own := chartFiles{dir: display}
	parts := own.parts()
	subs := map[string][]*loader.BufferedFile{}
	var order []string
	for _, f := range files {
		if into := parts[f.Name]; into != nil {
			*into = f.Data
			continue
		}
		rest, ok := strings.CutPrefix(f.Name, "charts/")
		name, inner, nested := strings.Cut(rest, "/")
		if !ok || strings.IndexAny(name, "_.") == 0 || path.Ext(rest) == ".prov" {
			continue
		}
		if subs[name] == nil {
			order = append(order, name)
		}
		if nested {
			subs[name] = append(subs[name], &loader.BufferedFile{Name: inner, Data: f.Data})
			continue
		}
		unpacked, err := loader.LoadArchiveFiles(bytes.NewReader(f.Data))
		if err != nil {
			return nil, chartError(path.Join(display, f.Name), "not a packed chart", "package the subchart again")
		}
		subs[name] = unpacked
	}
	c, err := own.chart(limits)
	if err != nil {
		return nil, err
	}
	for _, name := range order {
		sub, err := packed(path.Join(display, "charts", name), subs[name], depth+1, limits)
		if err != nil {
			return nil, err
		}
		c.deps = append(c.deps, sub)
	}
	return c, nil
}

// chartFiles are the files of one chart that count here.
type chartFiles struct {
	dir                        string
	meta, requirements, values []byte
	schema                     []byte
}

func (f *chartFiles) parts() map[string]*[]byte {
	return map[string]*[]byte{"Chart.yaml": &f.meta, "requirements.yaml": &f.requirements, "values.yaml": &f.values, schemaFile: &f.schema}
}

// chart makes a Chart without its subcharts.
func (f *chartFiles) chart(limits Limits) (*Chart, error) {
	file := path.Join(f.dir, "Chart.yaml")
	if f.meta == nil {
		return nil, chartError(f.dir, "not a chart: Chart.yaml is missing", "name the folder that holds Chart.yaml, or add it")
	}
	md := &chart.Metadata{}
	if err := helmyaml.Unmarshal(f.meta, md); err != nil {
		return nil, chartError(file, "malformed: "+err.Error(), "correct the YAML")
	}
	if md.APIVersion == "" {
		md.APIVersion = chart.APIVersionV1
	}
	if f.requirements != nil {
		if err := helmyaml.Unmarshal(f.requirements, md); err != nil {
			return nil, chartError(path.Join(f.dir, "requirements.yaml"), "malformed: "+err.Error(), "correct the YAML")
		}
	}
	if err := md.Validate(); err != nil {
		return nil, chartError(file, err.Error(), "correct Chart.yaml")
	}
	c := &Chart{md: md, file: file, schema: f.schema, values: emptyMap(path.Join(f.dir, "values.yaml"))}
	if f.values == nil {
		return c, nil
	}
	var err error
	c.values, err = Parse(f.values, path.Join(f.dir, "values.yaml"), limits)
	return c, err
}
