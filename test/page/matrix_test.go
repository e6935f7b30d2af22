package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// fleet is n clusters with p key paths, of which the first half may not differ
// and does in a few clusters.
func fleet(n, p int) fstest.MapFS {
	base := "a:\n"
	for j := range p {
		base += fmt.Sprintf("  k%03d: base-%d\n", j, j)
	}
	tree := fstest.MapFS{"base.yaml": {Data: []byte(base)}}
	var g strings.Builder
	fmt.Fprintf(&g, "apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: web}\nspec:\n  perCluster:\n")
	for j := p / 2; j < p; j++ {
		fmt.Fprintf(&g, "  - {path: a.k%03d, reason: each site has its own}\n", j)
	}
	g.WriteString("  clusters:\n")
	for i := range n {
		fmt.Fprintf(&g, "  - {name: c%04d, values: [base.yaml, clusters/c%04d.yaml]}\n", i, i)
		own := "a:\n  <b>: \"</script><script>document.title='owned'</script>\"\n"
		for j := range p {
			if j >= p/2 || (i*31+j*17)%97 == 0 {
				own += fmt.Sprintf("  k%03d: site-%d-%d\n", j, i, j)
			}
		}
		tree[fmt.Sprintf("clusters/c%04d.yaml", i)] = &fstest.MapFile{Data: []byte(own)}
	}
	tree["syncgate.yaml"] = &fstest.MapFile{Data: []byte(g.String())}
	return tree
}

// TestMatrixInABrowser has Chromium draw the page of a large fleet from a file,
// search in it, and say where a value comes from.
func TestMatrixInABrowser(t *testing.T) {
	chromium := browser(t)
	dir := os.Getenv("SYNCGATE_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	file := filepath.Join(t.TempDir(), "matrix.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	m := survey.Differ(t.Context(), fleet(1000, 200), survey.Options{Version: "test"})
	if err := report.WriteMatrix(f, "html", m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	url := "file://" + file
	for _, tt := range []struct {
		name, hash string
		want       []string
		not        []string
	}{
		{"all", "", []string{"200 of 200 paths, 1000 of 1000 clusters", "a.k000", "c0000", "does not hold: identical", "site-0-0"}, []string{"c0900"}},
		{"path", "#k150", []string{"1 of 200 paths", "site-3-150", "each site has its own", "clusters/c0000.yaml:", "overridden", "base.yaml:152:9"}, []string{"k000"}},
		{"value", "#site-7-17", []string{"of 200 paths, 1000 of 1000", "a.k17"}, []string{"k001"}},
		{"nothing", "#no%20such", []string{"0 of 200 paths", "nothing to show"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dom, complaints := run(t, chromium, "--dump-dom", url+tt.hash)
			drawn, _, found := strings.Cut(dom, `<script type="application/json"`)
			if !found {
				t.Fatalf("the page has no data:\n%s", complaints)
			}
			for _, want := range tt.want {
				if !strings.Contains(drawn, want) {
					t.Errorf("the page does not show %q", want)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(drawn, not) {
					t.Errorf("the page shows %q", not)
				}
			}
			if strings.Contains(dom, "<title>owned") || strings.Contains(complaints, "Content Security Policy") || strings.Contains(complaints, "Uncaught") {
				t.Errorf("the browser complains, or ran what a value holds:\n%s", complaints)
			}
		})
	}
	dark := shot(t, chromium, filepath.Join(dir, "matrix-dark.png"), "1300,800", url, "--blink-settings=preferredColorScheme=0")
	light := shot(t, chromium, filepath.Join(dir, "matrix-light.png"), "1300,800", url, "--blink-settings=preferredColorScheme=1")
	if l, d := ground(light), ground(dark); l < 0xc000 || d > 0x4000 {
		t.Errorf("the ground's brightness is %#x in light and %#x in dark: the style is not taken", l, d)
	}
}
