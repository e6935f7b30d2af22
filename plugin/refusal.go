package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
)

// RefusedError says why what is asked for must not be synced as it is.
type RefusedError struct {
	// Summary is one short line: Argo CD's page shows it first.
	Summary string
	// Details are further lines.
	Details []string
	// Remedy is what to do.
	Remedy string
}

// Error is the summary.
func (r *RefusedError) Error() string { return r.Summary }

// HardRefresh ends every message: Argo CD keeps an error that came three times
// for an hour.
const HardRefresh = "Then refresh the Application. If Argo CD goes on showing this message, it is the one it keeps for an hour: a hard refresh asks again at once."

// Explain is an error of this package as text: a short first line that says
// all, then the details and what to do.
func Explain(err error) string {
	var b strings.Builder
	var r *RefusedError
	if errors.As(err, &r) {
		fmt.Fprintf(&b, "syncgate: %s\n", oneLine(r.Summary))
		for _, line := range r.Details {
			fmt.Fprintf(&b, "%s\n", line)
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", r.Remedy, HardRefresh)
		return b.String()
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	fmt.Fprintf(&b, "syncgate: %s\n", first)
	if rest != "" {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(bound(rest), "\n"))
	}
	fmt.Fprintf(&b, "\nNothing is rendered while this could not be told.\n%s\n", HardRefresh)
	return b.String()
}

// bound keeps what others say within what a page can show.
func bound(s string) string {
	const limit = 16 << 10
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + fmt.Sprintf("\n… limit errorBytes=%d hit: %d bytes are left out", limit, len(s)-limit)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// maxShown is how many findings a message tells in full.
const maxShown = 20

// refuseFindings is the refusal of a Gate that does not hold.
func refuseFindings(g *gate.Gate, findings []finding.Finding) error {
	noun := "findings"
	if len(findings) == 1 {
		noun = "finding"
	}
	r := &RefusedError{
		Summary: fmt.Sprintf("%d %s in gate %s: %s", len(findings), noun, g.Metadata.Name, headline(findings[0])),
		Remedy: fmt.Sprintf("Correct the values, or list a path that may differ under perCluster in %s, and push. `syncgate validate` shows the same before you push.",
			g.File),
	}
	for i, f := range findings {
		if i == maxShown {
			r.Details = append(r.Details, fmt.Sprintf("\n… and %d more: run `syncgate validate`.", len(findings)-maxShown))
			break
		}
		r.Details = append(r.Details, "", fmt.Sprintf("%d. %s", i+1, oneLine(title(f))))
		for _, h := range f.Holdings {
			r.Details = append(r.Details, "   "+holding(h))
		}
		if f.Fix != "" {
			r.Details = append(r.Details, "   fix: "+oneLine(f.Fix))
		}
	}
	return r
}

// refuseParameters is the refusal of values that no Application may set.
func refuseParameters(g *gate.Gate, refused []policies.Override) error {
	r := &RefusedError{
		Summary: fmt.Sprintf("%s: gate %s does not let an Application set it", refused[0].Origin, g.Metadata.Name),
		Details: []string{"What an Application sets is seen by neither review, the server's checks nor a revert, so the Gate says which values may be set so, and no secret can be."},
		Remedy: fmt.Sprintf("Remove the parameter and write the value to the cluster's values file; or, if the Application may decide it, add `parameter: true` to its entry under spec.perCluster in %s, and push.",
			g.File),
	}
	for i, o := range refused {
		if i == maxShown {
			r.Details = append(r.Details, fmt.Sprintf("… and %d more.", len(refused)-maxShown))
			break
		}
		r.Details = append(r.Details, o.Origin)
	}
	return r
}

// title is a finding in one line with its rule.
func title(f finding.Finding) string {
	if f.Path == "" || strings.Contains(f.Message, f.Path) {
		return fmt.Sprintf("[%s] %s", f.Rule, f.Message)
	}
	return fmt.Sprintf("[%s] %s: %s", f.Rule, f.Path, f.Message)
}

// holding is one value and where the clusters have it from.
func holding(h finding.Holding) string {
	const shown = 5
	var places []string
	for i, p := range h.Places {
		if i == shown {
			places = append(places, fmt.Sprintf("and %d more", len(h.Places)-shown))
			break
		}
		text := p.Cluster
		if at := position(p.Position); at != "" {
			text += " (" + at + ")"
		}
		places = append(places, text)
	}
	return fmt.Sprintf("%s: %s", held(h), strings.Join(places, ", "))
}

// headline is the finding in a few words: "replicas differs: eu=3 us=2
// (values/us.yaml:4:11)". The place is that of the smallest group, which is
// most often the one to correct.
func headline(f finding.Finding) string {
	if len(f.Holdings) < 2 || f.Path == "" {
		text := oneLine(f.Message)
		if f.Path != "" && !strings.Contains(text, f.Path) {
			text = f.Path + ": " + text
		}
		if len(f.Holdings) > 0 {
			text += place(f.Holdings[0])
		}
		return text
	}
	const shown = 3
	parts := make([]string, 0, shown+1)
	for i, h := range f.Holdings {
		if i == shown {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, clusters(h)+"="+held(h))
	}
	return fmt.Sprintf("%s differs: %s%s", f.Path, strings.Join(parts, " "), place(f.Holdings[len(f.Holdings)-1]))
}

// clusters names a holding's clusters: "eu", "eu,us", "eu+41".
func clusters(h finding.Holding) string {
	switch n := len(h.Places); n {
	case 0:
		return "?"
	case 1:
		return h.Places[0].Cluster
	case 2:
		return h.Places[0].Cluster + "," + h.Places[1].Cluster
	default:
		return fmt.Sprintf("%s+%d", h.Places[0].Cluster, n-1)
	}
}

func held(h finding.Holding) string {
	const limit = 40
	if h.Missing {
		return "(not set)"
	}
	if v := oneLine(h.Value); len(v) > limit {
		return strings.ToValidUTF8(v[:limit], "") + "…"
	}
	return oneLine(h.Value)
}

// place is the first known position of a holding, in parentheses.
func place(h finding.Holding) string {
	for _, p := range h.Places {
		if at := position(p.Position); at != "" {
			return " (" + at + ")"
		}
	}
	return ""
}

func position(p finding.Position) string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}
