package values_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	helmvalues "helm.sh/helm/v3/pkg/cli/values"
	"helm.sh/helm/v3/pkg/getter"

	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// scene is a chart with its subcharts, and values files, made at random.
type scene struct {
	chart map[string][]byte // files, relative to the chart
	files [][]byte
}

// dice makes scenes. Its keys are few so that layers meet.
type dice struct{ *rand.Rand }

func (d dice) pick(words ...string) string { return words[d.IntN(len(words))] }

func (d dice) value(depth int) any {
	switch n := d.IntN(12); {
	case n < 2:
		return nil
	case n < 4:
		return d.IntN(2) == 0
	case n < 5:
		return d.IntN(100)
	case n < 7:
		return d.pick("", "x", "yes", "0777", "<<", "1e3", "~")
	case n < 8 && depth > 0:
		return []any{d.value(depth - 1), d.value(depth - 1)}
	case depth > 0:
		return d.table(depth - 1)
	default:
		return map[string]any{}
	}
}

func (d dice) table(depth int) map[string]any {
	m := map[string]any{}
	for range d.IntN(6) {
		key := d.pick("a", "b", "c", "global", "enabled", "sub", "other", "alias", "tags", "exports", "data")
		m[key] = d.value(depth)
		if key == "tags" || key == "enabled" {
			m[key] = d.pickAny(true, false, nil, map[string]any{"front": d.IntN(2) == 0, "back": d.IntN(2) == 0})
		}
	}
	return m
}

func (d dice) pickAny(of ...any) any { return of[d.IntN(len(of))] }

// addChart writes a chart into files under prefix.
func (d dice) addChart(files map[string][]byte, prefix, name string, depth int) {
	meta := map[string]any{"apiVersion": "v2", "name": name, "version": "1.2.3"}
	var deps []any
	for _, sub := range []string{"sub", "other"} {
		if depth == 0 || d.IntN(3) == 0 {
			continue
		}
		d.addChart(files, prefix+"charts/"+sub+"/", sub, depth-1)
		for range d.IntN(3) {
			deps = append(deps, d.dependency(sub))
		}
	}
	if deps != nil {
		meta["dependencies"] = deps
	}
	files[prefix+"Chart.yaml"] = mustYAML(meta)
	if d.IntN(5) > 0 {
		files[prefix+"values.yaml"] = mustYAML(d.table(3))
	}
}

func (d dice) dependency(sub string) map[string]any {
	dep := map[string]any{"name": sub, "version": d.pick("1.2.3", "^1.0.0", ">2.0.0", "1.x")}
	if d.IntN(3) == 0 {
		dep["alias"] = d.pick("alias", "again")
	}
	if d.IntN(3) == 0 {
		dep["condition"] = d.pick("sub.enabled", "enabled", "global.a,other.enabled", "alias.enabled")
	}
	if d.IntN(3) == 0 {
		dep["tags"] = []any{d.pick("front", "back")}
	}
	if d.IntN(3) == 0 {
		dep["import-values"] = []any{
			d.pickAny("data", "a", map[string]any{"child": d.pick("a", "b", "global", "sub.a"), "parent": d.pick("a", "b", ".", "imported.here")}),
		}
	}
	return dep
}

func mustYAML(v any) []byte {
	data, err := yaml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func newScene(seed1, seed2 uint64) scene {
	d := dice{rand.New(rand.NewPCG(seed1, seed2))}
	s := scene{chart: map[string][]byte{}}
	d.addChart(s.chart, "", "top", d.IntN(3))
	for range d.IntN(4) {
		s.files = append(s.files, mustYAML(d.table(4)))
	}
	return s
}

// Get gives Helm a values file of the scene, as it would get one from a URL:
// a disk would be most of the time of a comparison.
func (s scene) Get(url string, _ ...getter.Option) (*bytes.Buffer, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(url, "scene:"))
	if err != nil {
		return nil, err
	}
	return bytes.NewBuffer(bytes.Clone(s.files[i])), nil
}

