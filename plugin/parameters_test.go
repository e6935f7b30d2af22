package plugin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeParameters(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       map[string]string
		err        string
	}{
		{"nothing", "", map[string]string{}, ""},
		{"white space", " \n", map[string]string{}, ""},
		{"null", "null", map[string]string{}, ""},
		{"empty list", "[]", map[string]string{}, ""},
		{"both", `[{"name":"cluster","string":"eu"},{"name":"gate","string":"mm"}]`, map[string]string{"cluster": "eu", "gate": "mm"}, ""},
		{"a value", `[{"name":"values.a.b","string":"5"}]`, map[string]string{"values.a.b": "5"}, ""},
		{"a value without a path", `[{"name":"values.","string":"5"}]`, nil, `there is no parameter "values."`},
		{"empty string", `[{"name":"cluster","string":""}]`, map[string]string{"cluster": ""}, ""},
		{"unknown name", `[{"name":"clutser","string":"eu"}]`, nil, `there is no parameter "clutser"; expected "cluster", "gate" or "values." and a key path`},
		{"no name", `[{"string":"eu"}]`, nil, `there is no parameter ""`},
		{"twice", `[{"name":"cluster","string":"eu"},{"name":"cluster","string":"us"}]`, nil, `"cluster" is set twice`},
		{"a list", `[{"name":"cluster","array":["eu"]}]`, nil, "expected a string"},
		{"a map", `[{"name":"cluster","map":{"a":"b"}}]`, nil, "expected a string"},
		{"both kinds", `[{"name":"cluster","string":"eu","array":[]}]`, nil, "expected a string"},
		{"no value", `[{"name":"cluster"}]`, nil, "expected a string"},
		{"a number", `[{"name":"cluster","string":1}]`, nil, "expected a JSON list"},
		{"an object", `{"cluster":"eu"}`, nil, "expected a JSON list"},
		{"unknown field", `[{"name":"cluster","value":"eu"}]`, nil, `unknown field "value"`},
		{"more after it", `[] []`, nil, "found more after it"},
		{"cut off", `[{"name":"cluster"`, nil, "expected a JSON list"},
		{"too large", strings.Repeat(" ", maxParameters+1), nil, "limit parameterBytes=1048576 hit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeParameters([]byte(tt.data))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v and error %v, want error %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDecodeParameters holds that only parameters that Syncgate has come out,
// and that what comes out reads back the same.
func FuzzDecodeParameters(f *testing.F) {
	for _, seed := range []string{``, `null`, `[]`, `[{"name":"cluster","string":"eu"}]`, `[{"name":"gate","map":null,"string":"a/b"}]`, `[{"NAME":"cluster","String":"x"}]`, `[null]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeParameters(data)
		if err != nil {
			if got != nil {
				t.Errorf("an error and %v", got)
			}
			return
		}
		for name := range got {
			if !isParameter(name) {
				t.Errorf("there is no parameter %q", name)
			}
		}
	})
}
