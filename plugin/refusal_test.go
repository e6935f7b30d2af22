package plugin

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
)

func at(cluster, file string, line, column int) finding.Place {
	return finding.Place{Cluster: cluster, Position: finding.Position{File: file, Line: line, Column: column}}
}

func TestHeadline(t *testing.T) {
	many := finding.Holding{Value: `"9.11.2"`, Places: make([]finding.Place, 42)}
	for i := range many.Places {
		many.Places[i].Cluster = fmt.Sprintf("c%d", i)
	}
	for _, tt := range []struct {
		name string
		give finding.Finding
		want string
	}{
		{"two clusters", finding.Finding{Path: "replicas", Holdings: []finding.Holding{
			{Value: "3", Places: []finding.Place{at("eu", "values/eu.yaml", 2, 11)}},
			{Value: "2", Places: []finding.Place{at("us", "values/us.yaml", 4, 11)}},
		}}, "replicas differs: eu=3 us=2 (values/us.yaml:4:11)"},
		{"many and one without", finding.Finding{Path: "image.tag", Holdings: []finding.Holding{
			many, {Missing: true, Places: []finding.Place{{Cluster: "us"}, {Cluster: "ap"}}},
		}}, `image.tag differs: c0+41="9.11.2" us,ap=(not set)`},
		{"long value", finding.Finding{Path: "a", Holdings: []finding.Holding{
			{Value: strings.Repeat("ä", 100), Places: []finding.Place{{Cluster: "eu"}}},
			{Value: "two\nlines", Places: []finding.Place{{Cluster: "us", Position: finding.Position{File: "us.yaml"}}}},
		}}, "a differs: eu=" + strings.Repeat("ä", 20) + "… us=two lines (us.yaml)"},
		{"four values", finding.Finding{Path: "a", Holdings: []finding.Holding{
			{Value: "1", Places: []finding.Place{{Cluster: "a"}}}, {Value: "2", Places: []finding.Place{{Cluster: "b"}}},
			{Value: "3", Places: []finding.Place{{Cluster: "c"}}}, {Value: "4", Places: []finding.Place{{Cluster: "d"}}},
		}}, "a differs: a=1 b=2 c=3 …"},
		{"a rule without a path", finding.Finding{Message: "the sites must\nnot share a database"}, "the sites must not share a database"},
		{"a rule of one path", finding.Finding{Path: "host", Message: "expected a value, found none", Holdings: []finding.Holding{
			{Missing: true, Places: []finding.Place{at("us", "us.yaml", 1, 1)}},
		}}, "host: expected a value, found none (us.yaml:1:1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, headline(tt.give)); diff != "" {
				t.Errorf("headline (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	findings := make([]finding.Finding, maxShown+3)
	for i := range findings {
		findings[i] = finding.Finding{Rule: "identical", Path: fmt.Sprintf("key%d", i), Message: "differs", Fix: "make it the same", Holdings: []finding.Holding{
			{Value: "3", Places: []finding.Place{at("eu", "eu.yaml", 2, 1)}}, {Value: "2", Places: []finding.Place{at("us", "us.yaml", 3, 1)}},
		}}
	}
	g := &gate.Gate{Metadata: gate.Metadata{Name: "mm"}, File: "syncgate.yaml"}
	for _, tt := range []struct {
		name  string
		err   error
		first string
		has   []string
	}{
		{"findings", fmt.Errorf("generate: %w", refuseFindings(g, findings[:2])),
			"syncgate: 2 findings in gate mm: key0 differs: eu=3 us=2 (us.yaml:3:1)",
			[]string{"2. [identical] key1: differs", "   2: us (us.yaml:3:1)", "fix: make it the same", "perCluster in syncgate.yaml", "hard refresh"}},
		{"one finding", refuseFindings(g, findings[:1]), "syncgate: 1 finding in gate mm: key0 differs: eu=3 us=2 (us.yaml:3:1)", nil},
		{"more than are shown", refuseFindings(g, findings), "syncgate: 23 findings in gate mm: key0 differs: eu=3 us=2 (us.yaml:3:1)", []string{"… and 3 more"}},
		{"an error", errors.New("load gate: a.yaml:1:1: wrong\n\tand more"), "syncgate: load gate: a.yaml:1:1: wrong", []string{"\tand more", "hard refresh", "Nothing is rendered"}},
		{"an endless error", errors.New("first\n" + strings.Repeat("x", 1<<20)), "syncgate: first", []string{"limit errorBytes=16384 hit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := Explain(tt.err)
			first, rest, _ := strings.Cut(text, "\n")
			if first != tt.first {
				t.Errorf("first line %q, want %q", first, tt.first)
			}
			for _, want := range tt.has {
				if !strings.Contains(rest, want) {
					t.Errorf("no %q in\n%s", want, rest)
				}
			}
			if len(text) > 64<<10 {
				t.Errorf("%d bytes are too many", len(text))
			}
		})
	}
}
