package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/provenance"
)

// writeChains writes an Explanation for a person.
func writeChains(w io.Writer, e Explanation) error {
	columns := e.Style.Width
	if columns == 0 {
		columns = maxColumns
	}
	t := table{w: new(strings.Builder), columns: min(max(columns, minColumns), maxColumns), color: e.Style.Color}
	t.problems("", e.Problems)
	for _, g := range e.Gates {
		t.explained(g, e.Key)
	}
	_, err := io.WriteString(w, t.w.String())
	return err
}

func (t table) explained(g ExplainedGate, key string) {
	name := g.Name
	if name == "" {
		name = g.File
	}
	t.paint(bold, shorten(clean(name), t.columns/2))
	t.line("  " + count(g.Clusters, "cluster"))
	t.problems("  ", g.Problems)
	for _, p := range g.Paths {
		t.chains(p)
	}
	if g.More > 0 {
		t.text(2, fmt.Sprintf("limit paths=%d hit: at least %s named too; write a narrower key path", len(g.Paths), count(g.More, "more key path")))
	}
	if len(g.Problems) == 0 && !g.Found() {
		t.notFound(g, key)
	}
	t.line("")
}

func (t table) notFound(g ExplainedGate, key string) {
	text := "no cluster holds a value at " + shorten(clean(key), maxValue)
	if len(g.Nearest) > 0 {
		near := make([]string, len(g.Nearest))
		for i, p := range g.Nearest {
			near[i] = shorten(clean(p), maxValue)
		}
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	} else {
		text += `; "**" and "*" stand for what is not known of a key path, "**.name"`
	}
	t.text(2, text)
}

// chains writes one key path.
func (t table) chains(p provenance.PathChains) {
	t.line("")
	for _, line := range wrap(clean(p.Path), t.columns-2) {
		t.w.WriteString("  ")
		t.paint(bold, line)
		t.line("")
	}
	for i, c := range p.Chains {
		if i == maxHoldings {
			clusters := 0
			for _, c := range p.Chains[i:] {
				clusters += len(c.Clusters)
			}
			t.text(4, fmt.Sprintf("and %s of %s: -o json has them all", count(len(p.Chains)-i, "more chain"), count(clusters, "more cluster")))
			break
		}
		t.chain(c)
	}
	if len(p.Unset) > 0 {
		t.line("    " + list(cleanAll(p.Unset), (t.columns-4)/2) + ": not set in any layer")
	}
}

func cleanAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = clean(n)
	}
	return out
}

// chain writes what some clusters hold, and below it the layers, the weakest
// first: what it is, what it says, what became of it, and where it stands.
func (t table) chain(c provenance.Chain) {
	held := finding.Holding{Value: c.Value, Missing: c.Missing}
	who := list(cleanAll(c.Clusters), (t.columns-4)/2)
	t.line("    " + who + ": " + shorten(heldOr(held), t.columns-6-cells(who)))
	const indent, most = 6, 32
	names, says := make([]string, len(c.Steps)), make([]string, len(c.Steps))
	var w1, w2 int
	for i, s := range c.Steps {
		names[i] = s.Layer
		says[i] = shorten(clean(s.Value), most)
		if s.Above != "" {
			says[i] = shorten(clean(s.Above)+": "+clean(s.Value), most)
		}
		w1, w2 = max(w1, cells(names[i])), max(w2, cells(says[i]))
	}
	const outcome = 10
	for i, s := range c.Steps {
		line := strings.Repeat(" ", indent) + pad(names[i], w1) + "  " + pad(says[i], w2) + "  "
		t.w.WriteString(line)
		t.paint(outcomeColor(s.Outcome), string(s.Outcome))
		at := where(finding.Holding{Places: s.Places})
		gap := pad("", outcome+2-len(s.Outcome))
		if cells(at) > t.columns-cells(line)-outcome-2 {
			t.line("")
			gap = strings.Repeat(" ", indent+2)
			at = shortenFront(at, t.columns-indent-2)
		}
		t.line(gap + at)
	}
}

// heldOr is what a holding holds, clean.
func heldOr(h finding.Holding) string {
	if h.Missing {
		return "not set"
	}
	return clean(h.Value)
}

func outcomeColor(o provenance.Outcome) string {
	switch o {
	case provenance.Won, provenance.Merged:
		return green
	case provenance.Removes:
		return red
	case provenance.Overridden:
	}
	return faint
}
