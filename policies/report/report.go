// Package report writes down what Gates say of their values, for a person, a program
// or a CI system: one file a format. Whether a Gate holds, does not hold or could not
// be told is never mixed up on the way. It evaluates nothing: package survey does.
package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/syncgate/syncgate/policies/finding"
)

// Report is what was found out about some Gates.
type Report struct {
	// Gates are the Gates that were looked at, in the order of their files.
	Gates []Gate
	// Problems are what kept Gates from being found at all.
	Problems []Problem
	// Elapsed is how long it took.
	Elapsed time.Duration
	// Version of the program, for the formats that name their tool.
	Version string
	// Style is how the table looks; no other format minds it.
	Style Style
}

// Gate is what was found out about one Gate.
type Gate struct {
	// Name is the Gate's name, "" when its file could not be read.
	Name string
	// File is the Gate's path in the tree.
	File string
	// Clusters is the number of its clusters.
	Clusters int
	// Rules are the identities of the rules that were evaluated.
	Rules []string
	// Findings say where the rules do not hold.
	Findings []finding.Finding
	// Waived are findings that the Gate lets be, and Skipped the rules that
	// could not be asked. Neither keeps the Gate from holding.
	Waived  []finding.Waived
	Skipped []finding.Skipped
	// Problems are why it could not be told whether the Gate holds. With any,
	// the Gate does not hold.
	Problems []Problem
}

// Problem is one reason why something could not be told.
type Problem struct {
	// Position is zero when the message names the place itself.
	Position finding.Position
	Message  string
}

// Style is how the table looks.
type Style struct {
	// Color uses ANSI colors.
	Color bool
	// Width is the number of columns, from 60 to 100; 0 means 100.
	Width int
	// Diffs shows the diffs of the findings.
	Diffs bool
}

// Verdict is what a Report comes to.
type Verdict string

// The verdicts.
const (
	Holds   Verdict = "holds"    // every rule of every Gate holds
	Finds   Verdict = "findings" // a rule does not hold, and everything could be told
	Unknown Verdict = "unknown"  // something could not be told, or there was nothing to tell
)

// Verdict is what r comes to. A Report of no Gates is Unknown, and so is one
// with a problem, whatever it found beside it.
func (r Report) Verdict() Verdict {
	if len(r.Problems) > 0 || len(r.Gates) == 0 {
		return Unknown
	}
	verdict := Holds
	for _, g := range r.Gates {
		switch g.Verdict() {
		case Unknown:
			return Unknown
		case Finds:
			verdict = Finds
		case Holds:
		}
	}
	return verdict
}

// Verdict is what g comes to.
func (g Gate) Verdict() Verdict {
	switch {
	case len(g.Problems) > 0:
		return Unknown
	case len(g.Findings) > 0:
		return Finds
	}
	return Holds
}

// Findings is the number of findings in r.
func (r Report) Findings() int {
	n := 0
	for _, g := range r.Gates {
		n += len(g.Findings)
	}
	return n
}

// format is a way to write a Report.
type format struct {
	name  string
	write func(w io.Writer, r Report) error
}

// formats are the ways there are; the first is for people.
func formats() []format {
	return []format{
		{"table", writeTable},
		{"json", writeJSON},
		{"sarif", writeSARIF},
		{"junit", writeJUnit},
		{"github", writeGitHub},
		{"markdown", writeMarkdown},
	}
}

// Formats are the names that Write knows, the one for people first.
func Formats() []string {
	all := formats()
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	return names
}

// Write writes r in the format of that name. An unknown name is an error that
// lists the names there are; nothing is written then.
func Write(w io.Writer, name string, r Report) error {
	for _, f := range formats() {
		if f.name != name {
			continue
		}
		if err := f.write(w, r); err != nil {
			return fmt.Errorf("write report as %s: %w", name, err)
		}
		return nil
	}
	return fmt.Errorf("write report: unknown format %q, expected one of %s", name, strings.Join(Formats(), ", "))
}
