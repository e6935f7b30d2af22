package render

import (
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/syncgate/syncgate/policies/schema"
)

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
	slices.Sort(problems)
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
	s, err := schema.Compile(ch.ChartFullPath()+"/values.schema.json", ch.Schema)
	if err != nil {
		return err
	}
	found, err := s.Check(values)
	for _, p := range found {
		at := strings.Join(p.Path, ".")
		if at == "" {
			at = "the values"
		}
		*problems = append(*problems, fmt.Sprintf("%s: %s (%s)", at, p.What, s.Name()))
	}
	return err
}
