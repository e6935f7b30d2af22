package expr_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/expr"
)

func TestEval(t *testing.T) {
	in := map[string]any{"values": map[string]any{
		"replicas": float64(3), "tag": "11.6.1", "list": []any{"a", "b", "a"}, "on": true, "none": nil,
	}}
	tests := []struct {
		name, src string
		want      any
	}{
		{"field", `values.tag`, "11.6.1"},
		{"number across types", `values.replicas == 3 && values.replicas >= 2`, true},
		{"has", `has(values.missing)`, false},
		{"optional", `values.?missing.orValue("x")`, "x"},
		{"optional none", `values.?missing`, nil},
		{"macros", `values.list.filter(x, x == "a").size()`, int64(2)},
		{"strings", `values.tag.split(".")[0]`, "11"},
		{"join", `values.list.join("-")`, "a-b-a"},
		{"join alone", `values.list.join()`, "aba"},
		{"replace", `values.tag.replace(".", "_")`, "11_6_1"},
		{"replace some", `values.tag.replace(".", "_", 1)`, "11_6.1"},
		{"format", `"%s:%d".format([values.tag, 5])`, "11.6.1:5"},
		{"distinct", `values.list.distinct()`, []any{"a", "b"}},
		{"range", `lists.range(3)`, []any{int64(0), int64(1), int64(2)}},
		{"sets", `sets.contains(values.list, ["a"])`, true},
		{"math", `math.greatest(1, 2)`, int64(2)},
		{"map", `{"a": [1, 2.5, null]}`, map[string]any{"a": []any{int64(1), 2.5, nil}}},
		{"duration", `duration("90s")`, 90 * time.Second},
		{"null", `values.none`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := expr.Compile(tt.src, "values")
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Eval(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.src, diff)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"empty", " ", "found nothing"},
		{"syntax", "values.", "character 8 of the expression"},
		{"unknown name", "valeus.a == 1", "undeclared reference to 'valeus'"},
		{"not a boolean", `"text"`, "expected true or false"},
		{"too long", "true" + strings.Repeat(" ", expr.SizeLimit), "limit expressionSize="},
		{"too costly for certain", "lists.range(1000000000).size() > 0", "limit cost="},
		{"too deep", "[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, [1].all(f, true))))))", "limit nesting=5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := expr.CompileBool(tt.src, "values")
			var ce *expr.CompileError
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v; want a CompileError of one line with %q", err, tt.want)
			}
		})
	}
}

func TestEvaluationIsBounded(t *testing.T) {
	big := make([]any, 6000)
	for i := range big {
		big[i] = strings.Repeat("x", 2000)
	}
	in := map[string]any{"v": big}
	tests := []struct{ name, src, want string }{
		{"loops", `v.all(a, v.all(b, v.all(c, size(c) > 0)))`, "limit cost="},
		{"join", `[1, 2, 3, 4].all(i, v.join("") != "")`, "limit cost="},
		{"format", `"%s".format([[v, v, v]]) == ""`, "limit cost="},
		{"range", `lists.range(int(v[0].size()) * 1000000).size() > 0`, "limit cost="},
		{"distinct", `v.distinct().size() > 0`, "limit cost="},
		{"sets", `sets.contains(v, v)`, "limit cost="},
		{"replace", `v[0].replace("x", v[1]) == ""`, ""},
		{"swallowed", `v.all(a, v.all(b, size(b) > 0)) || true`, "limit cost="},
		{"replace more", `v[0].replace("x", v.join("").substring(0, 20000)) == ""`, "limit cost="},
		{"doubling", `[v[0]+v[0]+v[0]+v[0]+v[0]+v[0]].map(a, [a+a+a+a+a+a+a+a+a+a].map(a, [a+a+a+a+a+a+a+a+a+a].map(a, [a+a+a+a+a+a+a+a+a+a].map(a, a+a+a+a+a+a+a+a)))).size() > 0`, "limit cost="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p *expr.Program
			var err error
			if p, err = expr.CompileBool(tt.src, "v"); err == nil {
				_, err = p.Bool(t.Context(), in)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v; want %q", err, tt.want)
			}
		})
	}
}

