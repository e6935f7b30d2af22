package cmpserver

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/syncgate/syncgate/plugin/archive"
)

// edited is a plugin example with one text in it replaced.
func edited(t *testing.T, name, old, replaced string) []byte {
	t.Helper()
	parsed, err := txtar.ParseFile(filepath.Join("..", "testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	found := old == ""
	for i, f := range parsed.Files {
		if old != "" && bytes.Contains(f.Data, []byte(old)) {
			parsed.Files[i].Data, found = bytes.ReplaceAll(f.Data, []byte(old), []byte(replaced)), true
		}
	}
	if !found {
		t.Fatalf("no %q in %s", old, name)
	}
	_, data := packed(t, parsed)
	return data
}

// TestCachesDoNotShow asks one server again and again, also for what fails, and
// a new server for each request: they must answer the same.
func TestCachesDoNotShow(t *testing.T) {
	warm := serve(t, archive.Limits{})
	requests := []struct {
		name, example, old, replaced, cluster string
		fails                                 bool
	}{
		{name: "good", example: "shop", cluster: "eu"},
		{name: "findings", example: "drift", cluster: "eu", fails: true},
		{name: "the same with other values", example: "shop", old: "replicas:", replaced: "replicaz:", cluster: "eu"},
		{name: "the template's output is damaged", example: "shop", old: "kind: ConfigMap", replaced: "kind: ConfigMap\nkind: Secret", cluster: "eu", fails: true},
		{name: "no object", example: "shop", old: "kind: ConfigMap", replaced: "sort: ConfigMap", cluster: "eu", fails: true},
		{name: "a template fails", example: "shop", old: "kind: ConfigMap", replaced: "kind: {{ fail \"no\" }}", cluster: "eu", fails: true},
		{name: "the Gate is damaged", example: "broken", cluster: "eu", fails: true},
		{name: "no such cluster", example: "shop", cluster: "nowhere", fails: true},
		{name: "another cluster", example: "shop", cluster: "us"},
	}
	for range 3 {
		for _, r := range requests {
			data := edited(t, r.example, r.old, r.replaced)
			got, err := generate(t.Context(), warm, data, sum(data), r.cluster)
			want, wantErr := generate(t.Context(), serve(t, archive.Limits{}), data, sum(data), r.cluster)
			if (err != nil) != r.fails {
				t.Errorf("%s: expected a failure: %t, found %v", r.name, r.fails, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: the server that knows more answers otherwise (-new +warm):\n%s", r.name, d)
			}
			if text(err) != text(wantErr) {
				t.Errorf("%s: the server that knows more says\n%v\na new one\n%v", r.name, err, wantErr)
			}
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
