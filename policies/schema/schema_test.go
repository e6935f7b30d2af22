package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/schema"
)

func TestProblemsNameTheLimit(t *testing.T) {
	tests := []struct {
		name, schema string
		value        any
		want         []string
	}{
		{"met", `{"minimum": 1}`, 1.0, nil},
		{"minimum", `{"minimum": 1}`, 0.0, []string{"expected at least 1"}},
		{"maximum", `{"maximum": 1.5}`, 2.0, []string{"expected at most 1.5"}},
		{"exclusiveMinimum", `{"exclusiveMinimum": 0}`, 0.0, []string{"expected more than 0"}},
		{"exclusiveMaximum", `{"exclusiveMaximum": 65536}`, 65536.0, []string{"expected less than 65536"}},
		{"multipleOf", `{"multipleOf": 2}`, 3.0, []string{"expected a multiple of 2"}},
		{"minLength", `{"minLength": 8}`, "hunter2", []string{"expected at least 8 characters"}},
		{"maxLength", `{"maxLength": 3}`, "hunter2", []string{"expected at most 3 characters"}},
		{"items", `{"minItems": 2}`, []any{1.0}, []string{"expected at least 2 items, found 1"}},
		{"many items", `{"maxItems": 1}`, []any{1.0, 2.0}, []string{"expected at most 1 items, found 2"}},
		{"fields", `{"minProperties": 1}`, map[string]any{}, []string{"expected at least 1 fields, found 0"}},
		{"many fields", `{"maxProperties": 0}`, map[string]any{"a": 1.0}, []string{"expected at most 0 fields, found 1"}},
		{"pattern", `{"pattern": "^[a-z]+$"}`, "hunter2", []string{"expected a text of the pattern ^[a-z]+$"}},
		{"another", `{"uniqueItems": true}`, []any{1.0, 1.0}, []string{"does not meet uniqueItems"}},
		{"unwanted", `{"properties": {"a": {}}, "additionalProperties": false}`, map[string]any{"a": 1.0, "b": 1.0, "c": 1.0},
			[]string{"b: expected no b in it", "c: expected no c in it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := schema.Compile("s.json", []byte(tt.schema))
			if err != nil {
				t.Fatal(err)
			}
			problems, err := s.Check(tt.value)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				if p.Field != "" {
					p.What = p.Field + ": " + p.What
				}
				got = append(got, p.What)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, " "), "hunter2") {
				t.Errorf("the value is told: %v", got)
			}
		})
	}
}
