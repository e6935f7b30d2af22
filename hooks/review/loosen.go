package review

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/report"
)

// loosened notes what the change takes out of its own Gate: by what stands in
// it, and by what the Gate as it was would have found in the values as they are.
func (j *judgement) loosened(ctx context.Context, file string, now report.Report) {
	if j.base == nil || !slices.Contains(j.changed, file) {
		return
	}
	was, errWas := gate.Load(j.base, file)
	is, errIs := gate.Load(j.head, file)
	if errWas != nil || errIs != nil {
		return // it is new, held nothing that could be read, or the report says what is wrong with it
	}
	say := func(format string, args ...any) {
		j.loosens = append(j.loosens, loosening{file, fmt.Sprintf("gate %s", was.Metadata.Name) + fmt.Sprintf(format, args...)})
	}
	lost, err := lostOf(was, is)
	for _, l := range lost {
		say(": %s", l)
	}
	old, evalErr := j.byOld(ctx, was)
	if err := cmp.Or(err, evalErr); err != nil {
		say(", as it is at %s, cannot judge what is here: %v", j.baseName, err)
		return
	}
	found := map[string]bool{}
	for _, g := range now.Gates {
		for _, f := range g.Findings {
			found[f.Rule+"\x00"+f.Path] = true
		}
	}
	for _, f := range old.Findings {
		if !found[f.Rule+"\x00"+f.Path] {
			say(", as it is at %s, would find here: %s %s: %s", j.baseName, f.Rule, f.Path, f.Message)
		}
	}
}

// byOld judges what is at the head by the Gate as it was.
func (j *judgement) byOld(ctx context.Context, was *gate.Gate) (policies.Result, error) {
	opts := j.reviewer.opts.Policies
	opts.Now = j.reviewer.opts.Now()
	var err error
	if opts.Baseline, err = policies.BaselineIn(ctx, j.base, j.baseName, was); err != nil {
		return policies.Result{}, err
	}
	return policies.Evaluate(ctx, j.head, was, opts)
}

// allowing are the fields of a Gate that let something be: what is new there holds
// less. Every other field holds something.
func allowing() []string { return []string{"perCluster", "waivers", "freshFor"} }

// words are the fields that only people read.
func words() []string { return []string{"reason", "message"} }

// identities are the fields by which entries of a Gate's lists are known.
func identities() []string {
	return []string{"name", "path", "use", "rule", "what", "schema", "application", "kind"}
}

// lostOf are the entries of a Gate that another one does not have as they were,
// those by which that one allows more, and what else of it is another.
func lostOf(was, is *gate.Gate) (lost []string, err error) {
	before, err := fields(was)
	if err != nil {
		return nil, err
	}
	after, err := fields(is)
	if err != nil {
		return nil, err
	}
	return lostIn("", before, after), nil
}

// fields are a Gate's spec as JSON has it: a field that comes later is looked at
// without being named here.
func fields(g *gate.Gate) (map[string]any, error) {
	text, err := json.Marshal(g.Spec)
	if err != nil {
		return nil, fmt.Errorf("compare gates: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("compare gates: %w", err)
	}
	forget(out)
	return out, nil
}

// forget leaves out what only people read.
func forget(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, w := range words() {
			delete(v, w)
		}
		for _, one := range v {
			forget(one)
		}
	case []any:
		for _, one := range v {
			forget(one)
		}
	}
}

func lostIn(path string, before, after map[string]any) (lost []string) {
	keys := map[string]bool{}
	for _, m := range []map[string]any{before, after} {
		for key := range m {
			keys[key] = true
		}
	}
	for _, key := range sorted(keys) {
		at := strings.TrimPrefix(path+"."+key, ".")
		a, b := before[key], after[key]
		switch {
		case same(a, b):
		case isList(a) || isList(b):
			lost = append(lost, lostOfList(at, slices.Contains(allowing(), key), a, b)...)
		case isMap(a) && isMap(b):
			lost = append(lost, lostIn(at, a.(map[string]any), b.(map[string]any))...)
		case a == nil && !slices.Contains(allowing(), key): // it holds more than before
		case a == nil:
			lost = append(lost, at+" is new")
		case b == nil:
			lost = append(lost, at+" is taken out")
		default:
			lost = append(lost, at+" is changed")
		}
	}
	return lost
}

func lostOfList(at string, allows bool, a, b any) (lost []string) {
	before, after, verb := items(a), items(b), "is taken out"
	if allows {
		before, after, verb = after, before, "is new"
	}
	for _, one := range before {
		if slices.ContainsFunc(after, func(o any) bool { return same(one, o) }) {
			continue
		}
		id := identity(one)
		what := verb
		if slices.ContainsFunc(after, func(o any) bool { return identity(o) == id }) {
			what = "is changed"
		}
		lost = append(lost, fmt.Sprintf("%s %q %s", at, id, what))
	}
	return lost
}

// identity is by what an entry is known, for people and to tell a change from a
// removal.
func identity(one any) string {
	m, ok := one.(map[string]any)
	if !ok {
		return fmt.Sprint(one)
	}
	for _, key := range identities() {
		if s, ok := m[key].(string); ok {
			return s
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "?"
	}
	const most = 80
	return fmt.Sprintf("%.*s", most, text)
}

func sorted(set map[string]bool) []string {
	var out []string
	for key := range set {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func items(v any) []any { list, _ := v.([]any); return list }
func isList(v any) bool { _, ok := v.([]any); return ok }
func isMap(v any) bool  { _, ok := v.(map[string]any); return ok }
