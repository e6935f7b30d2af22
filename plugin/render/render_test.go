package render

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what is rendered into testdata")

// TestScenarios renders each testdata/<kind>-*.txtar. An archive holds the
// repository under repo/, what to ask for in input.yaml, and what is to come of
// it: want.yaml, or the error in error.txt.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("find scenarios: %v, %d files", err, len(files))
	}
	renderers := New(Limits{})
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(name, "-")
			s := readScenario(t, file)
			objects, err := renderers[Kind(kind)].Render(t.Context(), s.input)
			got := txtar.File{Name: "want.yaml", Data: text(objects)}
			if err != nil {
				got = txtar.File{Name: "error.txt", Data: []byte(err.Error() + "\n")}
			}
			if *update {
				s.update(t, file, got)
				return
			}
			if diff := cmp.Diff(string(s.files[got.Name]), string(got.Data)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", got.Name, diff)
			}
		})
	}
}

// TestSameBytes renders every scenario again and again: maps must not show.
func TestSameBytes(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), "-")
		s := readScenario(t, file)
		var first []byte
		for i := range 5 {
			objects, err := New(Limits{})[Kind(kind)].Render(t.Context(), s.input)
			got := text(objects)
			if err != nil {
				got = []byte(err.Error())
			}
			if i == 0 {
				first = got
			} else if !bytes.Equal(first, got) {
				t.Errorf("%s: run %d differs:\n%s", file, i, cmp.Diff(string(first), string(got)))
			}
		}
	}
}

type scenario struct {
	archive *txtar.Archive
	files   map[string][]byte
	input   Input
}

func readScenario(t *testing.T, file string) scenario {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := scenario{archive: archive, files: map[string][]byte{}}
	for _, f := range archive.Files {
		s.files[f.Name] = f.Data
	}
	tree, err := txtar.FS(archive)
	if err != nil {
		t.Fatal(err)
	}
	if s.input.FS, err = fs.Sub(tree, "repo"); err != nil {
		t.Fatal(err)
	}
	var in struct {
		Path        string
		Name        string
		Namespace   string
		SkipCRDs    bool
		KubeVersion string
		APIVersions []string
		Values      map[string]any
	}
	if err := yaml.UnmarshalStrict(s.files["input.yaml"], &in); err != nil {
		t.Fatal(err)
	}
	s.input.Path, s.input.SkipCRDs, s.input.Values = in.Path, in.SkipCRDs, in.Values
	s.input.Release = Release{in.Name, in.Namespace}
	s.input.Cluster = Capabilities{in.KubeVersion, in.APIVersions}
	return s
}

func (s scenario) update(t *testing.T, file string, got txtar.File) {
	t.Helper()
	var kept []txtar.File
	for _, f := range s.archive.Files {
		if f.Name != "want.yaml" && f.Name != "error.txt" {
			kept = append(kept, f)
		}
	}
	kept = append(kept, got)
	s.archive.Files = kept
	if err := os.WriteFile(file, txtar.Format(s.archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

func text(objects []Object) []byte {
	var out bytes.Buffer
	for _, o := range objects {
		out.WriteString("--- # " + o.Source + ": " + o.APIVersion + " " + o.String() + "\n")
		out.Write(o.Data)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func TestStops(t *testing.T) {
	// Seconds of work that knows no context.
	tree, err := txtar.FS(txtar.Parse([]byte(`
-- Chart.yaml --
apiVersion: v2
name: long
version: 1.0.0
-- templates/a.yaml --
{{- range until 20 }}{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}{{ end }}
`)))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{FS: tree, Path: ".", Release: Release{Name: "r"}}
	cause := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	go cancel(cause)
	renderers := New(Limits{})
	if _, err := renderers[KindHelm].Render(ctx, in); !errors.Is(err, cause) {
		t.Errorf("canceled render: got %v, want %v", err, cause)
	}
	for kind, r := range renderers {
		if _, err := r.Render(ctx, in); !errors.Is(err, cause) {
			t.Errorf("%s under a canceled context: got %v, want %v", kind, err, cause)
		}
	}
}

func TestRunaway(t *testing.T) {
	run := newRunner(Limits{HeapBytes: 64 << 20, AtOnce: 1}.withDefaults())
	release := make(chan struct{})
	_, err := run.do(t.Context(), "chart", func() ([]Object, error) {
		var keep [][]byte
		for {
			select {
			case <-release:
				return nil, nil
			default:
				if len(keep) < 256 {
					keep = append(keep, make([]byte, 1<<20))
				}
			}
		}
	})
	var hit *LimitError
	if !errors.As(err, &hit) || hit.Limit != "renderHeapBytes" || hit.Value != 64<<20 {
		t.Errorf("render that eats memory: got %v, want limit renderHeapBytes=%d", err, 64<<20)
	}
	// It goes on alone and keeps its slot: another has to wait, and says why.
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := run.do(ctx, "other", func() ([]Object, error) { return nil, nil }); err == nil || !strings.Contains(err.Error(), "rendersAtOnce=1") {
		// The cancel may come before the wait begins.
		if !errors.Is(err, context.Canceled) {
			t.Errorf("render without a slot: got %v", err)
		}
	}
	close(release)
	if _, err := run.do(t.Context(), "other", func() ([]Object, error) { return nil, nil }); err != nil {
		t.Errorf("render after the lost one ended: %v", err)
	}
}

func TestPanic(t *testing.T) {
	_, err := newRunner(Limits{}.withDefaults()).do(t.Context(), "chart", func() ([]Object, error) { panic("oops") })
	if err == nil || !strings.Contains(err.Error(), "render chart: the engine panicked: oops") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	repo := []byte(`
-- a.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
-- b.yaml --
{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}]}
`)
	tree, err := txtar.FS(txtar.Parse(repo))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		limits Limits
		want   string
	}{
		{"none hit", Limits{Objects: 4, Files: 2}, ""},
		{"objects, those in lists too", Limits{Objects: 3}, "limit objects=3 hit"},
		{"files", Limits{Files: 1}, "limit files=1 hit"},
		{"file size", Limits{FileBytes: 10}, "=10 bytes hit"},
		{"input", Limits{InputBytes: 150}, "limit inputBytes=150 hit"},
		{"output", Limits{OutputBytes: 100}, "limit outputBytes=100 hit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.limits)[KindPlain].Render(t.Context(), Input{FS: tree, Path: "."})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
