package render

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// TestSorterIsHelms holds the order and the texts of made-up files, read anew
// and known, against Helm's own for all files at once.
func TestSorterIsHelms(t *testing.T) {
	kinds := []string{"Service", "Deployment", "Zebra", "Apple", "Namespace", "Job", "ConfigMap", ""}
	r := rand.New(rand.NewPCG(1, 2))
	s := newSorter()
	for range 200 {
		files := map[string]string{}
		for range 1 + r.IntN(6) {
			var text strings.Builder
			for range r.IntN(5) {
				annotations := []string{"", "  annotations: {a: b}\n", "  annotations: {helm.sh/hook: pre-install}\n", "  annotations: {helm.sh/hook: unheard-of}\n"}
				fmt.Fprintf(&text, "%s\n  \nkind: %s\nmetadata:\n  name: n%d\n%s", []string{"---", "--- ", "---\n---"}[r.IntN(3)],
					kinds[r.IntN(len(kinds))], r.IntN(3), annotations[r.IntN(len(annotations))])
				if r.IntN(4) == 0 {
					text.WriteString("---\n# nothing here\n")
				}
			}
			files[fmt.Sprintf("chart/templates/%d.yaml", r.IntN(20))] = text.String()
		}
		var want []string
		hooks, manifests, err := releaseutil.SortManifests(maps.Clone(files), nil, releaseutil.InstallOrder)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range manifests {
			want = append(want, m.Name+"\n"+m.Content)
		}
		for _, h := range hooks {
			want = append(want, h.Path+"\n"+h.Manifest)
		}
		for _, state := range []string{"new", "known"} {
			docs, err := s.documents(files)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range docs {
				got = append(got, d.file+"\n"+string(d.data))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s (-helm +sorter):\n%s\nof %q", state, d, files)
			}
		}
	}
}

func TestSorterTellsTheFirstFault(t *testing.T) {
	files := map[string]string{"b.yaml": "kind: [", "a.yaml": "kind: A", "c.yaml": "kind: {"}
	_, _, want := releaseutil.SortManifests(maps.Clone(files), nil, releaseutil.InstallOrder)
	s := newSorter()
	for range 2 {
		if _, err := s.documents(files); err == nil || want == nil || err.Error() != want.Error() {
			t.Errorf("expected %v, found %v", want, err)
		}
	}
	// The same text elsewhere is a fault of that file.
	if _, err := s.documents(map[string]string{"d.yaml": files["b.yaml"]}); err == nil || !slices.Contains(strings.Fields(err.Error()), "d.yaml:") {
		t.Errorf("expected a fault of d.yaml, found %v", err)
	}
}
