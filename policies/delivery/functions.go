package delivery

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	helmyaml "sigs.k8s.io/yaml"
)

// The bounds of what functions of a template take and give.
const (
	maxCalls    = 100_000  // of one template
	maxArgument = 64 << 10 // bytes of a text
)

// sprigNames are the functions of sprig that a template may use: those that
// give the same for the same, and little for little.
func sprigNames() []string {
	return []string{
		"add", "add1", "atoi", "b64dec", "b64enc", "cat", "coalesce", "compact", "contains", "default", "dig", "div",
		"empty", "eq", "first", "float64", "fromJson", "get", "hasKey", "hasPrefix", "hasSuffix", "has", "indent", "initial", "int",
		"int64", "join", "keys", "kindIs", "kindOf", "kebabcase", "last", "len", "list", "lower", "max", "min", "mod", "mul",
		"nindent", "nospace", "omit", "pick", "quote", "regexFind", "regexMatch", "regexReplaceAll", "replace", "rest",
		"semver", "semverCompare", "sha1sum", "sha256sum", "snakecase", "sortAlpha", "split", "splitList", "squote", "sub", "substr",
		"ternary", "title", "toJson", "toString", "toStrings", "trim", "trimAll", "trimPrefix", "trimSuffix", "trunc",
		"uniq", "upper", "values",
	}
}

// ownFunctions are those that Argo CD adds, and those of Go's that give more
// than they take.
func ownFunctions() map[string]any {
	return map[string]any{
		"normalize": normalize,
		"toYaml": func(v any) (string, error) {
			data, err := helmyaml.Marshal(v)
			return strings.TrimSuffix(string(data), "\n"), err
		},
		"fromYaml": func(s string) (map[string]any, error) {
			m := map[string]any{}
			err := helmyaml.Unmarshal([]byte(s), &m)
			return m, err
		},
		"fromYamlArray": func(s string) ([]any, error) {
			a := []any{}
			err := helmyaml.Unmarshal([]byte(s), &a)
			return a, err
		},
		"print":   fmt.Sprint,
		"println": fmt.Sprintln,
		"printf": func(format string, args ...any) (string, error) {
			if strings.ContainsAny(format, "*") || wide(format) {
				return "", fmt.Errorf("printf: widths of more than two digits are not supported here")
			}
			return fmt.Sprintf(format, args...), nil
		},
	}
}

// wide reports whether a format asks for a width of more than two digits.
func wide(format string) bool {
	digits := 0
	for _, c := range format {
		if c < '0' || c > '9' {
			digits = 0
		} else if digits++; digits > 2 {
			return true
		}
	}
	return false
}

func functionNames() []string {
	return slices.Sorted(maps.Keys(functions(new(int))))
}

// functions are the functions of a template, bounded. calls counts them.
func functions(calls *int) template.FuncMap {
	all := template.FuncMap{}
	hermetic := sprig.HermeticTxtFuncMap()
	for _, name := range sprigNames() {
		if f, ok := hermetic[name]; ok {
			all[name] = guard(name, f, calls)
		}
	}
	for name, f := range ownFunctions() {
		all[name] = guard(name, f, calls)
	}
	return all
}

// guard is f with bounds on how often it is called, and on what it takes and
// gives.
func guard(name string, f any, calls *int) any {
	fn := reflect.ValueOf(f)
	failed := reflect.TypeFor[error]()
	in, out := []reflect.Type{}, []reflect.Type{fn.Type().Out(0), failed}
	for i := range fn.Type().NumIn() {
		in = append(in, fn.Type().In(i))
	}
	return reflect.MakeFunc(reflect.FuncOf(in, out, fn.Type().IsVariadic()), func(args []reflect.Value) []reflect.Value {
		no := func(err error) []reflect.Value {
			return []reflect.Value{reflect.Zero(out[0]), reflect.ValueOf(&err).Elem()}
		}
		if *calls++; *calls > maxCalls {
			return no(fmt.Errorf("limit calls=%d hit: the template calls more functions", maxCalls))
		}
		size := 1
		for i, a := range args {
			n := weight(a, 0)
			if n > maxArgument {
				return no(fmt.Errorf("%s: limit argument=%d bytes hit", name, maxArgument))
			}
			if i == 0 || name == "replace" || name == "regexReplaceAll" {
				size *= max(n, 1)
			}
		}
		if strings.HasSuffix(name, "indent") {
			if n, ok := args[0].Interface().(int); !ok || n > 100 {
				return no(fmt.Errorf("%s: limit indent=100 hit", name))
			}
		}
		if size > maxArgument*maxArgument/64 {
			return no(fmt.Errorf("%s: limit argument=%d bytes hit", name, maxArgument))
		}
		var results []reflect.Value
		if fn.Type().IsVariadic() {
			results = fn.CallSlice(args)
		} else {
			results = fn.Call(args)
		}
		if len(results) == 2 && !results[1].IsNil() {
			return no(results[1].Interface().(error))
		}
		if weight(results[0], 0) > 16*maxArgument {
			return no(fmt.Errorf("%s: limit argument=%d bytes hit", name, 16*maxArgument))
		}
		return []reflect.Value{results[0], reflect.Zero(failed)}
	}).Interface()
}

// weight is about how many bytes a value would be as text. It stops counting
// when it is too many: a value may hold another one many times.
func weight(v reflect.Value, so int) int {
	const most = 1 << 21
	if !v.IsValid() || so > most {
		return so
	}
	switch v.Kind() {
	case reflect.String:
		return so + v.Len()
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return so
		}
		return weight(v.Elem(), so)
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && so <= most; i++ {
			so = weight(v.Index(i), so+1)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next() && so <= most; {
			so = weight(it.Value(), weight(it.Key(), so+1))
		}
	default:
		so += 8
	}
	return so
}
