package render

import (
	"bytes"
	"context"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"
	sigsyaml "sigs.k8s.io/yaml"
)

// FuzzPlain holds that whatever a manifest file holds, the answer is an error
// or objects, and that what is written is read by another as the same objects.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n--- {apiVersion: v1, kind: List, items: []}\n",
		"a: &a [*a]", "a: &a [1]\nb: [*a, *a]", "<<: {kind: A}\napiVersion: v1\nmetadata: {name: x}", "...\n---\n...", "%YAML 1.2\n---\n{}",
		"kind: |\n  a\n---x\n", "\ufeffkind: A", "? {a: b}\n: c", "- - - -", "{\"a\":1}{\"b\":2}",
		"apiVersion: v1\nkind: A\nmetadata:\n  name: \"\\uD83D\"\n  annotations: {a: b, c: 1}",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		name := "a.yaml"
		if asJSON {
			name = "a.json"
		}
		in := Input{FS: fstest.MapFS{name: {Data: data}}, Path: "."}
		objects, err := New(Limits{FileBytes: 1 << 16, Aliases: 1000})[KindPlain].Render(context.Background(), in)
		if err != nil {
			return
		}
		for _, o := range objects {
			if o.Kind == "" || o.APIVersion == "" || (o.Name == "" && !isList(o.Kind) && !bytes.Contains(o.Data, []byte("generateName"))) {
				t.Errorf("object without a head: %+v", o.Head)
			}
			for line := range bytes.Lines(o.Data) {
				if bytes.HasPrefix(line, []byte("---")) {
					t.Errorf("separator in an object:\n%s", o.Data)
				}
			}
			var doc yaml.Node
			if err := yaml.Load(append([]byte("---\n# Source: x\n"), append(o.Data, '\n')...), &doc); err != nil {
				t.Errorf("written as it will be, it cannot be read: %v\n%s", err, o.Data)
			}
			var head struct{ APIVersion, Kind string }
			if err := sigsyaml.Unmarshal(o.Data, &head); err == nil && (head.APIVersion != o.APIVersion || head.Kind != o.Kind) {
				t.Errorf("another reader sees %+v, this one %+v:\n%s", head, o.Head, o.Data)
			}
		}
	})
}
