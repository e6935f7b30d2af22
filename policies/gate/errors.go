package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// Error is one mistake in a Gate file.
type Error struct {
	Position finding.Position
	// Field is the place in the Gate, "spec.clusters[1].name"; "" for the file.
	Field string
	// Problem is what was expected and what was found; Remedy what to do.
	Problem string
	Remedy  string
}

// Error is one line: place, field, problem, remedy.
func (e *Error) Error() string {
	field := ""
	if e.Field != "" {
		field = e.Field + ": "
	}
	return fmt.Sprintf("%s: %s%s; %s", e.Position, field, e.Problem, e.Remedy)
}

// Errors are all mistakes of a Gate file, in the file's order. There is at
// least one.
type Errors struct {
	List []*Error
}

// Error has a line for each mistake.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, one := range e.List {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each mistake.
func (e *Errors) Unwrap() []error {
	out := make([]error, len(e.List))
	for i, one := range e.List {
		out[i] = one
	}
	return out
}

// errors is nil when there is no mistake.
func (d *decoder) errors() error {
	if len(d.found) == 0 {
		return nil
	}
	slices.SortStableFunc(d.found, func(a, b *Error) int {
		if a.Position.Line != b.Position.Line {
			return a.Position.Line - b.Position.Line
		}
		return a.Position.Column - b.Position.Column
	})
	return &Errors{List: d.found}
}
