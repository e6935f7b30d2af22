package render

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"helm.sh/helm/v3/pkg/chart"
)

// schemaURL is what a chart's schema is called while it is compiled.
const schemaURL = "chart:///values.schema.json"

// noLoader refuses every reference out of a schema: rendering reads nothing
// but the repository.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %s, which is not fetched while rendering; put the definition into the schema itself", url)
}

// checkSchemas holds the values against the values.schema.json of the chart
// and of each subchart that has values.
func checkSchemas(ch *chart.Chart, values map[string]any) error {
	var problems []string
	if err := walkSchemas(ch, values, &problems); err != nil {
		return err
	}
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems) // the library goes through a map
	return fmt.Errorf("values do not meet the chart's schema: %s; correct the values", strings.Join(problems, "; "))
}

func walkSchemas(ch *chart.Chart, values map[string]any, problems *[]string) error {
	if ch.Schema != nil {
		if err := checkSchema(ch, values, problems); err != nil {
			return err
		}
	}
	for _, sub := range ch.Dependencies() {
		raw, ok := values[sub.Name()]
		if !ok || raw == nil {
			continue
		}
		table, ok := raw.(map[string]any)
		if !ok {
			*problems = append(*problems, fmt.Sprintf("%s: expected a map, found %T", sub.Name(), raw))
			continue
		}
		if err := walkSchemas(sub, table, problems); err != nil {
			return err
		}
	}
	return nil
}

func checkSchema(ch *chart.Chart, values map[string]any, problems *[]string) error {
	name := ch.ChartFullPath() + "/values.schema.json"
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ch.Schema))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	schema, err := compiler.Compile(schemaURL)
	if err != nil {
		return fmt.Errorf("compile %s: %w", name, err)
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(values); errors.As(err, &invalid) {
		describe(invalid, name, problems)
	} else if err != nil {
		return fmt.Errorf("hold values against %s: %w", name, err)
	}
	return nil
}

// describe tells every failure at the leaves of invalid by the path in the
// values and what the schema asks for. It never shows the value itself, which
// may be a secret.
func describe(invalid *jsonschema.ValidationError, name string, problems *[]string) {
	for _, cause := range invalid.Causes {
		describe(cause, name, problems)
	}
	if len(invalid.Causes) > 0 {
		return
	}
	at := strings.Join(invalid.InstanceLocation, ".")
	if at == "" {
		at = "the values"
	}
	var what string
	switch k := invalid.ErrorKind.(type) {
	case *kind.Type:
		what = fmt.Sprintf("expected %s, found %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		what = "expected " + strings.Join(k.Missing, ", ") + " in it, found none"
	case *kind.AdditionalProperties:
		what = "expected no " + strings.Join(k.Properties, ", ") + " in it"
	case *kind.Enum:
		what = fmt.Sprintf("expected one of %v", k.Want)
	default:
		what = "does not meet " + strings.Join(k.KeywordPath(), ".")
	}
	*problems = append(*problems, fmt.Sprintf("%s: %s (%s)", at, what, name))
}
