package policies

import (
	"fmt"
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/rules"
)

// waive takes out the findings that a waiver of the Gate covers. A waiver that
// is over covers nothing and is a finding itself. One that covers nothing
// because there is nothing is told, so that it does not lie in wait.
func (r *Result) waive(g *gate.Gate, now time.Time) {
	for _, w := range g.Spec.Waivers {
		if !now.IsZero() && w.Expired(now) {
			r.Findings = append(r.Findings, expired(g, w))
			continue
		}
		var left []finding.Finding
		for _, f := range r.Findings {
			if w.Covers(f) {
				r.Waived = append(r.Waived, finding.Waived{Finding: f, Reason: w.Reason, Until: w.Until})
			} else {
				left = append(left, f)
			}
		}
		if len(left) == len(r.Findings) {
			r.Skipped = append(r.Skipped, finding.Skipped{
				Rule:   rules.Waivers,
				Reason: fmt.Sprintf("the waiver of %s at %s covers no finding; remove it if it is no longer needed", subject(w), w.Position),
			})
		}
		r.Findings = left
	}
}

func subject(w gate.Waiver) string { return strings.TrimSpace(w.Rule + " " + w.Path) }

func expired(g *gate.Gate, w gate.Waiver) finding.Finding {
	return finding.Finding{
		Gate: g.Metadata.Name, GateFile: g.File, Rule: rules.Waivers,
		Message: fmt.Sprintf("expected no waiver whose last day is over, found that of %s, which held until %s (%s)", subject(w), w.Until, w.Position),
		Fix:     "correct what it lets be and remove it, or have a new day agreed on",
	}
}
