package report_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// manyClusters is a Gate of n clusters with a values file each; every one in
// ten holds a value of its own.
func manyClusters(n int) fstest.MapFS {
	fsys := fstest.MapFS{"base.yaml": {Data: []byte("image: {tag: base}\n")}}
	var g strings.Builder
	g.WriteString("apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata: {name: web}\nspec:\n  clusters:\n")
	for i := range n {
		fmt.Fprintf(&g, "  - {name: c%04d, values: [base.yaml, clusters/c%04d.yaml]}\n", i, i)
		tag := "same"
		if i%10 == 0 {
			tag = fmt.Sprintf("\\e[31m%d", i)
		}
		fsys[fmt.Sprintf("clusters/c%04d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "image: {tag: \"%s\"}\n", tag)}
	}
	fsys["syncgate.yaml"] = &fstest.MapFile{Data: []byte(g.String())}
	return fsys
}

func TestExplanationOfManyClusters(t *testing.T) {
	const clusters = 1000
	key, err := keypath.Parse("image.tag")
	if err != nil {
		t.Fatal(err)
	}
	e := survey.Explain(t.Context(), manyClusters(clusters), key, survey.Options{})
	if e.Answer() != report.Found {
		t.Fatalf("answer %s: %+v", e.Answer(), e.Problems)
	}
	for _, width := range []int{0, 60, 80} {
		e.Style.Width = width
		var b strings.Builder
		if err := report.WriteExplanation(&b, "table", e); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		if width == 0 {
			width = 100
		}
		lines := strings.Split(out, "\n")
		if len(lines) > 60 {
			t.Errorf("%d lines for %d clusters", len(lines), clusters)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
		for _, want := range []string{"c0001", "more places", "and 93 more chains of 93 more clusters", `\u001b[31m`} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("a terminal can be steered:\n%q", out)
		}
	}
	chains := e.Gates[0].Paths[0].Chains
	if len(chains) != 101 || len(chains[0].Clusters) != 900 || len(chains[0].Steps[1].Places) != 900 {
		t.Errorf("%d chains, the first of %d clusters", len(chains), len(chains[0].Clusters))
	}
}

func TestExplanationNeedsAFormatItKnows(t *testing.T) {
	var b strings.Builder
	err := report.WriteExplanation(&b, "sarif", report.Explanation{})
	if err == nil || !strings.Contains(err.Error(), "table, json") || b.Len() > 0 {
		t.Errorf("got %v and %q", err, b.String())
	}
}