// helm merges the scene with Helm's own functions.
func (s scene) helm() (merged, user map[string]any, err error) {
	var opts helmvalues.Options
	for i := range s.files {
		opts.ValueFiles = append(opts.ValueFiles, "scene:"+strconv.Itoa(i))
	}
	files := getter.Provider{Schemes: []string{"scene"}, New: func(...getter.Option) (getter.Getter, error) { return s, nil }}
	if user, err = opts.MergeValues(getter.Providers{files}); err != nil {
		return nil, nil, err
	}
	var chart []*loader.BufferedFile
	for name, data := range s.chart {
		chart = append(chart, &loader.BufferedFile{Name: name, Data: data})
	}
	c, err := loader.LoadFiles(chart)
	if err != nil {
		return nil, nil, err
	}
	// Helm may change what it is given; the caller wants the files alone.
	kept := map[string]any{}
	if data, err := json.Marshal(user); err != nil || json.Unmarshal(data, &kept) != nil {
		return nil, nil, fmt.Errorf("copy values: %w", err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(c, user); err != nil {
		return nil, nil, err
	}
	top, err := chartutil.ToRenderValues(c, user, chartutil.ReleaseOptions{}, nil)
	if err != nil {
		return nil, nil, err
	}
	return top["Values"].(chartutil.Values), kept, nil
}

// ours merges the scene with this package.
func (s scene) ours() (merged, user map[string]any, err error) {
	fsys := fstest.MapFS{}
	for name, data := range s.chart {
		fsys["chart/"+name] = &fstest.MapFile{Data: data}
	}
	c, err := values.LoadChart(tree.New(fsys), "chart", values.Limits{})
	if err != nil {
		return nil, nil, err
	}
	nodes := make([]*values.Node, len(s.files))
	for i, f := range s.files {
		if nodes[i], err = values.Parse(f, "f.yaml", values.Limits{}); err != nil {
			return nil, nil, err
		}
	}
	files := values.Overlay(nodes...)
	node, err := c.Merge(files)
	if err != nil {
		return nil, nil, err
	}
	return node.NativeMap(), files.NativeMap(), nil
}

// check compares both; what Helm refuses must be refused.
func (s scene) check() error {
	wantMerged, wantUser, wantErr := s.helm()
	gotMerged, gotUser, gotErr := s.ours()
	switch {
	case (wantErr == nil) != (gotErr == nil):
		return fmt.Errorf("refused by one (helm, ours): %w\n%s", errors.Join(wantErr, gotErr), s)
	case gotErr != nil:
		return nil //nolint:nilerr // both refuse it, which is to agree
	}
	if !reflect.DeepEqual(wantUser, gotUser) {
		return fmt.Errorf("files alone (-helm +ours):\n%s\n%s", cmp.Diff(wantUser, gotUser), s)
	}
	if !reflect.DeepEqual(wantMerged, gotMerged) {
		return fmt.Errorf("merged (-helm +ours):\n%s\n%s", cmp.Diff(wantMerged, gotMerged), s)
	}
	return nil
}

// String is all of the scene, to see and to repeat it by.
func (s scene) String() string {
	text := ""
	for name, data := range s.chart {
		text += "== chart/" + name + "\n" + string(data)
	}
	for i, f := range s.files {
		text += fmt.Sprintf("== file %d\n%s", i, f)
	}
	return text
}

func quietHelm(tb testing.TB) {
	log.SetOutput(io.Discard) // Helm logs every conflict between tables
	tb.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// TestMergeIsHelms compares random charts and values files with Helm.
// SYNCGATE_MERGE_TIME=10m makes it run that long.
func TestMergeIsHelms(t *testing.T) {
	quietHelm(t)
	rounds, until := int64(2000), time.Time{}
	if d, err := time.ParseDuration(os.Getenv("SYNCGATE_MERGE_TIME")); err == nil {
		rounds, until = 1<<62, time.Now().Add(d)
	}
	seed := rand.Uint64()
	var done atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !t.Failed() && (until.IsZero() || time.Now().Before(until)) {
				round := done.Add(1)
				if round > rounds {
					done.Add(-1)
					return
				}
				if err := newScene(seed, uint64(round)).check(); err != nil {
					t.Errorf("seed %d, round %d: %v", seed, round, err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d random merges, seed %d", done.Load(), seed)
}

// FuzzMerge does the same with scenes that the fuzzer steers, and with a
// values file of its own making.
func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), uint64(2), []byte("a: 1\nglobal: {a: {b: null}}\n"))
	f.Add(uint64(3), uint64(4), []byte("sub: 1\n"))
	quietHelm(f)
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64, file []byte) {
		s := newScene(seed1, seed2)
		if _, err := values.Parse(file, "f.yaml", values.Limits{}); err == nil {
			s.files = append(s.files, file)
		}
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
	})
}
