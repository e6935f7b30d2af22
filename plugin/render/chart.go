package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/syncgate/syncgate/internal/lru"
)

// source is the files of a chart, read no sooner than somebody has to.
type source struct {
	reader *reader
	root   string
	names  []string // relative to root
	sums   [][sha256.Size]byte
	files  []file // nil when they were not read yet
}

// openChart lists and sums the files of the chart in in.Path. Where the tree knows
// their sums, none is read.
func openChart(ctx context.Context, in Input, limits Limits) (*source, error) {
	s := &source{reader: newReader(in, limits), root: in.Path}
	rules, err := ignoreRules(s.reader, path.Join(s.root, ignore.HelmIgnore))
	if err != nil {
		return nil, err
	}
	if s.names, err = s.reader.list(ctx, s.root, rules.Ignore); err != nil {
		return nil, err
	}
	s.sums = make([][sha256.Size]byte, len(s.names))
	for i, name := range s.names {
		sum, ok := s.reader.tree.Sum(path.Join(s.root, name))
		if !ok {
			err := s.sum(ctx)
			return s, err
		}
		s.sums[i] = sum
	}
	return s, nil
}

// sum reads the files and sums what they hold.
func (s *source) sum(ctx context.Context) (err error) {
	if s.files, err = s.read(ctx); err != nil {
		return err
	}
	for i, f := range s.files {
		s.sums[i] = sha256.Sum256(f.data)
	}
	return nil
}

func (s *source) read(ctx context.Context) ([]file, error) {
	if s.files != nil {
		return s.files, nil
	}
	return s.reader.readAll(ctx, s.root, s.names)
}

// key is the sum of a chart's files, and of whether its CRDs are wanted.
func (s *source) key(in Input) lru.Key {
	sum := sha256.New()
	sumText(sum, fmt.Sprintf("CRDs left out: %t", in.SkipCRDs))
	for i, name := range s.names {
		sumText(sum, name)
		_, _ = sum.Write(s.sums[i][:])
	}
	return lru.Key(sum.Sum(nil))
}

// load makes a chart of its files, with all that is vendored in its charts/.
func load(in Input, files []file) (*chart.Chart, error) {
	buffered := make([]*loader.BufferedFile, len(files))
	for i, f := range files {
		buffered[i] = &loader.BufferedFile{Name: f.name, Data: f.data}
	}
	ch, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w; correct the chart, or spec.source.helm.chart in the Gate", in.Path, err)
	}
	if ch.Metadata.Type != "" && ch.Metadata.Type != "application" {
		return nil, fmt.Errorf("load chart %s: it is of type %q, expected an application chart; name one in spec.source.helm.chart", in.Path, ch.Metadata.Type)
	}
	if err := vendored(ch, in.Path); err != nil {
		return nil, err
	}
	sortDependencies(ch)
	return ch, nil
}

func ignoreRules(r *reader, name string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	data, err := r.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("read %s: %w; correct the pattern", name, err)
		}
	}
	rules.AddDefaults()
	return rules, nil
}

// vendored says which dependencies of Chart.yaml do not lie in charts/. Helm
// itself leaves out one of the wrong version without a word.
func vendored(ch *chart.Chart, dir string) error {
	var missing []string
	for _, want := range ch.Metadata.Dependencies {
		found := ""
		for _, have := range ch.Dependencies() {
			if have.Name() != want.Name {
				continue
			}
			if found = have.Metadata.Version; chartutil.IsCompatibleRange(want.Version, found) {
				break
			}
		}
		switch {
		case found == "":
			missing = append(missing, fmt.Sprintf("%s %s (none there)", want.Name, want.Version))
		case !chartutil.IsCompatibleRange(want.Version, found):
			missing = append(missing, fmt.Sprintf("%s %s (%s there)", want.Name, want.Version, found))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("load chart %s: dependencies of Chart.yaml are not vendored in charts/: %s; "+
		"run `helm dependency build %s` and commit the charts/ folder: nothing is downloaded while rendering",
		dir, strings.Join(missing, ", "), dir)
}

// sortDependencies makes the order of subcharts, which Helm loads through a
// map, the same every time.
func sortDependencies(ch *chart.Chart) {
	deps := slices.Clone(ch.Dependencies())
	slices.SortStableFunc(deps, func(a, b *chart.Chart) int {
		if c := strings.Compare(a.Name(), b.Name()); c != 0 {
			return c
		}
		return strings.Compare(a.Metadata.Version, b.Metadata.Version)
	})
	ch.SetDependencies(deps...)
	for _, dep := range deps {
		sortDependencies(dep)
	}
}
