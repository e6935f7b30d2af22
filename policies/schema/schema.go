// Package schema holds values against a JSON Schema. It reads nothing but the
// schema it is given, and tells failures without the values themselves, which
// may be secrets.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// url is what a schema is called while it is compiled.
const url = "chart:///values.schema.json"

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	name   string
	schema *jsonschema.Schema
}

// noLoader refuses every reference out of a schema: nothing is read but what
// was given.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %s, which is not fetched; put the definition into the schema itself", url)
}

// Compile compiles the schema in data; name is what errors call it.
func Compile(name string, data []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s, err := compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	return &Schema{name: name, schema: s}, nil
}

// Name is what the schema was called.
func (s *Schema) Name() string { return s.name }

// Problem is one place at which a value does not meet the schema.
type Problem struct {
	// Path are the names of fields and the numbers of items from the root on.
	Path []string
	// What was expected, and what was found, without the value.
	What string
}

// Check says where a value, as encoding/json would give it, does not meet the
// schema, sorted by path.
func (s *Schema) Check(v any) ([]Problem, error) {
	err := s.schema.Validate(v)
	if err == nil {
		return nil, nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil, fmt.Errorf("hold values against %s: %w", s.name, err)
	}
	var all []Problem
	leaves(invalid, &all)
	slices.SortFunc(all, func(a, b Problem) int { // the library goes through a map
		if c := slices.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.What, b.What)
	})
	return slices.CompactFunc(all, func(a, b Problem) bool { return a.What == b.What && slices.Equal(a.Path, b.Path) }), nil
}

// leaves are the failures that have no cause below them.
func leaves(invalid *jsonschema.ValidationError, all *[]Problem) {
	for _, cause := range invalid.Causes {
		leaves(cause, all)
	}
	if len(invalid.Causes) > 0 {
		return
	}
	p := Problem{Path: invalid.InstanceLocation}
	switch k := invalid.ErrorKind.(type) {
	case *kind.Type:
		p.What = fmt.Sprintf("expected %s, found %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		p.What = "expected " + strings.Join(k.Missing, ", ") + " in it, found none"
	case *kind.AdditionalProperties:
		p.What = "expected no " + strings.Join(k.Properties, ", ") + " in it"
	case *kind.Enum:
		p.What = fmt.Sprintf("expected one of %v", k.Want)
	default:
		p.What = "does not meet " + strings.Join(k.KeywordPath(), ".")
	}
	*all = append(*all, p)
}
