package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/finding"
)

// maxSecrets is how many different secret-like values are looked for in what
// rules say; with more, nothing a rule says of values is shown.
const maxSecrets = 100_000

// maxText is how many characters of a rule's own text are shown.
const maxText = 500

// evaluate asks every CEL rule.
func (f *Fleet) evaluate(ctx context.Context, out *collector) error {
	if len(f.opts.Rules) == 0 {
		return nil
	}
	env, err := expr.NewEnv("clusters")
	if err != nil {
		return fmt.Errorf("evaluate rules: %w", err)
	}
	clusters := make(map[string]any, len(f.trees))
	for i, tree := range f.trees {
		clusters[f.opts.Clusters[i]] = tree.NativeMap()
	}
	hide := f.newRedactor()
	for _, r := range f.opts.Rules {
		p, err := env.Compile(r.Expr)
		if err != nil {
			return fmt.Errorf("evaluate rule %s: %w", r.ID, err)
		}
		answer, err := p.Eval(ctx, map[string]any{"clusters": clusters})
		if err != nil {
			return fmt.Errorf("evaluate rule %s of %s: %w", r.ID, f.opts.GateFile, err)
		}
		texts, err := complaints(answer)
		if err != nil {
			return fmt.Errorf("evaluate rule %s of %s: %w", r.ID, f.opts.GateFile, err)
		}
		for _, text := range texts {
			out.add(r.finding(hide.redact(text)))
		}
	}
	return nil
}

// finding is one complaint of the rule; "" when it gave none but false.
func (r Rule) finding(text string) finding.Finding {
	message := text
	if message == "" {
		message = "expected rule " + r.ID + " to hold, found that it does not"
	}
	fix := r.Message
	if fix == "" {
		fix = "change the values so that this holds: " + strings.Join(strings.Fields(r.Expr), " ")
	}
	return finding.Finding{Rule: r.ID, Message: message, Fix: fix}
}

// complaints are what a rule's answer has to say: nothing for true, an empty
// text or an empty list. A rule that is merely false says the empty text.
func complaints(answer any) ([]string, error) {
	wrong := fmt.Errorf("expected true, false, a text or a list of texts, found %s", wordFor(answer))
	switch a := answer.(type) {
	case bool:
		if a {
			return nil, nil
		}
		return []string{""}, nil
	case string:
		if a == "" {
			return nil, nil
		}
		return []string{a}, nil
	case []any:
		var texts []string
		for _, item := range a {
			s, ok := item.(string)
			if !ok {
				return nil, wrong
			}
			if s != "" {
				texts = append(texts, s)
			}
		}
		slices.Sort(texts)
		return slices.Compact(texts), nil
	default:
		return nil, wrong
	}
}

func wordFor(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "a map"
	case []any:
		return "a list of something else"
	default:
		return fmt.Sprintf("a value of type %T", v)
	}
}

// redactor takes secret-like values out of a text.
type redactor struct {
	secrets []string // the longest first
	tooMany bool
}

func (f *Fleet) newRedactor() redactor {
	all := map[string]bool{}
	for _, w := range f.workers {
		for s := range w.secrets {
			all[s] = true
		}
	}
	r := redactor{tooMany: len(all) > maxSecrets}
	for s := range all {
		r.secrets = append(r.secrets, s)
	}
	slices.SortFunc(r.secrets, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return r
}

// redact is the text on one line, bounded, without secrets.
func (r redactor) redact(text string) string {
	if r.tooMany && text != "" {
		return redacted
	}
	for _, s := range r.secrets {
		if len(s) <= len(text) && strings.Contains(text, s) {
			text = replaceWord(text, s)
		}
	}
	if isCredential(text) {
		text = credentials.ReplaceAllString(text, redacted)
	}
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText]) + "…"
	}
	return text
}

// replaceWord replaces s; a short one only where it is a word of its own, or
// every "1" would go.
func replaceWord(text, s string) string {
	const short = 4
	if len(s) >= short {
		return strings.ReplaceAll(text, s, redacted)
	}
	var b strings.Builder
	done := 0
	for {
		i := strings.Index(text[done:], s)
		if i < 0 {
			return b.String() + text[done:]
		}
		at, end := done+i, done+i+len(s)
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[end:])
		b.WriteString(text[done:at])
		if isWordRune(before) || isWordRune(after) {
			b.WriteString(s)
		} else {
			b.WriteString(redacted)
		}
		done = end
	}
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
