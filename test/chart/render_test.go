package chart

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	chartDir  = "../../charts/syncgate"
	namespace = "syncgate"
	release   = "gate"
)

// rendered is what a set of values makes of the chart.
type rendered struct {
	Objects []runtime.Object
	Notes   string
}

// render does what `helm template` does, from the file of values in testdata.
func render(t *testing.T, valuesFile string) rendered {
	t.Helper()
	values := map[string]any{}
	if valuesFile != "" {
		v, err := chartutil.ReadValuesFile(path.Join("testdata", valuesFile))
		if err != nil {
			t.Fatal(err)
		}
		values = v
	}
	r, err := renderValues(values)
	if err != nil {
		t.Fatalf("render with %s: %v", valuesFile, err)
	}
	return r
}

func renderValues(values map[string]any) (rendered, error) {
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		return rendered{}, err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return rendered{}, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return rendered{}, err
	}
	var out rendered
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			out.Notes = text
			continue
		}
		objects, err := decode(text)
		if err != nil {
			return rendered{}, fmt.Errorf("%s: %w\n%s", name, err, text)
		}
		out.Objects = append(out.Objects, objects...)
	}
	return out, nil
}

// decode reads objects into their types; a field that the type does not have,
// or that stands there twice, is an error.
func decode(text string) ([]runtime.Object, error) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for docs := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		o, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
}

// find is the only object of a type whose name fits.
func find[T runtime.Object](t *testing.T, r rendered, fits func(T) bool) T {
	t.Helper()
	var found []T
	for _, o := range r.Objects {
		if v, ok := o.(T); ok && (fits == nil || fits(v)) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		var zero T
		t.Fatalf("expected one %T, found %d", zero, len(found))
	}
	return found[0]
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