func TestEvaluationStopsWithItsContext(t *testing.T) {
	p, err := expr.CompileBool("v.all(a, v.all(b, a == b || a != b))", "v")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Bool(ctx, map[string]any{"v": make([]any, 1000)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want context.Canceled", err)
	}
}

func TestBoolRefusesWhatIsNeither(t *testing.T) {
	p, err := expr.CompileBool("v", "v")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{nil, "true", int64(1)} {
		if got, err := p.Bool(t.Context(), map[string]any{"v": v}); err == nil {
			t.Errorf("%v: want an error, got %v", v, got)
		}
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	p, err := expr.CompileBool(`v > 1 && ["a", "b"].join("-") == "a-b"`, "v")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if ok, err := p.Bool(context.Background(), map[string]any{"v": 2}); err != nil || !ok {
					t.Errorf("want true, got %v, %v", ok, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestErrorsTellNoValue(t *testing.T) {
	in := map[string]any{"v": map[string]any{"password": "hunter2", "m": map[string]any{}}}
	for _, src := range []string{
		`int(v.password) > 0`, `v.m[v.password] == 1`, `timestamp(v.password) > timestamp(0)`,
		`v.password.matches(v.password + "(")`, `v.password + 1 == 2`,
	} {
		p, err := expr.CompileBool(src, "v")
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Bool(t.Context(), in)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v; want one without the password", src, err)
		}
	}
	p, err := expr.Compile("v.nothing.here", "v")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Eval(t.Context(), in); err == nil || !strings.Contains(err.Error(), "no such key: nothing") {
		t.Errorf("error %v; want the key that is missing", err)
	}
}

func TestInterpolate(t *testing.T) {
	in := map[string]any{
		"cluster": "eu",
		"values":  map[string]any{"image": map[string]any{"repository": "r/mm", "tag": "1.2"}, "n": float64(8065), "none": nil},
	}
	tests := []struct{ name, in, want, problem string }{
		{name: "plain", in: "text", want: "text"},
		{name: "one", in: "https://${cluster}.example.com:${ values.n }/", want: "https://eu.example.com:8065/"},
		{name: "concatenation", in: "${values.image.repository + ':' + values.image.tag}", want: "r/mm:1.2"},
		{name: "literal", in: "$${cluster} ${cluster}", want: "${cluster} eu"},
		{name: "braces", in: `${ {"a}": "}"}["a}"] }!`, want: "}!"},
		{name: "strings", in: `${'it\'s }' + r"\}" + """"}"""}`, want: `it's }\}"}`},
		{name: "dollar alone", in: "5$ {x}", want: "5$ {x}"},
		{name: "open", in: "${cluster", problem: `expected a "}"`},
		{name: "null", in: "${values.none}", problem: "found null"},
		{name: "map", in: "${values.image}", problem: "expected text"},
		{name: "missing", in: "${values.nope}", problem: "no such key: nope"},
		{name: "unknown", in: "${cluster2}", problem: "undeclared"},
		{name: "syntax", in: "${cluster +}", problem: "compile"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expr.Interpolate(t.Context(), tt.in, in)
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Fatalf("Interpolate = %q, %v; want an error with %q", got, err, tt.problem)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("Interpolate = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzInterpolate(f *testing.F) {
	f.Add("a ${cluster} $${ ${'}'}")
	f.Add(`${ {"a": 1} }`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := expr.Interpolate(t.Context(), s, map[string]any{"cluster": "eu"})
		if err == nil && !strings.Contains(s, "${") && got != s {
			t.Fatalf("Interpolate(%q) = %q", s, got)
		}
	})
}

// FuzzExpression compiles and evaluates whatever compiles, over values with a
// secret in them: it ends within its cost, gives Go's own types, and no error
// tells the secret.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"clusters.all(c, clusters[c].n > 1)", `semver(new.tag).isGreaterThan(semver(old.tag))`, `quantity(new.mem).compareTo(quantity("1Gi"))`,
		`clusters.map(c, c + clusters[c].db.password)`, `[1, 2].map(x, lists.range(100000).size())`, `int(new.db.password)`,
		`new.?db.?nothing.orValue("x").split(new.db.password).join("-")`, `sets.contains([new.tag], [old.tag])`, `{"a": new}["b"]`,
		`new.tag.matches(new.db.password + "(")`, `"%s %d".format([new.db.password, 1])`,
	} {
		f.Add(s)
	}
	const secret = "hunter2-hunter2"
	env, err := expr.NewEnv("clusters", "gate", "cluster", "old", "new")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := env.Compile(src)
		if err != nil {
			return
		}
		one := map[string]any{"n": 2.0, "tag": "11.7.4@sha256:ab", "mem": "512Mi", "db": map[string]any{"password": secret}}
		v, err := p.Eval(t.Context(), map[string]any{
			"clusters": map[string]any{"eu": one}, "gate": map[string]any{"name": "chat"}, "cluster": "eu", "old": one, "new": one,
		})
		if err != nil {
			if strings.Contains(err.Error(), secret) && !strings.Contains(src, secret) {
				t.Errorf("%q: the error tells the secret: %v", src, err)
			}
			return
		}
		switch v.(type) {
		case nil, bool, int64, uint64, float64, string, []byte, time.Time, time.Duration, []any, map[string]any:
		default:
			t.Errorf("%q gives a %T", src, v)
		}
	})
}

func BenchmarkNewEnv(b *testing.B) {
	for b.Loop() {
		if _, err := expr.NewEnv("clusters"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	e, err := expr.NewEnv("clusters")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.CompileBool("clusters.all(c, clusters[c].a == 1)"); err != nil {
			b.Fatal(err)
		}
	}
}
