package render

import (
	"crypto/sha256"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/sprig/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/syncgate/syncgate/internal/lru"
)

// TestFunctionsAreJudged holds the two lists against the functions that there
// are: one that a newer Helm brings is to be judged before it is used.
func TestFunctionsAreJudged(t *testing.T) {
	pure, impure := wordSet(pureFunctions), wordSet(impureFunctions)
	for name := range sprig.TxtFuncMap() {
		if pure[name] == impure[name] {
			t.Errorf("%s: expected it in one of the lists, found pure %t, impure %t", name, pure[name], impure[name])
		}
	}
	for name := range impure {
		if pure[name] {
			t.Errorf("%s is in both lists", name)
		}
	}
}

// shop is a chart of one template, with more files beside.
func shop(template string, more map[string]string) fstest.MapFS {
	tree := fstest.MapFS{
		"shop/Chart.yaml":              {Data: []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n")},
		"shop/values.yaml":             {Data: []byte("a: one\nb: {c: two}\n")},
		"shop/crds/crd.yaml":           {Data: []byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: now.example.com}\n")},
		"shop/templates/_helpers.tpl":  {Data: []byte(`{{- define "name" }}{{ .Release.Name | trunc 63 }}{{ end -}}` + "\n# what happens now\n")},
		"shop/templates/config.yaml":   {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"name\" . }}}\ndata: {x: " + template + "}\n")},
		"shop/templates/tests/hi.yaml": {Data: []byte("# nothing\n")},
	}
	for name, text := range more {
		tree["shop/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func input(tree fstest.MapFS) Input {
	return Input{
		FS: tree, Path: "shop", Release: Release{"r", "ns"}, Cluster: Capabilities{"1.34.1", []string{"x/v1"}},
		Values: map[string]any{"a": "mine", "n": float64(1000000), "l": []any{"p", true, nil}},
	}
}

// TestOnlyPureChartsAreKept: what asks clock or chance is rendered every time.
func TestOnlyPureChartsAreKept(t *testing.T) {
	values := func(key, text string) map[string]any { return map[string]any{key: text} }
	for _, tt := range []struct {
		name     string
		template string
		more     map[string]string
		values   map[string]any
		kept     bool
	}{
		{name: "values", template: `{{ .Values.a | upper | quote }}`, kept: true},
		{name: "loops and branches", template: `{{ range $k, $v := .Values.b }}{{ if eq $v "two" }}{{ with $v }}{{ . }}{{ end }}{{ end }}{{ end }}`, kept: true},
		{name: "the word in a value", template: `{{ .Values.a }}`, values: values("a", "now"), kept: true},
		{name: "the clock", template: `{{ now }}`},
		{name: "the clock, in an argument", template: `{{ printf "%s" (now | toString) }}`},
		{name: "the clock, in a branch that is not taken", template: `{{ if false }}{{ else }}x{{ if false }}{{ now }}{{ end }}{{ end }}`},
		{name: "the clock, by a date of nothing", template: `{{ date "2006" nil }}`},
		{name: "the clock, in a variable", template: `{{ $x := now }}x`},
		{name: "the clock, in a chain", template: `{{ (now).Year }}`},
		{name: "the clock, in a range", template: `{{ range list now }}x{{ end }}`},
		{name: "the clock, with a template", template: `{{ template "t" (now | toString) }}`, more: map[string]string{"templates/_t.tpl": `{{ define "t" }}{{ . }}{{ end }}`}},
		{name: "the clock, in a definition", template: `{{ include "t" . }}`, more: map[string]string{"templates/_t.tpl": `{{ define "t" }}{{ now }}{{ end }}`}},
		{name: "chance", template: `{{ randAlphaNum 8 }}`},
		{name: "a subchart's chance", template: `x`, more: map[string]string{
			"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/templates/a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ uuidv4 }}}\n",
		}},
		{name: "a template in a value", template: `{{ tpl .Values.a . }}`, values: values("a", "{{ .Release.Name }}"), kept: true},
		{name: "the clock in a value", template: `{{ tpl .Values.a . }}`, values: values("a", "{{ now }}")},
		{name: "the clock in a key", template: `{{ tpl .Values.a . }}`, values: map[string]any{"a": "x", "{{ now }}": "x"}},
		{name: "the clock in a list", template: `{{ tpl .Values.a . }}`, values: map[string]any{"a": "x", "l": []any{map[string]any{"k": "{{ now }}"}}}},
		{name: "the clock, put together", template: `{{ tpl (printf "{{ %s }}" .Values.a) . }}`, values: values("a", "now")},
		{name: "the clock in a default", template: `{{ tpl .Values.a . }}`, more: map[string]string{"values.yaml": "a: '{{ now }}'\n"}},
		{name: "the clock in a string", template: "{{ tpl `{{ now }}` . }}"},
		{name: "the clock in text of a template", template: `{{ tpl (include "t" .) . }}`, more: map[string]string{"templates/_t.tpl": "{{ define \"t\" }}{{ `{{` }} now {{ `}}` }}{{ end }}"}},
		{name: "a file as a template", template: `{{ tpl (.Files.Get "f") . }}`, more: map[string]string{"f": "{{ .Release.Name }}"}, kept: true},
		{name: "values written down as a template", template: `{{ tpl (toYaml .Values.b) $ | quote }}`, kept: true},
		{name: "a default for a template", template: `{{ tpl (.Values.x | default .Values.a | toString) . }}`, kept: true},
		{name: "the clock in a file, by index", template: `{{ tpl ((index . "Files").Get "f") . }}`, more: map[string]string{"f": "{{ now }}"}},
		{name: "the clock in the chart's description", template: `{{ tpl .Chart.Description . }}`, more: map[string]string{"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndescription: '{{ now }}'\n"}},
		{name: "the clock, put together of parts", template: "{{ tpl (printf \"{{ no%s }}\" \"w\") . }}"},
		{name: "the clock, put together in a value", template: `{{ tpl .Values.a . }}`, values: values("a", "{{ tpl (printf \"{{ no%s }}\" \"w\") . }}")},
		{name: "a context from a pipe", template: `{{ . | tpl .Values.a }}`},
		{name: "the clock in a file", template: `{{ tpl (.Files.Get "f") . }}`, more: map[string]string{"f": "{{ now }}"}},
		{name: "the clock in a file, by a variable", template: `{{ $f := .Files }}{{ tpl ($f.Get "f") . }}`, more: map[string]string{"f": "{{ now }}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := shop(tt.template, tt.more)
			if strings.Contains(tt.template, "tpl") {
				// Its comment would count as text that may become a template.
				tree["shop/templates/_helpers.tpl"].Data = []byte(`{{- define "name" }}{{ .Release.Name }}{{ end -}}`)
			}
			h := &Helm{run: newRunner(Limits{}.withDefaults())}
			in := input(tree)
			if tt.values != nil {
				in.Values = tt.values
			}
			if _, err := h.Render(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if kept := h.run.rendered.known.Bytes() > 0; kept != tt.kept {
				t.Errorf("kept: %t, expected %t", kept, tt.kept)
			}
		})
	}
}

// TestKeptIsWhatWouldBeRendered renders every scenario with one table of
// renderers, twice, and with another.
func TestKeptIsWhatWouldBeRendered(t *testing.T) {
	files, err := filepath.Glob("testdata/helm-*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	shared := New(Limits{})
	hits := 0
	for range 2 {
		for _, file := range files {
			s := readScenario(t, file)
			got, gotErr := shared[KindHelm].Render(t.Context(), s.input)
			want, wantErr := New(Limits{})[KindHelm].Render(t.Context(), s.input)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Object{}, "Sum")); diff != "" {
				t.Errorf("%s (-fresh +kept):\n%s", file, diff)
			}
			if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
				t.Errorf("%s: %v, expected %v", file, gotErr, wantErr)
			}
			hits += len(got)
		}
	}
	if hits == 0 || shared[KindHelm].(*Helm).run.rendered.known.Bytes() == 0 {
		t.Error("nothing was kept")
	}
}

// TestEverythingCounts: whatever a render follows from is in its key.
func TestEverythingCounts(t *testing.T) {
	keyOf := func(in Input) lru.Key {
		c, err := openChart(t.Context(), in, Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		key := inputKey(c.key(in), in)
		in.FS = summed{in.FS.(fstest.MapFS), map[string]int{}}
		if c, err = openChart(t.Context(), in, Limits{}.withDefaults()); err != nil || inputKey(c.key(in), in) != key {
			t.Errorf("a tree that knows its files' sums gives another key, or %v", err)
		}
		return key
	}
	seen := map[lru.Key]string{keyOf(input(shop("x", nil))): "as it is"}
	if _, ok := seen[keyOf(input(shop("x", nil)))]; !ok {
		t.Error("the same input has another key")
	}
	for name, edit := range map[string]func(*Input, fstest.MapFS){
		"a template": func(_ *Input, f fstest.MapFS) { f["shop/templates/config.yaml"].Data = []byte("a: b\n") },
		"a file's name": func(_ *Input, f fstest.MapFS) {
			f["shop/templates/other.yaml"] = f["shop/templates/config.yaml"]
			delete(f, "shop/templates/config.yaml")
		},
		"a file more":     func(_ *Input, f fstest.MapFS) { f["shop/x"] = &fstest.MapFile{} },
		"a CRD":           func(_ *Input, f fstest.MapFS) { f["shop/crds/crd.yaml"].Data = []byte("a: b\n") },
		"a default":       func(_ *Input, f fstest.MapFS) { f["shop/values.yaml"].Data = []byte("a: two\n") },
		"what is ignored": func(_ *Input, f fstest.MapFS) { f["shop/.helmignore"] = &fstest.MapFile{Data: []byte("templates\n")} },
		"where files part": func(_ *Input, f fstest.MapFS) {
			f["shop/values.yaml"].Data = []byte("a: one\nb: {c: two}")
			f["shop/values.yamk"] = &fstest.MapFile{Data: []byte("\n")}
		},
		"no CRDs":               func(in *Input, _ fstest.MapFS) { in.SkipCRDs = true },
		"the release":           func(in *Input, _ fstest.MapFS) { in.Release.Name = "q" },
		"the namespace":         func(in *Input, _ fstest.MapFS) { in.Release.Namespace = "other" },
		"where the names part":  func(in *Input, _ fstest.MapFS) { in.Release = Release{"rn", "s"} },
		"Kubernetes":            func(in *Input, _ fstest.MapFS) { in.Cluster.KubeVersion = "1.34.2" },
		"an API":                func(in *Input, _ fstest.MapFS) { in.Cluster.APIVersions = []string{"x/v2"} },
		"an API more":           func(in *Input, _ fstest.MapFS) { in.Cluster.APIVersions = []string{"x/v1", "y/v1"} },
		"a value":               func(in *Input, _ fstest.MapFS) { in.Values["a"] = "theirs" },
		"a value's type":        func(in *Input, _ fstest.MapFS) { in.Values["n"] = int64(1000000) },
		"a value as a string":   func(in *Input, _ fstest.MapFS) { in.Values["n"] = "1000000" },
		"a key":                 func(in *Input, _ fstest.MapFS) { in.Values["aa"] = in.Values["a"]; delete(in.Values, "a") },
		"an item":               func(in *Input, _ fstest.MapFS) { in.Values["l"] = []any{"p", false, nil} },
		"the order of items":    func(in *Input, _ fstest.MapFS) { in.Values["l"] = []any{true, "p", nil} },
		"null in place of none": func(in *Input, _ fstest.MapFS) { in.Values["m"] = nil },
		"an empty map":          func(in *Input, _ fstest.MapFS) { in.Values["m"] = map[string]any{} },
		"an empty list":         func(in *Input, _ fstest.MapFS) { in.Values["m"] = []any{} },
		"depth":                 func(in *Input, _ fstest.MapFS) { in.Values["m"] = map[string]any{"m": nil} },
	} {
		tree := shop("x", nil)
		in := input(tree)
		edit(&in, tree)
		key := keyOf(in)
		if other, ok := seen[key]; ok {
			t.Errorf("%s: the same key as %s", name, other)
		}
		seen[key] = name
	}
}

// summed is a tree that knows its files' sums, and counts what is read all the same.
type summed struct {
	fstest.MapFS
	read map[string]int
}

func (s summed) SumFile(name string) (sum [sha256.Size]byte, ok bool) {
	f, ok := s.MapFS[name]
	if !ok || f.Mode.IsDir() {
		return sum, false
	}
	return sha256.Sum256(f.Data), true
}

func (s summed) Open(name string) (fs.File, error) {
	if f, ok := s.MapFS[name]; ok && !f.Mode.IsDir() {
		s.read[name]++
	}
	return s.MapFS.Open(name)
}

// TestKeptIsNotRead: where the tree knows its files' sums, what was rendered before
// is not even read, and a file that changed is.
func TestKeptIsNotRead(t *testing.T) {
	tree := summed{shop("x", nil), map[string]int{}}
	h := &Helm{run: newRunner(Limits{}.withDefaults())}
	in := input(tree.MapFS)
	in.FS = tree
	render := func() (objects []Object, read int) {
		clear(tree.read)
		objects, err := h.Render(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return objects, len(tree.read)
	}
	first, read := render()
	if read < len(tree.MapFS) {
		t.Fatalf("only %d of %d files were read at first", read, len(tree.MapFS))
	}
	again, read := render()
	if read != 0 {
		t.Errorf("%v were read once more", tree.read)
	}
	if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(Object{}, "Sum")); diff != "" {
		t.Errorf("-first +again:\n%s", diff)
	}
	for _, o := range again {
		if o.Sum != sha256.Sum256(o.Data) {
			t.Errorf("%s: %x is not the sum of its text", o.Head, o.Sum)
		}
	}
	tree.MapFS["shop/templates/config.yaml"].Data = []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
	changed, read := render()
	if read < len(tree.MapFS) || len(changed) != len(first) || changed[len(changed)-1].Name != "other" {
		t.Errorf("after a change %d files were read, and gave %v", read, changed)
	}
}

// TestKeptStaysWithinItsBound: more charts and values than there is room for.
func TestKeptStaysWithinItsBound(t *testing.T) {
	r := newRendered()
	big := []Object{{Source: "x", Data: make([]byte, 500_000)}}
	for i := range big[0].Data {
		big[0].Data[i] = byte(rand.Int()) // does not pack
	}
	for i := range 40 {
		in := Input{Values: map[string]any{"i": i}}
		r.put(lru.Key{byte(i)}, verdict{pure: true}, in, big, big)
	}
	for name, n := range map[string]struct{ bytes, most int }{
		"charts": {r.charts.Bytes(), chartsBytes}, "renders": {r.known.Bytes(), renderedBytes},
	} {
		if n.bytes > n.most || n.bytes < n.most/2 {
			t.Errorf("%s: %d bytes are kept, at most %d", name, n.bytes, n.most)
		}
	}
}

// TestKeptCannotBeChanged: what a caller does to its list of objects is its own.
func TestKeptCannotBeChanged(t *testing.T) {
	h := &Helm{run: newRunner(Limits{}.withDefaults())}
	in := input(shop("x", nil))
	var first []Object
	for i := range 3 {
		objects, err := h.Render(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = slices.Clone(objects)
		} else if diff := cmp.Diff(first, objects, cmpopts.IgnoreFields(Object{}, "Sum")); diff != "" {
			t.Errorf("-first +later:\n%s", diff)
		}
		objects[0] = Object{}
		_ = append(objects[:1], Object{Source: "mine"})
	}
}
