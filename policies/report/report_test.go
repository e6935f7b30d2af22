package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/report"
)

var update = flag.Bool("update", false, "write the golden files in place of comparing with them")

// scenarios are the Reports that every format is held against.
func scenarios() map[string]report.Report {
	return map[string]report.Report{
		"holds":    {Version: "1.2.3", Elapsed: 20 * time.Millisecond, Gates: []report.Gate{clean()}},
		"findings": {Version: "1.2.3", Elapsed: 20 * time.Millisecond, Gates: []report.Gate{clean(), drifted()}},
		"unknown":  {Version: "1.2.3", Elapsed: 20 * time.Millisecond, Gates: []report.Gate{broken(), drifted()}},
		"none": {Version: "1.2.3", Problems: []report.Problem{
			{Message: "find gates under apps: no syncgate.yaml found; write one there or name another path"},
		}},
		"hostile": {Gates: []report.Gate{hostile()}},
		"fleet":   {Version: "1.2.3", Elapsed: 1500 * time.Millisecond, Gates: []report.Gate{fleet(1000)}},
		"long":    {Gates: []report.Gate{long()}},
		"aside":   {Version: "1.2.3", Gates: []report.Gate{aside()}},
	}
}

func clean() report.Gate {
	return report.Gate{Name: "web", File: "apps/web/syncgate.yaml", Clusters: 3, Rules: []string{"identical", "required"}}
}

// aside holds, with a finding that is waived and rules that could not be asked.
func aside() report.Gate {
	g := clean()
	g.Rules = append(g.Rules, "mattermost/no-server-downgrade", "mattermost/edition-stays")
	g.Waived = []finding.Waived{{
		Finding: finding.Finding{Gate: "web", GateFile: g.File, Rule: "identical", Path: "image.tag", Message: "expected the same value, found 2", Fix: "decide"},
		Reason:  "eu is being moved", Until: "2026-12-31",
	}}
	g.Skipped = []finding.Skipped{
		{Rule: "mattermost/no-server-downgrade", Reason: "nothing is known of what passed before", Clusters: []string{"ap", "eu", "us"}},
		{Rule: "mattermost/edition-stays", Reason: "the cluster is new", Clusters: []string{"us"}},
	}
	return g
}

func pos(file string, line, column int) finding.Position {
	return finding.Position{File: file, Line: line, Column: column}
}

func drifted() report.Gate {
	const dir = "apps/mattermost/"
	return report.Gate{
		Name: "mattermost", File: dir + "syncgate.yaml", Clusters: 3,
		Rules: []string{"identical", "required", "cel/one-version"},
		Findings: []finding.Finding{
			{
				Gate: "mattermost", GateFile: dir + "syncgate.yaml", Rule: "identical",
				Path:    "mattermostCR.spec.mattermostEnv[name=MM_FILESETTINGS_MAXFILESIZE].value",
				Message: "expected one value in every cluster, found 2",
				Fix:     `set it to "104857600" in us, or list the path under perCluster`,
				Holdings: []finding.Holding{
					{Value: `"104857600"`, Places: []finding.Place{
						{Cluster: "ap", Position: pos(dir+"values-ap.yaml", 14, 16)},
						{Cluster: "eu", Position: pos(dir+"values-eu.yaml", 14, 16)},
					}},
					{Value: `"52428800"`, Places: []finding.Place{{Cluster: "us", Position: pos(dir+"values-us.yaml", 17, 16)}}},
				},
			},
			{
				Gate: "mattermost", GateFile: dir + "syncgate.yaml", Rule: "required",
				Path:    "mattermostCR.spec.ingress.host",
				Message: "expected a value in every cluster, found none in us",
				Fix:     "set it in values-us.yaml",
				Holdings: []finding.Holding{
					{Missing: true, Places: []finding.Place{{Cluster: "us", Position: finding.Position{File: dir + "values-us.yaml"}}}},
				},
			},
			{
				Gate: "mattermost", GateFile: dir + "syncgate.yaml", Rule: "cel/one-version",
				Message: "expected true, found false", Fix: "bring every cluster to one version",
			},
		},
	}
}

func broken() report.Gate {
	return report.Gate{
		File: "apps/broken/syncgate.yaml",
		Problems: []report.Problem{
			{Position: pos("apps/broken/syncgate.yaml", 7, 3), Message: `unknown field "perCLuster"; did you mean "perCluster"?`},
			{Position: pos("apps/broken/syncgate.yaml", 9, 9), Message: "compile rule:\n 1 | clusters.all(c, )\n   | ...............^"},
		},
	}
}

