package delivery

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/syncgate/syncgate/policies/values"
)

// texts are parameters as texts.
func texts(params map[string]any) map[string]any {
	out := make(map[string]any, len(params))
	for key, v := range params {
		out[key] = fmt.Sprint(v)
	}
	return out
}

// flattened are parameters with the names of nested ones joined by dots.
func flattened(params map[string]any) map[string]string {
	out := map[string]string{}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		if name != "" {
			name += "."
		}
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(name+key, inner)
			}
		case []any:
			for i, inner := range v {
				walk(name+strconv.Itoa(i), inner)
			}
		default:
			out[name[:max(len(name)-1, 0)]] = fmt.Sprint(v)
		}
	}
	walk("", params)
	return out
}

// errUnmergeable is what Argo CD itself cannot merge: it ends in a panic there.
var errUnmergeable = errors.New("a map of strings (values or labels of a generator) lies below a map of anything")

// override lays src over dst, maps into maps; an empty list leaves what is there.
func override(dst, src map[string]any) error {
	for key, v := range src {
		have := dst[key]
		switch v := v.(type) {
		case map[string]any:
			switch below := have.(type) {
			case map[string]any:
				merged := maps.Clone(below)
				if err := override(merged, v); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				dst[key] = merged
				continue
			case map[string]string:
				if len(v) > 0 {
					return fmt.Errorf("%s: %w", key, errUnmergeable)
				}
				continue
			}
		case map[string]string:
			if below, ok := have.(map[string]any); ok {
				merged := maps.Clone(below)
				for key, text := range v {
					merged[key] = text
				}
				dst[key] = merged
				continue
			}
			if below, ok := have.(map[string]string); ok {
				merged := make(map[string]string, len(below)+len(v))
				for _, m := range []map[string]string{below, v} {
					for key, text := range m {
						merged[key] = text
					}
				}
				dst[key] = merged
				continue
			}
		case []any:
			if len(v) == 0 && have != nil {
				continue
			}
		}
		dst[key] = v
	}
	return nil
}

// selector is a label selector.
type selector struct {
	labels map[string]string
	rules  []selectorRule
}

type selectorRule struct {
	key, operator string
	values        []string
}

// readSelector reads a label selector; without one it takes everything.
func readSelector(f *fields, n *values.Node) (selector, error) {
	var s selector
	if n == nil {
		return s, f.err
	}
	at := f.below(n)
	if table := at.table("matchLabels"); table != nil {
		s.labels = map[string]string{}
		for _, l := range table.Fields {
			if l.Value.Kind != values.String {
				at.wrong(l.Value, []string{"matchLabels", l.Key}, "a string")
			}
			s.labels[l.Key] = l.Value.Text
		}
	}
	for _, e := range at.list("matchExpressions") {
		r := at.below(e)
		rule := selectorRule{key: r.text("key"), operator: r.text("operator")}
		for _, v := range r.texts("values") {
			rule.values = append(rule.values, v.Text)
		}
		if !slices.Contains([]string{"In", "NotIn", "Exists", "DoesNotExist"}, rule.operator) {
			r.wrong(e, []string{"matchExpressions", "operator"}, "In, NotIn, Exists or DoesNotExist")
		}
		if r.err != nil {
			return s, r.err
		}
		s.rules = append(s.rules, rule)
	}
	return s, at.err
}

func (s selector) empty() bool { return len(s.labels) == 0 && len(s.rules) == 0 }

func (s selector) matches(labels map[string]string) bool {
	for key, want := range s.labels {
		if have, ok := labels[key]; !ok || have != want {
			return false
		}
	}
	for _, r := range s.rules {
		have, ok := labels[r.key]
		in := ok && slices.Contains(r.values, have)
		switch r.operator {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "DoesNotExist":
			ok = !ok
		}
		if !ok {
			return false
		}
	}
	return true
}
