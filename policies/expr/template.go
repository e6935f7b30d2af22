package expr

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Template is a string with "${ CEL }" in it, compiled.
type Template struct {
	parts []part
}

// part is text, or an expression that gives text.
type part struct {
	text    string
	program *Program
}

// HasExpressions reports whether s holds a "${".
func HasExpressions(s string) bool { return strings.Contains(s, "${") }

// CompileTemplate compiles every "${ CEL }" of s. "$${" stands for a literal
// "${". Errors in an expression wrap *CompileError.
func (e *Env) CompileTemplate(s string) (*Template, error) {
	t := &Template{}
	for s != "" {
		at := strings.Index(s, "${")
		if at < 0 {
			t.parts = append(t.parts, part{text: s})
			break
		}
		if at > 0 && s[at-1] == '$' {
			t.parts = append(t.parts, part{text: s[:at-1] + "${"})
			s = s[at+2:]
			continue
		}
		t.parts = append(t.parts, part{text: s[:at]})
		src, rest, ok := cutExpression(s[at+2:])
		if !ok {
			return nil, fmt.Errorf(`read "${…}": expected a "}" that closes it`)
		}
		p, err := e.Compile(src)
		if err != nil {
			return nil, fmt.Errorf("compile ${%s}: %w", shorten(src), err)
		}
		t.parts = append(t.parts, part{program: p})
		s = rest
	}
	return t, nil
}

// Fill gives the text with every expression's value in its place. A value that
// is null, a list or a map is an error: it would say nothing as text.
func (t *Template) Fill(ctx context.Context, in map[string]any) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.program.Eval(ctx, in)
		if err != nil {
			return "", fmt.Errorf("fill in ${%s}: %w", shorten(p.program.src), err)
		}
		s, err := scalarText(v)
		if err != nil {
			return "", fmt.Errorf("fill in ${%s}: %w", shorten(p.program.src), err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// Interpolate fills every "${ CEL }" of s with the value of its expression,
// whose variables are the keys of in. "$${" stands for a literal "${".
func Interpolate(ctx context.Context, s string, in map[string]any) (string, error) {
	if !HasExpressions(s) {
		return s, nil
	}
	vars := make([]string, 0, len(in))
	for name := range in {
		vars = append(vars, name)
	}
	sort.Strings(vars)
	e, err := NewEnv(vars...)
	if err != nil {
		return "", err
	}
	t, err := e.CompileTemplate(s)
	if err != nil {
		return "", err
	}
	return t.Fill(ctx, in)
}

// cutExpression parts what follows "${" at the "}" that closes it, minding
// braces and strings of the expression.
func cutExpression(s string) (src, rest string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return s[:i], s[i+1:], true
			}
			depth--
		case '"', '\'':
			end := stringEnd(s, i)
			if end < 0 {
				return "", "", false
			}
			i = end
		}
	}
	return "", "", false
}

// stringEnd is the index of the last quote of the CEL string that begins at
// index i, -1 when it does not end.
func stringEnd(s string, i int) int {
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = s[i : i+3]
	}
	for j := i + len(quote); j < len(s); j++ {
		switch {
		case s[j] == '\\' && !raw:
			j++
		case strings.HasPrefix(s[j:], quote):
			return j + len(quote) - 1
		}
	}
	return -1
}

func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case nil:
		return "", fmt.Errorf("expected text, found null")
	default:
		return "", fmt.Errorf("expected text, a number or a boolean, found %T", v)
	}
}

func shorten(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