func hostile() report.Gate {
	const name = "evil\x1b]0;owned\x07::set-output\r\n::error::x,y:z%0A\u202e"
	return report.Gate{
		Name: name, File: "a b/100%,:\n/syncgate.yaml", Clusters: 2, Rules: []string{"identical"},
		Findings: []finding.Finding{{
			Gate: name, GateFile: "a b/100%,:\n/syncgate.yaml", Rule: "identical", Path: "a\n::warning::b<c>&\"d\"",
			Message: "\x1b[2J]]><!--\x00\xff", Fix: "\x9b31m run \x1b[5m this\r",
			Holdings: []finding.Holding{
				{Value: "\"\x1b[31mred\u2028\u200b\"", Places: []finding.Place{{Cluster: "e\x08u", Position: pos("a b/ü:\x1b.yaml", 1, 1)}}},
				{Value: `"日本語の値"`, Places: []finding.Place{{Cluster: "us", Position: pos("../x,y:z%.yaml", 2, 0)}}},
			},
		}},
	}
}

// fleet is n clusters, of which three differ, and a path where all differ.
func fleet(n int) report.Gate {
	var most, odd, all []finding.Holding
	most = []finding.Holding{{Value: "3"}}
	for i := range n {
		name := fmt.Sprintf("cluster-%04d", i)
		place := finding.Place{Cluster: name, Position: pos("fleet/values/"+name+".yaml", 12, 13)}
		if i%400 == 7 {
			odd = append(odd, finding.Holding{Value: fmt.Sprint(i), Places: []finding.Place{place}})
		} else {
			most[0].Places = append(most[0].Places, place)
		}
		all = append(all, finding.Holding{Value: fmt.Sprintf(`"host-%d.example.com"`, i), Places: []finding.Place{place}})
	}
	base := finding.Finding{Gate: "fleet", GateFile: "fleet/syncgate.yaml", Rule: "identical"}
	few, many := base, base
	few.Path, few.Message, few.Fix, few.Holdings = "replicas", "expected one value in every cluster, found 4", "set it to 3", slices.Concat(most, odd)
	many.Path, many.Message, many.Fix, many.Holdings = "ingress.host", "expected one value in every cluster, found 1000",
		"list the path under perCluster, or set one value", all
	return report.Gate{
		Name: "fleet", File: "fleet/syncgate.yaml", Clusters: n, Rules: []string{"identical"},
		Findings: []finding.Finding{few, many},
	}
}

func long() report.Gate {
	deep := strings.Repeat("very-long-folder-name/", 12) + "values.yaml"
	g := report.Gate{Name: strings.Repeat("n", 63), File: deep, Clusters: 2, Rules: []string{"identical"}}
	for i := range 230 {
		g.Findings = append(g.Findings, finding.Finding{
			Gate: g.Name, GateFile: deep, Rule: "identical",
			Path:    fmt.Sprintf("key%03d.%s", i, strings.Repeat("segment.", 20)),
			Message: strings.Repeat("word ", 60), Fix: strings.Repeat("x", 300),
			Holdings: []finding.Holding{
				{Value: `"` + strings.Repeat("v", 400) + `"`, Places: []finding.Place{{Cluster: strings.Repeat("c", 60), Position: pos(deep, i+1, 3)}}},
				{Missing: true, Places: []finding.Place{{Cluster: "us"}}},
			},
		})
	}
	return g
}

func write(t *testing.T, format string, r report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./policies/report -update writes it anew:\n%s", file, diff)
	}
}

func TestGolden(t *testing.T) {
	files := map[string]string{"table": "txt", "json": "json", "sarif": "sarif", "junit": "xml", "github": "commands", "markdown": "md"}
	for name, r := range scenarios() {
		if name == "long" {
			continue // held to its bounds by other tests; as a golden file it would only be large
		}
		for _, format := range report.Formats() {
			if name == "fleet" && format == "json" {
				continue // every place of 1,000 clusters; TestJSONMatchesSchema reads it
			}
			t.Run(name+"/"+format, func(t *testing.T) {
				golden(t, name+"."+files[format], write(t, format, r))
			})
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name string
		r    report.Report
		want report.Verdict
	}{
		{"nothing looked at", report.Report{}, report.Unknown},
		{"every gate holds", report.Report{Gates: []report.Gate{clean(), clean()}}, report.Holds},
		{"a finding", report.Report{Gates: []report.Gate{drifted(), clean()}}, report.Finds},
		{"a problem beside a finding", report.Report{Gates: []report.Gate{drifted(), broken()}}, report.Unknown},
		{"a problem before any gate", report.Report{Gates: []report.Gate{clean()}, Problems: []report.Problem{{Message: "x"}}}, report.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.Verdict(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	var b bytes.Buffer
	err := report.Write(&b, "yaml", report.Report{})
	if err == nil || !strings.Contains(err.Error(), "table, json, sarif, junit, github, markdown") {
		t.Errorf("got error %v, want one that lists the formats", err)
	}
	if b.Len() > 0 {
		t.Errorf("wrote %q for an unknown format", b.String())
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteErrorsAreTold(t *testing.T) {
	for _, format := range report.Formats() {
		if err := report.Write(failingWriter{}, format, scenarios()["findings"]); err == nil {
			t.Errorf("%s: a report that could not be written is no success", format)
		}
	}
}
