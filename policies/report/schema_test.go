package report_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	invopop "github.com/invopop/jsonschema"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/syncgate/syncgate/policies/report"
)

const schemaFile = "../../docs/reference/report.schema.json"

// publishedSchema is made from report.Document and its comments. Readers must
// expect fields that they do not know, so it forbids none.
func publishedSchema(t *testing.T) []byte {
	t.Helper()
	r := &invopop.Reflector{
		Anonymous: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true, AllowAdditionalProperties: true,
		Namer: func(t reflect.Type) string { return strings.TrimPrefix(t.Name(), "Document") },
	}
	const module = "github.com/syncgate/syncgate/policies/"
	for _, dir := range []string{"report", "finding"} {
		if err := r.AddGoComments(module+dir, "../"+dir, invopop.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	s := r.Reflect(report.Document{})
	s.Title = "Report of syncgate validate"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// TestSchemaIsPublished keeps the committed schema true to the Go types.
func TestSchemaIsPublished(t *testing.T) {
	got := publishedSchema(t)
	if !bytes.Contains(got, []byte("Readers")) && !bytes.Contains(got, []byte("It is stable")) {
		t.Error("the schema has lost the doc comments")
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale (-committed +types); go test ./policies/report -update writes it anew:\n%s", schemaFile, diff)
	}
}

func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("report.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJSONMatchesSchema(t *testing.T) {
	schema := reportSchema(t)
	for name, r := range scenarios() {
		t.Run(name, func(t *testing.T) {
			out := write(t, "json", r)
			checkJSON(t, r, out)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Error(err)
			}
		})
	}
	if err := schema.Validate(map[string]any{"kind": "Report"}); err == nil {
		t.Error("the schema accepts a report without a verdict")
	}
}

// checkJSON reads the document back and holds it against the Report.
func checkJSON(t *testing.T, r report.Report, out []byte) {
	t.Helper()
	var doc report.Document
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("read JSON: %v", err)
	}
	if doc.Verdict != r.Verdict() || len(doc.Gates) != len(r.Gates) || doc.Summary.Findings != r.Findings() {
		t.Errorf("got verdict %s, %d gates, %d findings", doc.Verdict, len(doc.Gates), doc.Summary.Findings)
	}
}

// checkSARIF holds every result against the rules and places it names.
func checkSARIF(t *testing.T, r report.Report, out []byte) *sarif.Report {
	t.Helper()
	// A decoder that knows all of SARIF and nothing else: an unknown field is an error.
	var log sarif.Report
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&log); err != nil {
		t.Fatalf("read SARIF: %v\n%s", err, out)
	}
	run := log.Runs[0]
	if len(run.Results) != r.Findings() {
		t.Errorf("%d results for %d findings", len(run.Results), r.Findings())
	}
	if ok := *run.Invocations[0].ExecutionSuccessful; ok != (r.Verdict() != report.Unknown) {
		t.Errorf("executionSuccessful is %v, the verdict %s", ok, r.Verdict())
	}
	prints := make(map[string]bool)
	for _, res := range run.Results {
		if rule := run.Tool.Driver.Rules[res.RuleIndex]; *rule.ID != *res.RuleID {
			t.Errorf("ruleIndex leads to %s, not to %s", *rule.ID, *res.RuleID)
		}
		for _, print := range res.PartialFingerprints {
			if prints[print] {
				t.Errorf("two findings have the fingerprint %s", print)
			}
			prints[print] = true
		}
		if len(res.Locations) != 1 {
			t.Errorf("a result has %d locations", len(res.Locations))
		}
	}
	return &log
}

// sarifSchema is the schema of the standard. go-sarif carries it as a constant
// of its source, and validates only what it wrote itself, so the constant is
// read from there.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	pkg := reflect.TypeFor[sarif.Report]().PkgPath()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		t.Fatalf("find the source of %s: %v", pkg, err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && len(lit.Value) > len(text) {
			text = lit.Value
		}
		return true
	})
	text, err = strconv.Unquote(text)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSARIFMatchesSchema(t *testing.T) {
	schema := sarifSchema(t)
	all := scenarios()
	all["no version"] = report.Report{Gates: []report.Gate{drifted()}}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			out := write(t, "sarif", r)
			checkSARIF(t, r, out)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Error(err)
			}
		})
	}
	out := bytes.Replace(write(t, "sarif", all["findings"]), []byte(`"startLine": 14`), []byte(`"startLine": 0`), 1)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err == nil {
		t.Error("the schema accepts a region that begins at line 0")
	}
}
