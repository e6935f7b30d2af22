package checks

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// What one answer holds at most.
const (
	maxReason   = 800 // bytes
	maxFact     = 1500
	maxEvidence = 12 // items
	maxNamed    = 5  // objects named in a reason
)

// answer builds an Answer within the limits. The reason is one line: object,
// expected, found, what to do.
func answer(status hooks.Status, evidence []hooks.Evidence, format string, args ...any) check.Answer {
	return check.Answer{Status: status, Reason: line(fmt.Sprintf(format, args...), maxReason), Evidence: bounded(evidence)}
}

func bounded(evidence []hooks.Evidence) []hooks.Evidence {
	if len(evidence) > maxEvidence {
		more := len(evidence) - maxEvidence + 1
		evidence = append(evidence[:maxEvidence-1:maxEvidence-1], hooks.Evidence{
			Object: "more", Fact: fmt.Sprintf("%d more objects are not shown", more),
		})
	}
	for i := range evidence {
		evidence[i].Fact = cut(evidence[i].Fact, maxFact)
	}
	return evidence
}

// line puts s on one line of at most limit bytes.
func line(s string, limit int) string {
	return cut(strings.Join(strings.Fields(s), " "), limit)
}

// cut shortens s to limit bytes without breaking a character.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// list names at most maxNamed of names, sorted, and counts the rest.
func list(names []string) string {
	names = append([]string(nil), names...)
	sort.Strings(names)
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

// ago writes how long something has lasted.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return d.Truncate(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// names are the variables that every "${…}" and every expression has.
func names(more ...string) []string {
	return append(gate.TemplateVariables(), more...)
}

// vars are the values of names.
func vars(t check.Target) map[string]any {
	values := t.Values
	if values == nil {
		values = map[string]any{}
	}
	return map[string]any{
		"values": values, "cluster": t.Change.Cluster, "ns": t.Namespace,
		"revision": t.Change.Revision, "gate": t.Change.Gate,
	}
}

// fill fills in the "${…}" of a field.
func fill(ctx context.Context, t check.Target, field, s string) (string, error) {
	if !expr.HasExpressions(s) {
		return s, nil
	}
	out, err := expr.Interpolate(ctx, s, vars(t))
	if err != nil {
		return "", fmt.Errorf("fill in %s: %w", field, err)
	}
	return out, nil
}

// texts looks at the "${…}" of fields, given as name and text in turn, so that
// a mistake is told before anything is asked.
func texts(fields ...string) error {
	for i := 0; i+1 < len(fields); i += 2 {
		if !expr.HasExpressions(fields[i+1]) {
			continue
		}
		env, err := expr.NewEnv(names()...)
		if err != nil {
			return fmt.Errorf("%s: %w", fields[i], err)
		}
		if _, err := env.CompileTemplate(fields[i+1]); err != nil {
			return fmt.Errorf("%s: %w", fields[i], err)
		}
	}
	return nil
}

// inNamespace is the namespace of a check: its own, or else the Gate's.
func inNamespace(ctx context.Context, t check.Target, field string) (string, error) {
	ns, err := fill(ctx, t, "namespace", field)
	if err != nil {
		return "", err
	}
	if ns == "" {
		ns = t.Namespace
	}
	if ns == "" {
		return "", fmt.Errorf("find namespace: neither the check nor the Gate's cluster %s nor spec.namespace names one: set one of them", t.Change.Cluster)
	}
	return ns, nil
}
