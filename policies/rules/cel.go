package rules

import (
	"context"
	"fmt"
	"maps"
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
func (f *Fleet) evaluate(ctx context.Context, before []Before, out *collector) ([]finding.Skipped, error) {
	if len(f.opts.Rules) == 0 {
		return nil, nil
	}
	e := evaluation{f: f, before: before, out: out, hide: f.newRedactor(before), index: make(map[string]int, len(f.packed))}
	for i, name := range f.opts.Clusters {
		e.index[name] = i
	}
	e.clusters = expr.Lazy(f.opts.Clusters, e.values)
	e.unknown = slices.ContainsFunc(f.workers, func(w *Worker) bool { return w.packer.unknown })
	for _, r := range f.opts.Rules {
		var err error
		if r.Program.Uses("old") || r.Program.Uses("new") || r.Program.Uses("cluster") {
			err = e.each(ctx, r)
		} else {
			err = e.once(ctx, r)
		}
		if err != nil {
			return nil, fmt.Errorf("evaluate rule %s of %s: %w", r.ID, f.opts.GateFile, err)
		}
	}
	return e.skipped, nil
}

// evaluation is one time of asking the CEL rules.
type evaluation struct {
	f        *Fleet
	before   []Before
	out      *collector
	hide     redactor
	clusters any
	index    map[string]int // of the clusters
	recent   [recentClusters]recentCluster
	next     int // place in recent
	skipped  []finding.Skipped
	unknown  bool // some values cannot be read in Git
}

// recentClusters is how many clusters' values are kept as maps: a rule mostly
// looks at one cluster some times, and then at the next.
const recentClusters = 8

type recentCluster struct {
	name   string
	values map[string]any
}

// values are the values of a cluster.
func (e *evaluation) values(cluster string) map[string]any {
	for _, r := range e.recent {
		if r.values != nil && r.name == cluster {
			return r.values
		}
	}
	v := e.f.packed[e.index[cluster]].values()
	e.recent[e.next] = recentCluster{cluster, v}
	e.next = (e.next + 1) % recentClusters
	return v
}

func (e *evaluation) ask(ctx context.Context, r Rule, in map[string]any) ([]string, error) {
	in["clusters"], in["gate"] = e.clusters, e.f.opts.About
	if e.unknown {
		in[expr.HasUnknown] = true
	}
	answer, err := r.Program.Eval(ctx, in)
	if err != nil {
		return nil, err
	}
	return complaints(answer)
}

// once asks a rule about all clusters together.
func (e *evaluation) once(ctx context.Context, r Rule) error {
	texts, err := e.ask(ctx, r, map[string]any{})
	for _, text := range texts {
		e.out.add(r.finding(e.hide.redact(text)))
	}
	return err
}

// each asks a rule about one cluster after the other. Clusters of which it says
// the same are told together.
func (e *evaluation) each(ctx context.Context, r Rule) error {
	said := map[string][]finding.Place{}
	none := map[string][]string{}
	for i, name := range e.f.opts.Clusters {
		in := map[string]any{"cluster": name, "new": e.values(name)}
		if r.Program.Uses("old") {
			was := e.before[i]
			if was.Values == nil {
				none[was.None] = append(none[was.None], name)
				continue
			}
			in["old"] = was.Values.NativeMap()
		}
		texts, err := e.ask(ctx, r, in)
		if err != nil {
			return fmt.Errorf("cluster %s: %w", name, err)
		}
		for _, text := range texts {
			text = e.hide.redact(text)
			said[text] = append(said[text], finding.Place{Cluster: name, Position: finding.Position{File: e.f.opts.Files[i]}})
		}
	}
	for _, text := range slices.Sorted(maps.Keys(said)) {
		found := r.finding(text)
		found.Message += ", in " + names(said[text])
		found.Holdings = []finding.Holding{{Places: said[text]}}
		e.out.add(found)
	}
	for _, reason := range slices.Sorted(maps.Keys(none)) {
		if reason != "" {
			e.skipped = append(e.skipped, finding.Skipped{Rule: r.ID, Reason: reason, Clusters: none[reason]})
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

// newRedactor knows the secret-like values of all clusters, now and before.
func (f *Fleet) newRedactor(before []Before) redactor {
	was := f.newWorker()
	for _, b := range before {
		if b.Values != nil {
			was.buffer = was.buffer[:0]
			was.cluster++
			was.walk(b.Values, 0, false)
		}
	}
	all := map[string]bool{}
	for _, w := range append(slices.Clone(f.workers), was) {
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
