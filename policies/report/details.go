package report

import (
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// Bounds of what is shown of one finding outside JSON, which has everything.
const (
	maxHoldings = 8    // groups of clusters
	maxValue    = 200  // columns of a value
	maxText     = 2000 // columns of a message or a fix
	maxLines    = 12   // lines of a problem
)

// subject is what a finding is about: its rule and key path.
func subject(f finding.Finding) string {
	if f.Path == "" {
		return f.Rule
	}
	return f.Rule + " " + f.Path
}

// gateName is the Gate's name, or its file where the name is not known.
func gateName(g Gate) string {
	if g.Name != "" {
		return g.Name
	}
	return g.File
}

// Details are a finding in clean lines: message, what each group of clusters
// holds and where, and the fix.
func Details(f finding.Finding) []string {
	lines := []string{shorten(clean(f.Message), maxText)}
	shown, left := groups(f)
	for _, g := range shown {
		line := fmt.Sprintf("%s: %s", list(g.clusters, maxValue), shorten(g.value, maxValue))
		if g.where != "" {
			line += " at " + g.where
		}
		if g.odd {
			line += " (odd one out)"
		}
		lines = append(lines, line)
	}
	if len(left) > 0 {
		lines = append(lines, rest(left))
	}
	if f.Fix != "" {
		lines = append(lines, "fix: "+shorten(clean(f.Fix), maxText))
	}
	return lines
}

// problemLines are a problem in clean lines, its place before the first.
func problemLines(p Problem) []string {
	lines := cleanLines(p.Message, maxLines)
	place := clean(p.Position.String())
	switch {
	case place == "":
	case len(lines) == 0:
		lines = []string{place}
	default:
		lines[0] = place + ": " + lines[0]
	}
	return lines
}

// aside is what a Gate has to say beside its findings: what is waived, and what
// could not be asked, in one line each reason.
func aside(g Gate) []string {
	var lines []string
	for _, w := range g.Waived {
		lines = append(lines, fmt.Sprintf("waived until %s (%s): %s: %s", clean(w.Until), shorten(clean(w.Reason), maxValue),
			clean(subject(w.Finding)), shorten(clean(w.Finding.Message), maxValue)))
	}
	var reasons []string
	rules := map[string][]string{}
	for _, s := range g.Skipped {
		reason := s.Reason
		if len(s.Clusters) > 0 && len(s.Clusters) < g.Clusters {
			reason += ", in " + list(s.Clusters, maxValue)
		}
		if rules[reason] == nil {
			reasons = append(reasons, reason)
		}
		rules[reason] = append(rules[reason], clean(s.Rule))
	}
	for _, reason := range reasons {
		lines = append(lines, fmt.Sprintf("not asked: %s (%s)", shorten(strings.Join(rules[reason], ", "), maxText), shorten(clean(reason), maxText)))
	}
	return lines
}

// rest says how many holdings are not shown.
func rest(holdings []finding.Holding) string {
	clusters := 0
	for _, h := range holdings {
		clusters += len(h.Places)
	}
	return fmt.Sprintf("and %s in %s: -o json has them all",
		count(len(holdings), "more value"), count(clusters, "more cluster"))
}

// summary is a Report in one line.
func summary(r Report) string {
	holding, clusters, broken := 0, 0, len(r.Problems)
	for _, g := range r.Gates {
		clusters += g.Clusters
		broken += len(g.Problems)
		if g.Verdict() == Holds {
			holding++
		}
	}
	parts := []string{fmt.Sprintf("%d of %s", holding, verb(len(r.Gates), "gate", "holds", "hold"))}
	if len(r.Gates) == 0 {
		parts[0] = "no gate was looked at"
	}
	if n := r.Findings(); n > 0 {
		parts = append(parts, count(n, "finding"))
	}
	if broken > 0 {
		parts = append(parts, count(broken, "problem"))
	}
	if clusters > 0 {
		parts = append(parts, count(clusters, "cluster"))
	}
	if r.Elapsed > 0 {
		parts = append(parts, fmt.Sprintf("%.2fs", r.Elapsed.Seconds()))
	}
	return strings.Join(parts, ", ")
}

func verb(n int, thing, one, many string) string {
	if n == 1 {
		return count(n, thing) + " " + one
	}
	return count(n, thing) + " " + many
}
