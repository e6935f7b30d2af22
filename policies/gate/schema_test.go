package gate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"github.com/syncgate/syncgate/policies/gate"
)

var update = flag.Bool("update", false, "write schema.json anew")

// TestSchemaIsCurrent makes the schema from the types and compares it with the
// file that is built in.
func TestSchemaIsCurrent(t *testing.T) {
	want := makeSchema(t)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := gate.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("schema.json is not current; run go test ./policies/gate -run TestSchemaIsCurrent -update\n%s", d)
	}
}

func makeSchema(t *testing.T) []byte {
	t.Helper()
	r := &jsonschema.Reflector{
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		Mapper: func(typ reflect.Type) *jsonschema.Schema {
			if typ == reflect.TypeFor[gate.Duration]() {
				return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`}
			}
			return nil
		},
	}
	if err := r.AddGoComments("github.com/syncgate/syncgate/policies/gate", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	// The package's own path is "." to the comments that were read.
	for key, text := range r.CommentMap {
		r.CommentMap[key] = strings.Join(strings.Fields(text), " ")
	}
	s := r.Reflect(&gate.Gate{})
	s.ID = "https://syncgate.dev/schemas/v1alpha1/gate.json"
	s.Title = "Gate"
	refine(s)
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.ReplaceAll(out, []byte(`\u003e`), []byte(">")), '\n')
}

// refine adds what tags cannot say.
func refine(s *jsonschema.Schema) {
	constant := func(name, value string) {
		p, _ := s.Properties.Get(name)
		p.Const = value
	}
	constant("apiVersion", gate.APIVersion)
	constant("kind", gate.Kind)
	one := uint64(1)
	clusters, _ := s.Definitions["Spec"].Properties.Get("clusters")
	clusters.MinItems = &one
	s.Definitions["Spec"].AnyOf = []*jsonschema.Schema{{Required: []string{"clusters"}}, {Required: []string{"clustersFrom"}}}
	s.Definitions["ClustersFrom"].AnyOf = []*jsonschema.Schema{{Required: []string{"files"}}, {Required: []string{"kustomizations"}}}
	source := s.Definitions["Source"]
	source.MaxProperties = &one
	label := `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	for _, def := range []string{"Metadata", "Cluster", "Rule"} {
		name, _ := s.Definitions[def].Properties.Get("name")
		name.Pattern = label
	}
	backup := s.Definitions["BackupCheck"]
	backup.OneOf = []*jsonschema.Schema{{Required: []string{"objects"}}, {Required: []string{"snapshots"}}}
	refineCheck(s)
	refineGuard(s)
}

// refineGuard asks a guard for its fields only where no preset gives them.
func refineGuard(s *jsonschema.Schema) {
	guard := s.Definitions["Guard"]
	guard.If = &jsonschema.Schema{Not: &jsonschema.Schema{Required: []string{"use"}}}
	guard.Then = &jsonschema.Schema{Required: guard.Required}
	guard.Required = nil
	one := uint64(1)
	fields, _ := guard.Properties.Get("fields")
	fields.MinItems = &one
}

// refineCheck asks a check for a kind or a preset, and for a kind's required
// fields only where no preset may give them.
func refineCheck(s *jsonschema.Schema) {
	check := s.Definitions["Check"]
	whole := jsonschema.NewProperties()
	check.AnyOf = append(check.AnyOf, &jsonschema.Schema{Required: []string{"use"}})
	for p := check.Properties.Oldest(); p != nil; p = p.Next() {
		name, isKind := strings.CutPrefix(p.Value.Ref, "#/$defs/")
		if !isKind {
			continue
		}
		check.AnyOf = append(check.AnyOf, &jsonschema.Schema{Required: []string{p.Key}})
		def := s.Definitions[name]
		if len(def.Required) > 0 {
			whole.Set(p.Key, &jsonschema.Schema{Required: def.Required})
			def.Required = nil
		}
	}
	check.If = &jsonschema.Schema{Not: &jsonschema.Schema{Required: []string{"use"}}}
	check.Then = &jsonschema.Schema{Properties: whole}
}
