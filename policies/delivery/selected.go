package delivery

import "fmt"

// selected are the sets of parameters that the selector of a generator keeps. Where
// the majors of Argo CD keep others, it is an error.
func (s *appSet) selected(g *fields, sel selector, sets []map[string]any, depth int) ([]map[string]any, error) {
	at := g.get("selector")
	var kept []map[string]any
	for _, params := range sets {
		keep := sel.matches(flattened(params))
		if keep != sel.matches(flattened(opened(params))) {
			return nil, s.object.failAt(at,
				"its selector asks for one of values, metadata.labels or metadata.annotations of a generator: with goTemplate Argo CD 2.14 does not see what is in them, and 3.5 does",
				"select by another parameter, or by the selector of the cluster generator itself")
		}
		if keep {
			kept = append(kept, params)
		}
	}
	if depth > 1 && !s.nested && len(kept) < len(sets) {
		return nil, s.object.failAt(at,
			fmt.Sprintf("the selector of a generator in a nested matrix or merge drops %d of %d sets of parameters in Argo CD 3, and none in 2.14, which ignores it", len(sets)-len(kept), len(sets)),
			"set spec.applyNestedSelectors: true, with which all apply it, or remove the selector")
	}
	return kept, nil
}

// opened are parameters in which maps of strings are maps of anything: selectors of Argo
// CD 3.5 see into them.
func opened(params map[string]any) map[string]any {
	out := make(map[string]any, len(params))
	for key, v := range params {
		switch v := v.(type) {
		case map[string]any:
			out[key] = opened(v)
		case map[string]string:
			inner := make(map[string]any, len(v))
			for key, text := range v {
				inner[key] = text
			}
			out[key] = inner
		default:
			out[key] = v
		}
	}
	return out
}
