package values

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOverride replaces values of one file by text.
func TestOverride(t *testing.T) {
	merged, err := Parse([]byte("s: x\nnum: 3\nb: true\nm: {s: yes it is, \"\": z}\nl: [1]\nnone: ~\n"), "values.yaml", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, text string
		want             map[string]any
		err              string
	}{
		{name: "string", path: "s", text: "5", want: map[string]any{"s": "5"}},
		{name: "empty string", path: "s", text: "", want: map[string]any{"s": ""}},
		{name: "deep", path: "m s", text: "true", want: map[string]any{"m": map[string]any{"s": "true"}}},
		{name: "number", path: "num", text: "-0.5e1", want: map[string]any{"num": -5.0}},
		{name: "boolean", path: "b", text: "false", want: map[string]any{"b": false}},
		{name: "no number", path: "num", text: "five", err: "expected a number"},
		{name: "not as JSON", path: "num", text: "05", err: "expected a number"},
		{name: "with a space", path: "num", text: " 5", err: "expected a number"},
		{name: "quoted", path: "num", text: `"5"`, err: "expected a number"},
		{name: "infinite", path: "num", text: "1e999", err: "expected a number"},
		{name: "empty number", path: "num", text: "", err: "expected a number"},
		{name: "no boolean", path: "b", text: "True", err: "expected true or false"},
		{name: "map", path: "m", text: "x", err: "found a map"},
		{name: "list", path: "l", text: "x", err: "found a list"},
		{name: "null", path: "none", text: "x", err: "found null"},
		{name: "nothing", path: "x", text: "x", err: "no value there"},
		{name: "below a scalar", path: "s x", text: "x", err: "no value there"},
		{name: "long", path: "s", text: strings.Repeat("x", maxOverride+1), err: "limit parameterValueBytes=4096 hit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Override(merged, strings.Fields(tt.path), tt.text, "parameter p")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), "parameter p: ") {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got.Native()); d != "" {
				t.Errorf("layer (-want +got):\n%s", d)
			}
			if at := got.At(strings.Fields(tt.path)); at.File != "parameter p" {
				t.Errorf("its place is %q", at.File)
			}
		})
	}
}
