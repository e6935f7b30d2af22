package rules

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// TestStacksRedactAsFindings holds the two walks over values against each
// other: whatever a finding hides, a Stack hides, and nothing else.
func TestStacksRedactAsFindings(t *testing.T) {
	const text = `
password: {nested: [hunter2, {plain: hunter2}], enabled: true, empty: "", none: null}
auth: {secretName: shown, key: hunter2}
rule: {key: shown, operator: In}
vars: [{key: DB_PASSWORD, value: hunter2}, {key: MODE, value: shown}, {envName: API_TOKEN, value: hunter2}]
env:
- {name: DB_PASSWORD, value: hunter2}
- {name: MODE, value: shown}
- name: URL
  value: postgres://u:hunter2@h/d
list: [{apiKey: 12345, size: 3}, shown]
"": {token: hunter2}
`
	listKeys := []ListKey{{Path: mustParse(t, "env"), Key: "name"}}
	root := parse(t, text)
	stacks, err := NewStacks(listKeys)
	if err != nil {
		t.Fatal(err)
	}
	spots, more := stacks.Find([]*values.Node{root}, root, mustParse(t, "**"), 1000)
	if more != 0 || len(spots) < 20 {
		t.Fatalf("%d spots and %d more", len(spots), more)
	}
	fleet, err := NewFleet(Options{Clusters: []string{"a", "b"}, Files: []string{"a", "b"}, ListKeys: listKeys})
	if err != nil {
		t.Fatal(err)
	}
	w := fleet.Worker()
	w.Add(0, root)
	w.Add(1, parse(t, "{}"))
	table := fleet.merge()
	table.index()
	hidden := map[string]bool{}
	for path := range table.nodes {
		for _, c := range table.column(uint32(path)) {
			hidden[keypath.Format(segmentsOf(table.nodes, uint32(path)))] = table.datums[table.row(c).value].hidden
		}
	}
	seen := 0
	for _, s := range spots {
		if strings.Contains(s.Merged.Value+s.Layers[0].Value, "hunter2") {
			t.Errorf("%s shows %s", s.Path, s.Merged.Value)
		}
		want, ok := hidden[s.Path]
		if !ok {
			t.Errorf("findings do not know the path %s", s.Path)
		}
		if got := s.Merged.Value == redacted; got != want {
			t.Errorf("%s: hidden %v, in findings %v", s.Path, got, want)
		}
		if want {
			seen++
		}
	}
	if seen < 6 {
		t.Errorf("only %d values are hidden", seen)
	}
}

func parse(t *testing.T, text string) *values.Node {
	t.Helper()
	n, err := values.Parse([]byte(text), "values.yaml", values.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustParse(t *testing.T, text string) keypath.Glob {
	t.Helper()
	g, err := keypath.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
