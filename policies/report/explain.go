package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/provenance"
)

// Explanation says where the values at some key paths come from.
type Explanation struct {
	// Key is the key path that was asked for, as it was written.
	Key string
	// Gates are the Gates that were looked at, in the order of their files.
	Gates []ExplainedGate
	// Problems are what kept Gates from being found at all.
	Problems []Problem
	// Version of the program.
	Version string
	// Style is how the table looks.
	Style Style
}

// ExplainedGate is what one Gate's values have at the key paths.
type ExplainedGate struct {
	Name, File string
	Clusters   int
	provenance.Explanation
	// Problems are why it could not be told.
	Problems []Problem
}

// Answer is what an Explanation comes to.
type Answer string

// The answers.
const (
	Found  Answer = "found"   // a cluster holds a value there
	Unset  Answer = "unset"   // none does, and everything could be told
	Untold Answer = "unknown" // something could not be told
)

// Answer is what e comes to. Without a Gate, or with a problem, it is Untold.
func (e Explanation) Answer() Answer {
	if len(e.Problems) > 0 || len(e.Gates) == 0 {
		return Untold
	}
	answer := Unset
	for _, g := range e.Gates {
		switch {
		case len(g.Problems) > 0:
			return Untold
		case g.Found():
			answer = Found
		}
	}
	return answer
}

// ExplanationFormats are the formats that WriteExplanation knows.
func ExplanationFormats() []string { return []string{"table", "json"} }

// WriteExplanation writes e in the format of that name.
func WriteExplanation(w io.Writer, name string, e Explanation) error {
	var err error
	switch name {
	case "table":
		err = writeChains(w, e)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(explained(e))
	default:
		return fmt.Errorf("write explanation: unknown format %q, expected one of %s", name, strings.Join(ExplanationFormats(), ", "))
	}
	if err != nil {
		return fmt.Errorf("write explanation as %s: %w", name, err)
	}
	return nil
}

// ExplanationDocument is an Explanation as JSON. Within one apiVersion fields
// are added, never renamed, removed or given another meaning.
type ExplanationDocument struct {
	APIVersion string                    `json:"apiVersion"`
	Kind       string                    `json:"kind"`
	Version    string                    `json:"version,omitempty"`
	Key        string                    `json:"key"`
	Answer     Answer                    `json:"answer"`
	Gates      []ExplanationDocumentGate `json:"gates"`
	Problems   []DocumentProblem         `json:"problems,omitempty"`
}

// ExplanationDocumentGate is one Gate of an ExplanationDocument.
type ExplanationDocumentGate struct {
	Name     string                  `json:"name"`
	File     string                  `json:"file"`
	Clusters int                     `json:"clusters"`
	Paths    []provenance.PathChains `json:"paths"`
	// More is how many key paths there are at least beside Paths.
	More int `json:"more,omitempty"`
	// Nearest are key paths that may have been meant, when nothing was found.
	Nearest  []string          `json:"nearest,omitempty"`
	Problems []DocumentProblem `json:"problems,omitempty"`
}

func explained(e Explanation) ExplanationDocument {
	d := ExplanationDocument{
		APIVersion: jsonAPIVersion, Kind: "Explanation", Version: e.Version, Key: e.Key, Answer: e.Answer(),
		Gates: make([]ExplanationDocumentGate, 0, len(e.Gates)), Problems: problems(e.Problems),
	}
	for _, g := range e.Gates {
		d.Gates = append(d.Gates, ExplanationDocumentGate{
			Name: g.Name, File: g.File, Clusters: g.Clusters,
			Paths: orEmpty(g.Paths), More: g.More, Nearest: g.Nearest, Problems: problems(g.Problems),
		})
	}
	return d
}
