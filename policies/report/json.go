package report

import (
	"encoding/json"
	"io"

	"github.com/syncgate/syncgate/policies/finding"
)

// What a report in JSON says of itself.
const (
	jsonAPIVersion = "syncgate.dev/v1alpha1"
	jsonKind       = "Report"
)

// Document is a Report as JSON. It is stable: within one apiVersion fields are
// added, never renamed, removed or given another meaning.
type Document struct {
	APIVersion string `json:"apiVersion" jsonschema:"required,enum=syncgate.dev/v1alpha1"`
	Kind       string `json:"kind" jsonschema:"required,enum=Report"`
	// Version of the program that wrote the report.
	Version string `json:"version,omitempty"`
	// Verdict is "holds" when every rule of every Gate holds, "findings" when
	// one does not, and "unknown" when something could not be told; then there
	// may be findings too.
	Verdict Verdict `json:"verdict" jsonschema:"required,enum=holds,enum=findings,enum=unknown"`
	// ElapsedMilliseconds is how long it took.
	ElapsedMilliseconds int64 `json:"elapsedMilliseconds" jsonschema:"required"`
	// Summary counts what is below.
	Summary Summary `json:"summary" jsonschema:"required"`
	// Gates are in the order of their files.
	Gates []DocumentGate `json:"gates" jsonschema:"required"`
	// Problems are what kept Gates from being found at all.
	Problems []DocumentProblem `json:"problems,omitempty"`
}

// Summary counts what a report holds.
type Summary struct {
	Gates    int `json:"gates" jsonschema:"required"`
	Clusters int `json:"clusters" jsonschema:"required"`
	Findings int `json:"findings" jsonschema:"required"`
	Problems int `json:"problems" jsonschema:"required"`
}

// DocumentGate is what was found out about one Gate.
type DocumentGate struct {
	// Name is empty when the Gate's file could not be read.
	Name string `json:"name" jsonschema:"required"`
	// File is the path of the Gate file from the repository's root.
	File    string  `json:"file" jsonschema:"required"`
	Verdict Verdict `json:"verdict" jsonschema:"required,enum=holds,enum=findings,enum=unknown"`
	// Clusters is the number of the Gate's clusters.
	Clusters int `json:"clusters" jsonschema:"required"`
	// Rules are the identities of the rules that were evaluated.
	Rules []string `json:"rules" jsonschema:"required"`
	// Findings say where the rules do not hold.
	Findings []finding.Finding `json:"findings" jsonschema:"required"`
	// Waived are findings that the Gate lets be until a day.
	Waived []finding.Waived `json:"waived,omitempty"`
	// Skipped are rules that could not be asked, and why.
	Skipped []finding.Skipped `json:"skipped,omitempty"`
	// Problems are why it could not be told whether the Gate holds.
	Problems []DocumentProblem `json:"problems,omitempty"`
}

// DocumentProblem is one reason why something could not be told.
type DocumentProblem struct {
	Message string `json:"message" jsonschema:"required"`
	// Position is absent when the message names the place itself.
	Position finding.Position `json:"position,omitzero"`
}

func writeJSON(w io.Writer, r Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document(r))
}

func document(r Report) Document {
	d := Document{
		APIVersion: jsonAPIVersion, Kind: jsonKind,
		Version: r.Version, Verdict: r.Verdict(),
		ElapsedMilliseconds: r.Elapsed.Milliseconds(),
		Gates:               make([]DocumentGate, 0, len(r.Gates)),
		Problems:            problems(r.Problems),
	}
	d.Summary = Summary{Gates: len(r.Gates), Findings: r.Findings(), Problems: len(r.Problems)}
	for _, g := range r.Gates {
		d.Summary.Clusters += g.Clusters
		d.Summary.Problems += len(g.Problems)
		d.Gates = append(d.Gates, DocumentGate{
			Name: g.Name, File: g.File, Verdict: g.Verdict(), Clusters: g.Clusters,
			Rules: orEmpty(g.Rules), Findings: orEmpty(g.Findings), Problems: problems(g.Problems),
			Waived: g.Waived, Skipped: g.Skipped,
		})
	}
	return d
}

func problems(in []Problem) []DocumentProblem {
	out := make([]DocumentProblem, len(in))
	for i, p := range in {
		out[i] = DocumentProblem{Message: p.Message, Position: p.Position}
	}
	return out
}

// orEmpty makes a nil slice an empty one: [] in JSON, not null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
