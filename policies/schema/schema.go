// Package schema holds values against a JSON Schema. It reads nothing but the
// schema it is given, and tells failures without the values themselves, which
// may be secrets.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
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
	// Field is the field of the map at Path that should not be there, if any.
	Field string
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
		for _, name := range k.Properties {
			*all = append(*all, Problem{Path: p.Path, Field: name, What: "expected no " + name + " in it"})
		}
		return
	case *kind.Enum:
		p.What = fmt.Sprintf("expected one of %v", k.Want)
	default:
		p.What = "does not meet " + strings.Join(k.KeywordPath(), ".")
		if limit := limitOf(k); limit != "" {
			p.What = "expected " + limit
		}
	}
	*all = append(*all, p)
}

// limitOf is what a schema's limit asks for, in words; "" for what is no limit.
func limitOf(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "at least " + number(k.Want)
	case *kind.Maximum:
		return "at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "less than " + number(k.Want)
	case *kind.MultipleOf:
		return "a multiple of " + number(k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("at least %d items, found %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("at most %d items, found %d", k.Want, k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("at least %d fields, found %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("at most %d fields, found %d", k.Want, k.Got)
	case *kind.Pattern:
		return "a text of the pattern " + k.Want
	case *kind.Format:
		return "a text of the format " + k.Want
	}
	return ""
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
