package reference

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/packs"
)

var update = flag.Bool("update", false, "write the reference in place of comparing with it")

const (
	referenceFile = "../../../docs/reference/syncgate-yaml.md"
	schemaFile    = "../../../docs/reference/syncgate.schema.json"
	examples      = "../../../examples/*/syncgate.yaml"
)

// gates are Gates that together set every field there is.
func gates(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/gates/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find testdata/gates: %v, %d files", err, len(files))
	}
	all := make(map[string][]byte, len(files))
	for _, name := range files {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// current compares what is committed with what is made, or writes it.
func current(t *testing.T, file string, got []byte) {
	t.Helper()
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
		t.Errorf("%s is stale (-committed +types); go test ./policies/gate/reference -update writes it anew:\n%s", file, diff)
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	found := values(t)
	intro, err := os.ReadFile("testdata/intro.md")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(intro)
	for _, s := range reachable(parseTypes(t, "..")) {
		section(t, &b, s, found)
	}
	describePacks(t, &b)
	current(t, referenceFile, []byte(b.String()))
}

// section writes a struct's heading, comment and table.
func section(t *testing.T, b *strings.Builder, s *structType, found map[string]string) {
	t.Helper()
	names := make([]string, len(s.paths))
	for i, p := range s.paths {
		names[i] = "`" + strings.TrimPrefix(p, ".") + "`"
	}
	heading := strings.Join(names, ", ")
	if s.name == "Gate" {
		heading = "The file"
	}
	doc := s.doc
	if strings.HasSuffix(s.name, "Check") && s.name != "Check" {
		doc = "This check" + strings.TrimPrefix(doc, s.name)
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", heading, doc)
	b.WriteString("| field | type | default | meaning | example |\n|---|---|---|---|---|\n")
	for _, f := range s.fields {
		text, def := meaning(f.doc)
		if text == "" {
			t.Errorf("%s.%s has no comment: the reference has nothing to say of it", s.name, f.goName)
		}
		text = strings.Replace(text, f.goName+" ", "`"+f.key+"` ", 1)
		for _, value := range f.enum {
			if !strings.Contains(text, value) {
				t.Errorf("%s.%s: its comment does not name the value %s", s.name, f.goName, value)
			}
		}
		switch {
		case f.required:
			def = "**required**"
		case def == "" && f.kind == "boolean":
			def = "false"
		case def == "":
			def = "none"
		}
		example := ""
		for _, p := range s.paths {
			p += "." + f.key
			if short, ok := inCheck(p); ok {
				p = short
			}
			if example == "" {
				example = found[p]
			}
		}
		if example == "" {
			t.Errorf("%s.%s is set in none of testdata/gates: the reference has no example of it", s.name, f.goName)
		}
		if f.of != "" {
			example = "see below"
		} else {
			example = "`" + example + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.key, f.kind, cell(def), cell(text), cell(example))
	}
}

// describePacks writes what the built-in packs hold.
func describePacks(t *testing.T, b *strings.Builder) {
	t.Helper()
	b.WriteString("\n# Packs\n\nWhat a Gate takes by naming a pack in `spec.packs`. A preset is taken by `use` in a check,\n" +
		"with or without the pack being named there. Their rules are in [rules.md](rules.md).\n")
	for _, name := range packs.Names() {
		p, err := packs.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(b, "\n## Pack `%s`\n\nFor %s.\n", name, p.Description)
		if len(p.ListKeys) > 0 {
			b.WriteString("\n| list | key | source |\n|---|---|---|\n")
			for _, k := range p.ListKeys {
				fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", k.Path, k.Key, cell(k.Source))
			}
		}
		b.WriteString("\n| preset | asks | source |\n|---|---|---|\n")
		for _, key := range slices.Sorted(maps.Keys(p.Presets)) {
			preset := p.Presets[key]
			fmt.Fprintf(b, "| `%s/%s` | %s | %s |\n", name, key, cell(words(preset.Description)), cell(words(preset.Source)))
		}
		if len(p.Guards) > 0 {
			b.WriteString("\n| guard | of | source |\n|---|---|---|\n")
		}
		for _, key := range slices.Sorted(maps.Keys(p.Guards)) {
			guard := p.Guards[key]
			fmt.Fprintf(b, "| `%s/%s` | %s | %s |\n", name, key, cell(words(guard.Description)), cell(words(guard.Source)))
		}
	}
}

// cell escapes what would end a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// values are the first value of every path in testdata/gates, on one line.
func values(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	all := gates(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var doc yaml.Node
		if err := yaml.Unmarshal(all[name], &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		collect(doc.Content[0], "", found)
	}
	return found
}

func collect(n *yaml.Node, path string, found map[string]string) {
	if short, ok := inCheck(path); ok {
		path = short
	}
	if found[path] == "" {
		found[path] = flow(n)
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			collect(n.Content[i+1], path+"."+n.Content[i].Value, found)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			collect(item, path+"[]", found)
		}
	default: // a scalar has nothing below it
	}
}

// flow writes a node as YAML on one line.
func flow(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		parts := make([]string, 0, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+flow(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, item := range n.Content {
			parts[i] = flow(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return words(n.Value)
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	schema, err := gate.Schema()
	if err != nil {
		t.Fatal(err)
	}
	current(t, schemaFile, schema)
}

// compiled is the committed schema, so that what people download is tested.
func compiled(t *testing.T) *jsonschema.Schema {
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
	if err := c.AddResource("gate.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("gate.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodeAny(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestGatesAreGood holds the Gates that the reference quotes, and those of the
// examples, against both the decoder and the schema.
func TestGatesAreGood(t *testing.T) {
	all := gates(t)
	files, err := filepath.Glob(examples)
	if err != nil || len(files) == 0 {
		t.Fatalf("find examples: %v, %d files", err, len(files))
	}
	for _, name := range files {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	intro, err := os.ReadFile("testdata/intro.md")
	if err != nil {
		t.Fatal(err)
	}
	_, fenced, _ := strings.Cut(string(intro), "```yaml\n")
	fenced, _, ok := strings.Cut(fenced, "```")
	if !ok {
		t.Fatal("the introduction has no Gate")
	}
	all["intro.md"] = []byte(fenced)
	schema := compiled(t)
	for name, raw := range all {
		t.Run(filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name), func(t *testing.T) {
			if _, err := gate.Decode(raw, "apps/"+gate.FileName); err != nil {
				t.Errorf("decode: %v", err)
			}
			if err := schema.Validate(decodeAny(t, raw)); err != nil {
				t.Errorf("schema: %v", err)
			}
		})
	}
}

// TestSchemaRefuses shows that an editor with the schema sees what Decode
// refuses.
func TestSchemaRefuses(t *testing.T) {
	const good = `
apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: x}
spec:
  clusters: [{name: eu, values: [eu.yaml]}]
`
	tests := []struct {
		name, old, new string
	}{
		{"an unknown field", "metadata:", "metdata: {}\nmetadata:"},
		{"another apiVersion", "v1alpha1", "v9"},
		{"another kind", "kind: Gate", "kind: Door"},
		{"no name", "{name: x}", "{}"},
		{"a list for a string", "{name: x}", "{name: [x]}"},
		{"a cluster without a name", "{name: eu, ", "{"},
	}
	schema := compiled(t)
	if err := schema.Validate(decodeAny(t, []byte(good))); err != nil {
		t.Fatalf("the good Gate: %v", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := []byte(strings.Replace(good, tt.old, tt.new, 1))
			if bytes.Equal(bad, []byte(good)) {
				t.Fatal("the case changes nothing")
			}
			if _, err := gate.Decode(bad, "syncgate.yaml"); err == nil {
				t.Error("Decode accepts it")
			}
			if err := schema.Validate(decodeAny(t, bad)); err == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

// TestChecksAreDescribed holds docs/reference/checks.md against the kinds of
// checks and their fields.
func TestChecksAreDescribed(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/reference/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, s := range strings.Split(string(raw), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[strings.Trim(title, "`")] = body
	}
	types := parseTypes(t, "..")
	for _, kind := range types["Check"].fields {
		if kind.of == "" {
			continue
		}
		body := sections[kind.key]
		for _, status := range []string{"`Pass`", "`Wait`", "`Fail`"} {
			if !strings.Contains(body, status) {
				t.Errorf("%s: it does not say when the answer is %s", kind.key, status)
			}
		}
		var fields func(s *structType)
		fields = func(s *structType) {
			for _, f := range s.fields {
				if !strings.Contains(body, "`"+f.key+"`") {
					t.Errorf("%s: the field %s is not mentioned", kind.key, f.key)
				}
				if f.of != "" {
					fields(types[f.of])
				}
			}
		}
		fields(types[kind.of])
	}
}
