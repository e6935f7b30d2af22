package delivery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// TestSubstituted: what Flux's kustomize-controller makes of an object's text. The
// answers are those of github.com/fluxcd/pkg/kustomize (varSubstitution) over
// sigs.k8s.io/yaml, and of the tests of github.com/fluxcd/pkg/envsubst.
func TestSubstituted(t *testing.T) {
	variables := map[string]string{
		"R": "${cluster}", "N": "3", "EMPTY": "", "NIL": "~", "LIST": "[]", "ON": "yes", "LINES": "a\nb", "KEEP": "${KEEP}", "COLON": "x: y",
		"QUOTE": `a"b`, "HASH": "x #y", "DOLLAR": "$$${R}", "DATE": "2026-01-02", "OCTAL": "010",
	}
	none := map[string]string{"KEEP": "${KEEP}"}
	tests := []struct {
		name, spec string
		variables  map[string]string
		want, fail string
	}{
		{name: "plain", spec: `a: x-${R}-${N}`, want: `{"a":"x-eu-3"}`},
		{name: "default", spec: `a: "${X:=d e}${X:-f}${X:=}"`, want: `{"a":"d ef"}`},
		{name: "default of an empty one", spec: `a: "${EMPTY:-5}"`, want: `{"a":5}`},
		{name: "default is not needed", spec: `a: "${R:-5}"`, want: `{"a":"eu"}`},
		{name: "not again", spec: `a: "v${DOLLAR}"`, want: `{"a":"v$$${R}"}`},
		{name: "line ends are taken out", spec: `a: "${LINES}"`, want: `{"a":"ab"}`},
		{name: "number", spec: `a: "${N}"`, want: `{"a":3}`},
		{name: "number in quotes that stay", spec: `a: "[${N}"`, want: `{"a":"[3"}`},
		{name: "octal", spec: `a: "${OCTAL}"`, want: `{"a":8}`},
		{name: "null", spec: `a: "${NIL}"`, want: `{"a":null}`},
		{name: "nothing", spec: `a: "${EMPTY}"`, want: `{"a":null}`},
		{name: "empty list", spec: `a: "${LIST}"`, want: `{"a":[]}`},
		{name: "word for true", spec: `a: "${ON}"`, want: `{"a":true}`},
		{name: "date", spec: `a: "${DATE}"`, want: `{"a":"2026-01-02"}`},
		{name: "comment", spec: `a: "${HASH}"`, want: `{"a":"x"}`},
		{name: "in a block nothing is retyped", spec: "a: |\n    ${N}\n    ${EMPTY}.\n", want: `{"a":"3\n.\n"}`},
		{name: "key", spec: `{"${R}": 1, "x${N}": {"${N}": 2}}`, want: `{"eu":1,"x3":{"3":2}}`},
		{name: "in a list", spec: `a: [1, "${N}", "x"]`, want: `{"a":[1,3,"x"]}`},
		{name: "escape", spec: `a: "$${R} $$ $R ${N}$${var$${N}$"`, want: `{"a":"${R} $ $R 3${var${N}$"}`},
		{name: "escape before a variable", spec: `a: "$$${R}"`, want: `{"a":"$eu"}`},
		{name: "identity", spec: `a: "${KEEP}"`, want: `{"a":"${KEEP}"}`},
		{name: "nothing is substituted", spec: `a: "${KEEP} $$ $${KEEP} ${KEEP:0:1}"`, variables: none, want: `{"a":"${KEEP} $$ $${KEEP} ${KEEP:0:1}"}`},
		{name: "the cluster's name", spec: `a: "x${cluster}"`, variables: map[string]string{"cluster": "${cluster}"}, want: `{"a":"xeu"}`},
		{name: "no variable", spec: `a: "$R $$ ${} ${.x}"`, variables: none, want: `{"a":"$R $$ ${} ${.x}"}`},

		{name: "map in a value", spec: `a: "${COLON}"`, fail: "is no YAML that can be read once its variables are substituted"},
		{name: "quote in a value", spec: `a: "[${QUOTE}"`, want: `{"a":"[a\"b"}`},
		{name: "not listed", spec: `a: "${X}"`, fail: `a.yaml:6:6: HelmRelease shop: has "${X}", which a Flux Kustomization may substitute by a value that is not known here; list X in`},
		{name: "not listed, in a key", spec: `{"${X}": 1}`, fail: `has "${X}", which a Flux`},
		{name: "not listed, nothing substituted", spec: `a: "${X}"`, variables: none, fail: `list X in variables`},
		{name: "nothing listed, escape", spec: `a: "$${X}"`, variables: map[string]string{}, fail: `list X in variables`},
		{name: "nothing listed, function", spec: `a: "${X/a/b}"`, variables: map[string]string{}, fail: `a.yaml:6:6: HelmRelease shop: has "${X"`},
		{name: "nothing listed, length", spec: `a: "${#X}"`, variables: map[string]string{}, fail: `list X in variables`},
		{name: "nothing listed, key", spec: `{"${X}": 1}`, variables: map[string]string{}, fail: `list X in variables`},
		{name: "nested default", spec: `a: "${X:=${N}}"`, fail: `a.yaml:6:6: HelmRelease shop: has "${X:=${N}", of which Flux makes something that is not worked out here`},
		{name: "substring", spec: `a: "${R:0:1}"`, fail: `has "${R:0:1}", of which`},
		{name: "first", spec: `a: "${R/e/x}"`, fail: `has "${R/e/x}", of which`},
		{name: "all", spec: `a: "${R//a/b}"`, fail: `has "${R//a/b}", of which`},
		{name: "dash", spec: `a: "${X-5}"`, fail: `has "${X-5}", of which`},
		{name: "equals", spec: `a: "${X=5}"`, fail: `of which`},
		{name: "question mark", spec: `a: "${R:?no}"`, fail: `of which`},
		{name: "plus", spec: `a: "${R:+5}"`, fail: `of which`},
		{name: "length", spec: `a: "${#R}"`, fail: `of which`},
		{name: "upper", spec: `a: "${R^^}"`, fail: `of which`},
		{name: "lower", spec: `a: "${R,,}"`, fail: `of which`},
		{name: "prefix", spec: `a: "${R#e}"`, fail: `of which`},
		{name: "suffix", spec: `a: "${R%%u}"`, fail: `of which`},
		{name: "in a key", spec: `{"${R^^}": 1}`, fail: `a.yaml:6:14: HelmRelease shop: has "${R^^}", of which`},
		{name: "empty name", spec: `a: "${} ${R}"`, fail: `has "${}", of which`},
		{name: "open", spec: `a: "${R"`, fail: `has "${R", of which`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.variables == nil {
				tt.variables = variables
			}
			o := helmRelease(t, tt.spec)
			x := &expansion{from: &gate.ClustersFrom{Variables: tt.variables}}
			got, err := x.substituted(o, "eu")
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("got %v; want %s", err, tt.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := helmRelease(t, tt.want)
			if d := cmp.Diff(want.node.Get("spec").Native(), got.node.Get("spec").Native()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, f := range got.node.Get("spec").Fields {
				if f.Value.File != "a.yaml" || f.Value.Line < 5 {
					t.Errorf("%s is at %s", f.Key, f.Value.Position())
				}
			}
			if again, err := x.substituted(got, "eu"); err != nil || got.was != nil && again != got {
				t.Errorf("it is substituted twice: %v", err)
			}
		})
	}
}

// helmRelease is an object with a spec that begins at line 6 of a.yaml.
func helmRelease(t *testing.T, spec string) *object {
	t.Helper()
	text := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: shop\nspec:\n  " + spec
	docs, err := values.Documents([]byte(text), "a.yaml", values.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return newObjects(docs[0], object{source: []byte(text)})[0]
}

// TestSubstituteDisabled: an object may say that Flux leaves it alone.
func TestSubstituteDisabled(t *testing.T) {
	x := &expansion{from: &gate.ClustersFrom{Variables: map[string]string{"R": "3"}}}
	for _, where := range []string{"labels", "annotations"} {
		for _, variables := range []map[string]string{{"R": "3"}, nil} {
			o := helmRelease(t, `a: "${R} ${X^^} $$"`)
			o.node.Get("metadata").Fields = append(o.node.Get("metadata").Fields, values.Field{
				Key: where, Value: newMap(nil, values.Field{Key: fluxSubstitute, Value: newText(nil, "disabled")}),
			})
			x.from.Variables = variables
			if got, err := x.substituted(o, "eu"); err != nil || got != o {
				t.Errorf("%s: got %v, %v", where, got, err)
			}
		}
	}
}

// TestSubstitutedIsBounded: variables may be large, and used often.
func TestSubstitutedIsBounded(t *testing.T) {
	x := &expansion{
		from:   &gate.ClustersFrom{Variables: map[string]string{"R": strings.Repeat("x", 1<<12)}},
		limits: values.Limits{FileSize: 1 << 14},
	}
	_, err := x.substituted(helmRelease(t, `a: "`+strings.Repeat("${R}", 100)+`"`), "eu")
	if err == nil || !strings.Contains(err.Error(), "limit fileSize=16384 hit") {
		t.Errorf("got %v", err)
	}
}
