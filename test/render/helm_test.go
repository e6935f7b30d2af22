// Package render holds the renderers of the plugin against the programs whose
// work they do.
package render

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	kyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/test/harness"
)

// input is input.yaml of a scenario; see the tests of plugin/render.
type input struct {
	Path        string
	Name        string
	Namespace   string
	SkipCRDs    bool
	KubeVersion string
	APIVersions []string
	Values      map[string]any
}

// TestAsHelmTemplate renders every chart of the renderer's own scenarios, and
// those beside this test, with `helm template` too. Objects, their order and
// their content must be the same; what Helm refuses must be refused.
func TestAsHelmTemplate(t *testing.T) {
	helm, err := harness.Tool(t.Context(), "helm", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../plugin/render/testdata/helm-*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob("testdata/helm-*.txtar")
	if err != nil || len(files) == 0 || len(own) == 0 {
		t.Fatalf("find scenarios: %v, %d and %d files", err, len(files), len(own))
	}
	for _, file := range append(files, own...) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			dir, in := unpack(t, file)
			want, wantErr := helmTemplate(t, helm, dir, in)
			got, gotErr := ours(t, dir, in)
			if wantErr != nil {
				if gotErr == nil {
					t.Errorf("helm refuses it, Syncgate renders it: %v", wantErr)
				}
				return
			}
			if gotErr != nil {
				// Stricter on purpose: nothing is read from outside of the
				// repository, and what is rendered must be objects.
				if !strings.HasSuffix(t.Name(), "-no-object") {
					t.Errorf("helm renders it, Syncgate does not: %v", gotErr)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects differ (-helm +syncgate):\n%s", diff)
			}
			if len(got) == 0 {
				t.Error("nothing was rendered, so nothing was compared")
			}
		})
	}
}

func unpack(t *testing.T, file string) (string, input) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var in input
	for _, f := range archive.Files {
		if f.Name == "input.yaml" {
			if err := yaml.UnmarshalStrict(f.Data, &in); err != nil {
				t.Fatal(err)
			}
		}
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, in
}

// helmTemplate is what the real Helm makes of it. The kube version is always
// given, since Helm's own default is another.
func helmTemplate(t *testing.T, helm, dir string, in input) ([]any, error) {
	t.Helper()
	values, err := yaml.Marshal(in.Values)
	if err != nil {
		t.Fatal(err)
	}
	valuesFile := filepath.Join(dir, "values-of-the-test.yaml")
	if err := os.WriteFile(valuesFile, values, 0o600); err != nil {
		t.Fatal(err)
	}
	version := in.KubeVersion
	if version == "" {
		version = render.DefaultKubeVersion
	}
	args := []string{"template", in.Name, filepath.Join(dir, "repo", in.Path), "--values", valuesFile, "--kube-version", version}
	if in.Namespace != "" {
		args = append(args, "--namespace", in.Namespace)
	}
	if !in.SkipCRDs {
		args = append(args, "--include-crds")
	}
	for _, api := range in.APIVersions {
		args = append(args, "--api-versions", api)
	}
	cmd := exec.CommandContext(t.Context(), helm, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir, "KUBECONFIG=/dev/null")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(stderr.String())
	}
	return decode(t, stdout.Bytes()), nil
}

func ours(t *testing.T, dir string, in input) ([]any, error) {
	t.Helper()
	objects, err := render.New(render.Limits{})[render.KindHelm].Render(t.Context(), render.Input{
		FS:       os.DirFS(filepath.Join(dir, "repo")),
		Path:     in.Path,
		Release:  render.Release{Name: in.Name, Namespace: orDefault(in.Namespace)},
		Values:   in.Values,
		SkipCRDs: in.SkipCRDs,
		Cluster:  render.Capabilities{KubeVersion: in.KubeVersion, APIVersions: in.APIVersions},
	})
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, o := range objects {
		all.WriteString("---\n")
		all.Write(o.Data)
		all.WriteByte('\n')
	}
	return decode(t, all.Bytes()), nil
}

func orDefault(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

// decode reads a stream of objects as Argo CD reads a plugin's output.
func decode(t *testing.T, data []byte) []any {
	t.Helper()
	var objects []any
	dec := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var o map[string]any
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("decode objects: %v\n%s", err, data)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
}
