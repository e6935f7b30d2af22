package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/provenance"
)

// Matrix is where the clusters of some Gates differ.
type Matrix struct {
	// Gates are the Gates that were looked at, in the order of their files.
	Gates []MatrixGate
	// Problems are what kept Gates from being found at all.
	Problems []Problem
	// Version of the program.
	Version string
	// Style is how the table looks.
	Style Style
}

// MatrixGate is where the clusters of one Gate differ.
type MatrixGate struct {
	Name, File string
	provenance.Matrix
	// Problems are why it could not be told.
	Problems []Problem
}

// Verdict is what m comes to: Finds when clusters differ where they may not.
func (m Matrix) Verdict() Verdict {
	if len(m.Problems) > 0 || len(m.Gates) == 0 {
		return Unknown
	}
	verdict := Holds
	for _, g := range m.Gates {
		switch {
		case len(g.Problems) > 0:
			return Unknown
		case g.broken() > 0:
			verdict = Finds
		}
	}
	return verdict
}

// broken is at how many paths a rule does not hold.
func (g MatrixGate) broken() int {
	n := 0
	for _, r := range g.Rows {
		if len(r.Broken) > 0 {
			n++
		}
	}
	return n
}

// title says what there is, in a few words.
func (g MatrixGate) title() string {
	s := count(len(g.Clusters), "cluster")
	switch broken := g.broken(); {
	case len(g.Problems) > 0:
		return s + ", could not tell"
	case len(g.Rows) == 0:
		return s + ", no difference"
	case broken == 0:
		s += fmt.Sprintf(", %s, all allowed", count(len(g.Rows), "difference"))
	default:
		s += fmt.Sprintf(", %s, %d not allowed", count(len(g.Rows), "difference"), broken)
	}
	if g.More > 0 {
		s += fmt.Sprintf(", and at least %d more", g.More)
	}
	return s
}

// note says of a row whether its clusters may differ, and why.
func note(r provenance.MatrixRow) string {
	switch {
	case len(r.Broken) > 0:
		return "does not hold: " + strings.Join(r.Broken, ", ")
	case r.Reason != "":
		return r.Allowed + " (" + r.Reason + ")"
	default:
		return r.Allowed
	}
}

// cell is what one cluster holds at a row's path.
type cell struct {
	value string
	// rank is the number of the chain, the largest group's first; -1 when
	// nothing is set.
	rank int
}

const notSet = "–"

// cellsOf are the cells of a row by cluster.
func cellsOf(r provenance.MatrixRow) map[string]cell {
	out := map[string]cell{}
	for i, c := range r.Chains {
		value := clean(c.Value)
		if c.Missing {
			value = notSet
		}
		for _, name := range c.Clusters {
			out[name] = cell{value, i}
		}
	}
	for _, name := range r.Unset {
		out[name] = cell{notSet, -1}
	}
	return out
}

// held are the values of a row, each with its clusters, the most common first.
type heldBy struct {
	value    string
	clusters []string
}

func valuesOf(r provenance.MatrixRow) []heldBy {
	var all []heldBy
	at := map[string]int{}
	add := func(value string, clusters []string) {
		i, ok := at[value]
		if !ok {
			i = len(all)
			at[value] = i
			all = append(all, heldBy{value: value})
		}
		all[i].clusters = append(all[i].clusters, clusters...)
	}
	for _, c := range r.Chains {
		value := clean(c.Value)
		if c.Missing {
			value = notSet
		}
		add(value, cleanAll(c.Clusters))
	}
	if len(r.Unset) > 0 {
		add(notSet, cleanAll(r.Unset))
	}
	slices.SortStableFunc(all, func(a, b heldBy) int { return len(b.clusters) - len(a.clusters) })
	return all
}

// MatrixFormats are the formats that WriteMatrix knows.
func MatrixFormats() []string { return []string{"table", "json", "markdown", "html"} }

// WriteMatrix writes m in the format of that name.
func WriteMatrix(w io.Writer, name string, m Matrix) error {
	var err error
	switch name {
	case "table":
		err = writeMatrixTable(w, m)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(matrixDocument(m))
	case "markdown":
		_, err = io.WriteString(w, MatrixMarkdown(m, MaxMarkdown))
	case "html":
		err = writeMatrixHTML(w, m)
	default:
		return fmt.Errorf("write matrix: unknown format %q, expected one of %s", name, strings.Join(MatrixFormats(), ", "))
	}
	if err != nil {
		return fmt.Errorf("write matrix as %s: %w", name, err)
	}
	return nil
}

// MatrixDocument is a Matrix as JSON. Within one apiVersion fields are added,
// never renamed, removed or given another meaning.
type MatrixDocument struct {
	APIVersion string               `json:"apiVersion"`
	Kind       string               `json:"kind"`
	Version    string               `json:"version,omitempty"`
	Verdict    Verdict              `json:"verdict"`
	Gates      []MatrixDocumentGate `json:"gates"`
	Problems   []DocumentProblem    `json:"problems,omitempty"`
}

// MatrixDocumentGate is one Gate of a MatrixDocument.
type MatrixDocumentGate struct {
	Name string `json:"name"`
	File string `json:"file"`
	provenance.Matrix
	Problems []DocumentProblem `json:"problems,omitempty"`
}

func matrixDocument(m Matrix) MatrixDocument {
	d := MatrixDocument{
		APIVersion: jsonAPIVersion, Kind: "Matrix", Version: m.Version, Verdict: m.Verdict(),
		Gates: make([]MatrixDocumentGate, 0, len(m.Gates)), Problems: problems(m.Problems),
	}
	for _, g := range m.Gates {
		g.Clusters, g.Rows = orEmpty(g.Clusters), orEmpty(g.Rows)
		d.Gates = append(d.Gates, MatrixDocumentGate{Name: g.Name, File: g.File, Matrix: g.Matrix, Problems: problems(g.Problems)})
	}
	return d
}
